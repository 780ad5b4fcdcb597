// What is going on in a project, seen from outside: the plan as observed now, with what other runs have told so far. Pure.
import type { Lane } from './stage.ts'
import { emptyRun, planned, type MediumView, type RunView } from './run-view.ts'

/** Who works on a medium now, by the lock that the server holds for it. */
export interface Holder {
  readonly hash: string
  readonly run: string
  readonly host: string
  readonly pid: number
}

/**
 * One view over all: each medium as it is observed; where a run holds it, with the cells that the run has told of it, or
 * with whose it is where its log is on another host.
 */
export function watched(
  lanes: readonly Lane[],
  runs: ReadonlyMap<string, RunView>,
  holders: readonly Holder[],
  nowMs: number,
): RunView {
  const base = planned(emptyRun, lanes)
  const byHash = new Map(holders.map((holder) => [holder.hash, holder]))
  const media = base.media.map((medium): MediumView => {
    const holder = byHash.get(medium.hash ?? '')
    if (holder === undefined) return medium
    const run = runs.get(holder.run)
    const told = run?.media[run.places.get(medium.medium) ?? -1]
    if (told === undefined) {
      return { ...medium, waitsFor: null, heldBy: `run ${holder.run} on ${holder.host}, pid ${holder.pid}` }
    }
    const stages = medium.stages.map((stage, place) => {
      const live = told.stages[place]
      return live === undefined || live.startedMs === null ? stage : live
    })
    return { ...medium, waitsFor: told.waitsFor, stages, heldBy: null }
  })
  const log = [...runs.values()]
    .flatMap((run) => run.log)
    .toSorted((a, b) => a.atMs - b.atMs)
    .slice(-200)
  return { ...base, verb: 'status', media, log, latestMs: nowMs }
}
