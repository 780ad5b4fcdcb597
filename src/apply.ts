// Carry out a plan: look again, run, verify, record. One lane fails, the others go on.
import { diff } from './diff.ts'
import {
  InterruptedError,
  NttError,
  RefusedError,
  StoreError,
  mostSerious,
  type ExitCode,
} from './model/errors.ts'
import { failureOf } from './model/event.ts'
import { Slots } from './model/lanes.ts'
import type { Medium, StageName } from './model/medium.ts'
import { latestOf } from './model/proofs.ts'
import type { Action, Lane, Observed, Plan, Replaces, Stage, Step } from './model/stage.ts'
import { takeRoot } from './model/store.ts'
import type { Writer } from './model/world.ts'
import { observeMedium, observeStage, type Eyes } from './observe.ts'
import { wantedStages } from './plan.ts'
import { healthMember, prove, type Witness } from './prove.ts'

/** What apply needs from outside; it imports no stage, no port and no view. */
export interface Hands extends Eyes, Witness {
  writer(medium: Medium, stage: StageName, signal: AbortSignal): Writer
  /** One exclusive hold of a medium; its signal fires if the hold is lost. */
  hold(medium: Medium): Promise<{ readonly signal: AbortSignal; release(): Promise<void> }>
  /** Seconds on a clock that only goes forward. */
  seconds(): number
  /** Fires when nothing new may be started. */
  readonly stopping: AbortSignal
  /** Resolves when the person has not paused. */
  unpaused(): Promise<void>
}

export interface ApplyOptions {
  /** Media at work at the same time. */
  readonly width: number
  readonly redo: ReadonlyMap<string, ReadonlySet<StageName>>
  readonly only?: StageName
}

/** How a lane ended. */
export interface LaneEnd {
  readonly medium: string
  readonly exit: ExitCode
}

