// One step of a plan: run where that is due, then the witness, then the record.
import { RefusedError } from '../model/errors.ts'
import type { Medium, StageName } from '../model/medium.ts'
import { latestOf } from '../model/proofs.ts'
import type { Action, Decision, Observed, Replaces, Step } from '../model/stage.ts'
import { takeRoot } from '../model/store.ts'
import { observeStage } from '../observe.ts'
import { healthMember, prove } from '../prove.ts'
import { stageNamed, type Hands } from './hands.ts'

/** Returns what is known of the medium afterwards. Throws RefusedError where it would do more than was planned. */
export async function carryOut(
  step: Step,
  planned: Step,
  medium: Medium,
  now: Observed,
  hands: Hands,
  signal: AbortSignal,
  redo: ReadonlySet<StageName>,
): Promise<Observed> {
  // The plan is a promise about the most that will happen.
  if (step.action === 'run' && !mayRun(planned.action)) {
    throw new RefusedError(`since the plan: ${step.because.text}`, { hint: `ntt plan ${medium.name}` })
  }
  const stage = stageNamed(hands.stages, step.stage)
  const observation = now.observations.find((one) => one.stage === step.stage)
  if (observation === undefined || !('seen' in observation))
    throw new RefusedError('it can no longer be observed')
  const at = { medium: medium.name, hash: medium.hash, stage: step.stage } as const
  const began = hands.seconds()
  hands.emit({ type: 'step.started', ...at, action: step.action, because: step.because })
  const world = hands.writer(medium, step.stage, signal)
  const made = step.action === 'run'
  const isRestored = made && step.because.code === 'restore'
  if (made && stage.root !== undefined) await takeRoot(stage.root, world)
  if (made)
    await stage.run(medium, observation.seen, world, replaced(step, now, redo.has(step.stage)), isRestored)
  // What failed is looked at as deep as if it had never been proven: it may turn out to be what it was before.
  const depth = made
    ? ((mayBeBad(step) ? stage.depths?.prove : stage.depths?.run) ?? 'counts')
    : step.because.code === 'gate'
      ? 'counts'
      : (stage.depths?.prove ?? 'counts')
  const proof = await prove(stage, medium, world, hands, {
    depth,
    made: made && !isRestored,
    further: isFurther(observation.decision, now),
    before: now.proofs,
  })
  hands.emit({
    type: 'step.done',
    ...at,
    action: made ? 'run' : 'prove',
    depth,
    durationSec: hands.seconds() - began,
    figures: proof.figures,
    ...healthMember(proof),
  })
  const after = await observeStage(stage, medium, hands.reader(medium.name))
  return {
    ...now,
    observations: now.observations.map((one) => (one.stage === step.stage ? after : one)),
    proofs: [...now.proofs, proof],
  }
}

/** The image that was proven last is read further; where another one is in its place, nobody has proven that. Older proofs do not tell. */
function isFurther({ goesOn }: Decision, { proofs }: Observed): boolean {
  const last = proofs.findLast(({ stage, ok }) => stage === 'image' && ok)
  return goesOn !== undefined && last !== undefined && (last.facts['file'] ?? goesOn) === goesOn
}

/** It failed its proof, or that of another image may have. */
const mayBeBad = ({ because }: Step): boolean =>
  because.code === 'failed-proof' || because.code === 'other-image'

/** Why what is there gives way to what a step makes. What a person asks for may be there to mend what failed. */
function replaced({ stage, of, because, contradicts }: Step, now: Observed, isAsked: boolean): Replaces {
  if (because.code === 'failed-proof' || (because.code === 'restore' && contradicts === 'proof'))
    return 'failed-proof'
  if (because.code === 'other-image') return 'other-image'
  if (!isAsked) return null
  const proofs = now.proofs.filter((proof) => proof.stage === stage)
  return of !== null && latestOf(of, proofs)?.ok === false ? 'failed-proof' : 'asked'
}

const mayRun = (planned: Action): boolean => planned === 'run' || planned === 'wait'
