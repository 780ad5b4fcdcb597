// Prove again what is there, on request; runs nothing.
import { NttError, VerifyError, mostSerious, type ExitCode } from './model/errors.ts'
import { failureOf } from './model/event.ts'
import { sideBySide } from './model/lanes.ts'
import { stageNames, targets, type Medium, type StageName } from './model/medium.ts'
import { isDisplaced, isOfAnotherImage, isStillSo, latestOf, otherImageText } from './model/proofs.ts'
import type { Depth, Observation, Observed, Proof } from './model/stage.ts'
import { stageNamed, type Hands } from './apply/hands.ts'
import { observeMedium } from './observe.ts'
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

/** What of a medium cannot be proven, or failed when it was, told; nothing where it is as it should be, or was never made. */
export function tellUnproven(observed: Observed, hands: Hands): readonly ExitCode[] {
  const { medium, observations } = observed
  if (medium.hash !== null)
    return observations.flatMap(
      (one) => (isThere(one) ? tellFailed : tellProduct)(one, observed, hands) ?? [],
    )
  const { name, action, because } = medium
  hands.emit({ type: 'step.held', medium: name, hash: null, stage: 'image', action, because })
  // What a file says of a medium, and is not so, is for its person to put right: no proof is false.
  return [action === 'unknown' ? 5 : isDisplaced(medium.displaced, observed.proofs) ? 3 : 2]
}

/** What failed its last proof is wrong until it is mended, however lately that was: no night passes over it. */
function tellFailed(
  observation: Observation,
  { medium, proofs }: Pick<Observed, 'medium' | 'proofs'>,
  hands: Hands,
): ExitCode | null {
  const { stage } = observation
  const own = proofs.filter((proof) => proof.stage === stage)
  const last = 'of' in observation ? latestOf(observation.of, own) : undefined
  if (last === undefined || last.ok) return tellOutdated(observation, { medium, proofs }, hands) ? 2 : null
  for (const check of last.checks.filter(({ ok }) => !ok))
    hands.emit({ type: 'step.contradicted', medium: medium.name, hash: medium.hash, stage, check })
  return 3
}

/** It is good for what it is, and another image is there by now. */
function tellOutdated(
  observation: Observation,
  { medium, proofs }: Pick<Observed, 'medium' | 'proofs'>,
  hands: Hands,
): boolean {
  const { stage } = observation
  const madeOf = 'decision' in observation ? observation.decision.madeOf : undefined
  if (!isDue(observation, medium) || !isOfAnotherImage(stage, proofs, madeOf)) return false
  const because = { code: 'other-image', text: otherImageText } as const
  hands.emit({ type: 'step.held', medium: medium.name, hash: medium.hash, stage, action: 'wait', because })
  return true
}

/** null: its product is there as declared, or nobody has ever proven one. */
function tellProduct(observation: Observation, { medium, proofs }: Observed, hands: Hands): ExitCode | null {
  if (isThere(observation)) return null
  const { stage } = observation
  const at = { medium: medium.name, hash: medium.hash, stage } as const
  if ('unknown' in observation) {
    hands.emit({ type: 'step.held', ...at, action: 'unknown', because: observation.unknown })
    return 5
  }
  const { because, action } = observation.decision
  const own = proofs.filter((proof) => proof.stage === stage)
  if (!own.some(({ ok }) => ok)) return null
  if (isStillSo(observation, own)) {
    // No proof is false; but nobody proves it now either, and that is not passed over.
    hands.emit({ type: 'step.held', ...at, action: action === 'refuse' ? 'refuse' : 'wait', because })
    return 2
  }
  const check = { name: 'product', ok: false, expected: 'there', actual: because.text }
  hands.emit({ type: 'step.contradicted', ...at, check })
  return 3
}

async function verifyMedium(looked: Observed, hands: Hands, depth: Depth): Promise<ExitCode> {
  const { medium } = looked
  if (medium.hash === null) return mostSerious(tellUnproven(looked, hands))
  if (isNew(looked)) return 2
  const codes: ExitCode[] = []
  const held = await hands.hold(medium)
  try {
    // Whoever held it before us may have made another product, and proven that.
    const proofs = await provenSoFar(medium, hands)
    const observed = await observeMedium(medium, proofs, hands)
    for (const observation of observed.observations) {
      if (hands.stopping.aborted) return 130
      const code = isThere(observation)
        ? await verifyStage(observation.stage, { medium, proofs }, hands, {
            depth: depthFor(observation, proofs, depth, hands),
            signal: held.signal,
            over: null,
          })
        : tellProduct(observation, observed, hands)
      if (code !== null) codes.push(code)
      const left = isThere(observation)
        ? tellOutdated(observation, observed, hands)
        : isDue(observation, medium) && code === null
      // What was never made is not wrong; but what is declared is not what is.
      if (left) codes.push(2)
    }
  } finally {
    await held.release()
  }
  return mostSerious(codes)
}

/** None of its products is there as declared, and none was ever proven: there is nothing to verify, which is not to say that all is well. */
export const isNew = ({ medium, observations, proofs }: Observed): boolean =>
  medium.hash !== null && observations.every((one) => isUnmade(one, proofs))

/** Some of its products are there, and some never were as declared. */
export const isMadeInPart = (observed: Observed): boolean =>
  observed.medium.hash !== null &&
  !isNew(observed) &&
  observed.observations.some((one) => isDue(one, observed.medium) && isUnmade(one, observed.proofs))

/** What is there above the target is verified as well; nobody misses what is not. */
const isDue = ({ stage }: Pick<Observation, 'stage'>, { target }: Pick<Medium, 'target'>): boolean =>
  stageNames.indexOf(stage) <= stageNames.indexOf(targets[target])

const isUnmade = (one: Observation, proofs: readonly Proof[]): boolean =>
  'decision' in one && !isThere(one) && !proofs.some(({ stage, ok }) => stage === one.stage && ok)

/** All proofs of a medium as they are now. Ask it while the medium is held. */
export const provenSoFar = async ({ hash }: Medium, hands: Hands): Promise<readonly Proof[]> =>
  (await hands.proofs([hash])).get(hash) ?? []

/** What nobody has verified as it is now, or failed when it was, is looked at as deep as apply would: a shallow look must not be its first proof. */
function depthFor(observation: Observation, proofs: readonly Proof[], asked: Depth, hands: Hands): Depth {
  const { stage } = observation
  const own = proofs.filter((proof) => proof.stage === stage)
  const isKnown = 'of' in observation && latestOf(observation.of, own)?.ok === true
  return isKnown || asked === 'hash' ? asked : (stageNamed(hands.stages, stage).depths?.prove ?? asked)
}

const isThere = (one: Observation): boolean => 'decision' in one && one.decision.action === 'keep'

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
    because: { code: 'asked', text: `at depth ${depth}` },
  })
  try {
    const proof = await prove(stage, medium, hands.writer(medium, name, signal), hands, {
      depth,
      made: false,
      before: proofs,
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
    const durationSec = hands.seconds() - began
    hands.emit({ type: 'step.failed', ...at, ...failureOf(error), durationSec })
    return error.exitCode
  }
}
