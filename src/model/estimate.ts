// What a plan will come to: bytes to move, and seconds from what this installation has measured, else from guesses. Pure.
import type { KindName, StageName } from './medium.ts'
import type { Lane, Plan, Step } from './stage.ts'

/** One step of the past: what it was, how many bytes of medium it was about, how long it took. */
export interface Past {
  readonly stage: StageName
  readonly action: 'run' | 'prove'
  readonly bytes: number
  readonly durationSec: number
}

export interface Estimate {
  readonly read: number
  readonly write: number
  /** null where nothing is known of the sizes. */
  readonly seconds: number | null
  /** Every step's rate was measured here; else some are guesses. */
  readonly measured: boolean
}

/** Bytes a second on an ordinary machine, from an image; the seconds that each step costs at least. */
const guessed: Readonly<Record<StageName, number>> = {
  image: 400e6,
  enumerate: 500e6,
  load: 500e6,
  copy: 80e6,
  archive: 100e6,
}
const drives: Readonly<Record<KindName, number>> = { disk: 60e6, optical: 4e6, floppy: 25e3, directory: 80e6 }
const leastSec = 0.3

/**
 * Sums the steps that would be carried out. `width`: media at work at the same time. `fromDrive`: the media whose image is
 * still to be read from a device.
 */
export function estimate(plan: Plan, past: readonly Past[], width: number): Estimate {
  const steps = plan.lanes.flatMap((lane) => carriedOut(lane).map((step) => ({ lane, step })))
  let [read, write, seconds, longest] = [0, 0, 0, 0]
  let [measured, known] = [true, steps.length === 0]
  const perLane = new Map<Lane, number>()
  for (const { lane, step } of steps) {
    const moved = work(lane, step)
    read += moved.read
    write += moved.write
    const bytes = lane.bytes ?? moved.read
    if (bytes > 0) known = true
    const rate = measuredRate(past, step)
    if (rate === null) measured = false
    const cost = leastSec + bytes / (rate ?? guess(lane, step))
    perLane.set(lane, (perLane.get(lane) ?? 0) + cost)
    seconds += cost
  }
  for (const cost of perLane.values()) longest = Math.max(longest, cost)
  return { read, write, seconds: known ? Math.max(longest, seconds / Math.max(1, width)) : null, measured }
}

const carriedOut = ({ steps }: Lane): readonly Step[] =>
  steps.filter(({ action }) => action === 'run' || action === 'prove')

/** What a step moves: as its stage says, else by what it is about. */
function work({ bytes }: Lane, { stage, action, work: told }: Step): { read: number; write: number } {
  if (told !== undefined) return { read: told.read ?? 0, write: told.write ?? 0 }
  const all = bytes ?? 0
  if (action === 'prove') return { read: stage === 'image' || stage === 'archive' ? all : 0, write: 0 }
  switch (stage) {
    case 'image':
    case 'copy':
    case 'archive':
      return { read: all, write: all }
    case 'enumerate':
    case 'load':
      return { read: 0, write: 0 }
    default:
      return stage satisfies never
  }
}

/** Bytes a second over the last steps of the same sort; null before there are any that took time. */
function measuredRate(past: readonly Past[], { stage, action }: Step): number | null {
  const same = past.filter((one) => one.stage === stage && one.action === action && one.bytes > 0).slice(-50)
  const bytes = same.reduce((sum, one) => sum + one.bytes, 0)
  const seconds = same.reduce((sum, one) => sum + Math.max(0, one.durationSec - leastSec), 0)
  // Steps as short as their least cost say nothing about bytes.
  return bytes === 0 || seconds < 1 ? null : bytes / seconds
}

const guess = ({ kind, exclusive }: Lane, { stage, action }: Step): number =>
  stage === 'image' && action === 'run' && kind !== null && exclusive !== null ? drives[kind] : guessed[stage]
