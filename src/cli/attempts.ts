// What a look at media cannot see: who works on one just now, and what ended badly when it was last tried.
import type { Lane } from '../model/stage.ts'
import { count } from '../model/counted.ts'
import { instant } from '../model/instant.ts'
import { heldMedia } from '../ports/locks.ts'
import { command, type Manner } from '../views/paint.ts'
import type { Failed } from './history.ts'
import type { Session } from './session.ts'

const namesShown = 5

/** A sentence about the media that other runs work on: what is seen of them meanwhile is half made. By the locks that the server grants. */
export async function tellBusy(
  { database }: Session,
  lanes: readonly Lane[],
  manner: Manner,
): Promise<readonly string[]> {
  if (database === null) return []
  const names = new Map(lanes.map(({ hash, medium }) => [hash, medium]))
  const holders = await heldMedia((sql, params) => database.query(sql, params))
  const busy = holders.flatMap(({ hash, run, host, pid }) => {
    const name = names.get(hash)
    return name === undefined ? [] : [`${name} (run ${run} on ${host}, pid ${pid})`]
  })
  if (busy.length === 0) return []
  return [
    `Worked on just now, so that what is told above of ${busy.length === 1 ? 'it' : 'them'} is half made: ${some(busy)}. ${command('status --watch', manner)} shows it.`,
  ]
}

/**
 * A sentence for each medium whose last try failed, where that step is still to be done; why one is refused its reason tells already.
 * A log tells it: it decides nothing.
 */
export function tellFailed(
  failed: ReadonlyMap<string, Failed>,
  lanes: readonly Lane[],
  manner: Manner,
): readonly string[] {
  const told = lanes.flatMap(({ medium, steps }) => {
    const last = failed.get(medium)
    const step = steps.find(({ stage }) => stage === last?.stage)
    if (last === undefined || step === undefined) return []
    if (step.action === 'keep' || step.action === 'refuse') return []
    return [
      `${medium} ${last.stage} failed when it was last tried, ${instant(last.at)} UTC: ${last.message}. ${command(`log ${medium}`, manner)} tells all of it.`,
    ]
  })
  const rest = told.length - namesShown
  return rest <= 0
    ? told
    : [
        ...told.slice(0, namesShown),
        `And ${count(rest)} more failed when they were last tried: ${command('log', manner)}`,
      ]
}

const some = (names: readonly string[]): string =>
  names.length <= namesShown
    ? names.join(', ')
    : `${names.slice(0, namesShown).join(', ')} and ${count(names.length - namesShown)} more`
