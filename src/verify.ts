// Prove again what is there, on request; runs nothing.
import { NttError, VerifyError, mostSerious, type ExitCode } from './model/errors.ts'
import { sideBySide } from './model/lanes.ts'
import type { Medium, StageName } from './model/medium.ts'
import type { Depth, Observed, Proof } from './model/stage.ts'
import { stageNamed, type Hands } from './apply.ts'
import { healthMember, prove } from './prove.ts'

/** Verifies every product of these media that is there; what is not there is left to `plan`. One code a medium. */
export async function verify(
  media: readonly Observed[],
  hands: Hands,
  depth: Depth,
  width: number,
): Promise<readonly ExitCode[]> {
  return sideBySide(media, width, (observed) => verifyMedium(observed, hands, depth))
}

async function verifyMedium(
  { medium, observations, proofs }: Observed,
  hands: Hands,
  depth: Depth,
): Promise<ExitCode> {
  if (medium.hash === null) {
    hands.emit({
      type: 'step.held',
      medium: medium.name,
      hash: null,
      stage: 'image',
      action: medium.action,
      because: medium.because,
    })
    return medium.action === 'unknown' ? 5 : 3
  }
  const codes: ExitCode[] = []
  const held = await hands.hold(medium)
  try {
    for (const observation of observations) {
      if (hands.stopping.aborted) return 130
      const at = { medium: medium.name, hash: medium.hash, stage: observation.stage } as const
      if ('unknown' in observation) {
        hands.emit({ type: 'step.held', ...at, action: 'unknown', because: observation.unknown })
        codes.push(5)
        continue
      }
      if (observation.decision.action !== 'keep') {
        if (proofs.some(({ stage, ok }) => stage === observation.stage && ok)) {
          const check = {
            name: 'product',
            ok: false,
            expected: 'there',
            actual: observation.decision.because.text,
          }
          hands.emit({ type: 'step.contradicted', ...at, check })
          codes.push(3)
        }
        continue
      }
      const how = { depth, signal: held.signal, over: null }
      const code = await verifyStage(observation.stage, { medium, proofs }, hands, how)
      if (code !== null) codes.push(code)
    }
  } finally {
    await held.release()
  }
  return mostSerious(codes)
}

export interface HowToVerify {
  readonly depth: Depth
  readonly signal: AbortSignal
  /** Fires when there is no more time for it; null: it may take what it takes. */
  readonly over: AbortSignal | null
}

/** Proves one product that is there. null: there was no time to end it. */
export async function verifyStage(
  name: StageName,
  { medium, proofs }: { readonly medium: Medium; readonly proofs: readonly Proof[] },
  hands: Hands,
  { depth, signal, over }: HowToVerify,
): Promise<ExitCode | null> {
  const at = { medium: medium.name, hash: medium.hash, stage: name } as const
  const began = hands.seconds()
  const stage = stageNamed(hands.stages, name)
  hands.emit({
    type: 'step.started',
    ...at,
    action: 'prove',
    because: { code: 'asked', text: `verify at depth ${depth}` },
  })
  try {
    const before = proofs.filter((proof) => proof.stage === name)
    const proof = await prove(stage, medium, hands.writer(medium, name, signal), hands, {
      depth,
      made: false,
      before,
    })
    hands.emit({
      type: 'step.done',
      ...at,
      action: 'prove',
      depth,
      durationSec: hands.seconds() - began,
      figures: proof.figures,
      ...healthMember(proof),
    })
    return 0
  } catch (error) {
    if (over?.aborted === true && !(error instanceof VerifyError)) return null
    if (!(error instanceof NttError)) throw error
    const { tag, message, hint, exitCode } = error
    const durationSec = hands.seconds() - began
    hands.emit({
      type: 'step.failed',
      ...at,
      tag,
      message,
      ...(hint === undefined ? {} : { hint }),
      durationSec,
    })
    return exitCode
  }
}
