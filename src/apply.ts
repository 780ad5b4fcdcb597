// Carry out a plan: look again, run, verify, record. One lane fails, the others go on.
import { stageNamed, type Hands } from './apply/hands.ts'
import { carryOut } from './apply/step.ts'
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
import type { Lane, Observed, Plan, Step } from './model/stage.ts'
import { observeMedium, observeStage } from './observe.ts'
import { wantedStages } from './plan.ts'

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