/** Carries out what was planned for these media, side by side. `media` are the planned lanes with what was observed of them. */
export async function apply(
  planned: Plan,
  media: ReadonlyMap<string, Observed>,
  hands: Hands,
  options: ApplyOptions,
): Promise<readonly LaneEnd[]> {
  const slots = new Slots(options.width)
  const drives = new Map<string, Slots>()
  let halted: StoreError | null = null
  const work = planned.lanes.map(async (lane): Promise<LaneEnd> => {
    const observed = media.get(lane.medium)
    if (observed === undefined) return { medium: lane.medium, exit: 0 }
    const drive = lane.exclusive === null ? null : (drives.get(lane.exclusive) ?? new Slots(1))
    if (drive !== null && lane.exclusive !== null) drives.set(lane.exclusive, drive)
    const freeDrive = await drive?.take()
    const free = await slots.take()
    try {
      return { medium: lane.medium, exit: await applyLane(lane, observed, hands, options, () => halted) }
    } catch (error) {
      if (error instanceof StoreError) halted ??= error
      // 6 says that a plan was refused; here a medium was.
      if (error instanceof RefusedError) return { medium: lane.medium, exit: 4 }
      if (error instanceof NttError) return { medium: lane.medium, exit: error.exitCode }
      throw error
    } finally {
      free()
      freeDrive?.()
    }
  })
  const ended = await Promise.allSettled(work)
  return ended.map((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}

async function applyLane(
  lane: Lane,
  observed: Observed,
  hands: Hands,
  options: ApplyOptions,
  halted: () => StoreError | null,
): Promise<ExitCode> {
  const { medium } = observed
  if (medium.hash === null || !lane.steps.some(({ action }) => action === 'run' || action === 'prove')) {
    return tellHeld(lane.steps, lane.hash, hands)
  }
  const mayGoOn = (left: readonly Step[]): void => {
    const stop = halted()
    const next = left.find(({ action }) => action === 'run' || action === 'prove')
    if (stop !== null) {
      const because = { code: 'waits', text: `not started, because ${stop.message}` } as const
      const at = { medium: medium.name, hash: medium.hash }
      if (next !== undefined)
        hands.emit({ type: 'step.held', ...at, stage: next.stage, action: 'wait', because })
      throw new StoreError(because.text)
    }
    if (hands.stopping.aborted) throw new InterruptedError('stopped before the next step')
  }
  // Before it is taken and looked at: thousands of media may be waiting, and a person for all of them.
  mayGoOn(lane.steps)
  const wanted = wantedStages(medium, hands.stagesOf(medium.kind), options.only)
  const held = await failing(medium, lane.steps[0]?.stage ?? 'image', hands, () => hands.hold(medium))
  try {
    // Whoever held the medium before us may have done the work already: what is true now counts.
    const proofs = await hands.proofs([medium.hash])
    const redo = new Set(options.redo.get(medium.name))
    let now = await observeMedium(medium, proofs.get(medium.hash) ?? [], hands)
    for (const [at, planned] of lane.steps.entries()) {
      mayGoOn(lane.steps.slice(at))
      await hands.unpaused()
      now = await lookAgain(now, medium, planned.stage, hands)
      const steps = diff(now, { wanted, run: hands.run, redo })
      const step = steps.find(({ stage }) => stage === planned.stage)
      if (step === undefined) continue
      if (step.action === 'keep') {
        const { stage, action, because } = step
        if (planned.action !== 'keep')
          hands.emit({ type: 'step.held', medium: medium.name, hash: medium.hash, stage, action, because })
        continue
      }
      if (step.action !== 'run' && step.action !== 'prove') {
        return tellHeld(steps.slice(steps.indexOf(step)), medium.hash, hands)
      }
      now = await failing(medium, step.stage, hands, () =>
        carryOut(step, planned, medium, now, hands, held.signal, redo),
      )
      // Once is what was asked for: what comes next is judged by what is there now.
      redo.delete(step.stage)
    }
    const left = diff(now, { wanted, run: hands.run }).filter(({ action }) => action !== 'keep')
    return left.length === 0 ? 0 : 4
  } finally {
    await held.release()
  }
}

/** One step: run where that is due, then the witness, then the record. Returns what is known afterwards. */
async function carryOut(
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
    ? ((step.because.code === 'failed-proof' ? stage.depths?.prove : stage.depths?.run) ?? 'counts')
    : step.because.code === 'gate'
      ? 'counts'
      : (stage.depths?.prove ?? 'counts')
  const proof = await prove(stage, medium, world, hands, {
    depth,
    made: made && !isRestored,
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

/** Why what is there gives way to what a step makes. What a person asks for may be there to mend what failed. */
function replaced({ stage, of, because, contradicts }: Step, now: Observed, isAsked: boolean): Replaces {
  if (because.code === 'failed-proof' || (because.code === 'restore' && contradicts === 'proof'))
    return 'failed-proof'
  if (!isAsked) return null
  const proofs = now.proofs.filter((proof) => proof.stage === stage)
  return of !== null && latestOf(of, proofs)?.ok === false ? 'failed-proof' : 'asked'
}

const mayRun = (planned: Action): boolean => planned === 'run' || planned === 'wait'

async function lookAgain(now: Observed, medium: Medium, name: StageName, hands: Hands): Promise<Observed> {
  const fresh = await observeStage(stageNamed(hands.stages, name), medium, hands.reader(medium.name))
  return { ...now, observations: now.observations.map((one) => (one.stage === name ? fresh : one)) }
}

/** Tells a failure as an event, then lets it end the lane. */
async function failing<T>(
  medium: Medium,
  stage: StageName,
  hands: Hands,
  work: () => Promise<T>,
): Promise<T> {
  const began = hands.seconds()
  try {
    return await work()
  } catch (error) {
    const at = { medium: medium.name, hash: medium.hash, stage } as const
    const durationSec = hands.seconds() - began
    hands.emit({ type: 'step.failed', ...at, ...failureOf(error), durationSec })
    throw error
  }
}

function tellHeld(steps: readonly Step[], hash: string | null, hands: Hands): ExitCode {
  const codes = steps.map((step): ExitCode => {
    if (step.action === 'refuse' || step.action === 'unknown' || step.action === 'wait') {
      const { medium, stage, action, because } = step
      hands.emit({ type: 'step.held', medium, hash, stage, action, because })
    }
    switch (step.action) {
      case 'unknown':
        return 5
      case 'refuse':
        return step.contradicts === null ? 4 : 3
      case 'wait':
      case 'run':
      case 'prove':
        return 4
      case 'keep':
        return 0
      default:
        return step.action satisfies never
    }
  })
  return mostSerious(codes)
}

export function stageNamed(stages: readonly Stage[], name: StageName): Stage {
  const found = stages.find((stage) => stage.name === name)
  if (found === undefined) throw new Error(`no stage is called ${name}`)
  return found
}
