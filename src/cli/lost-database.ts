// A private database that is not there, of a project whose event log tells of one: it is away or lost, and nobody begins another unasked.
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { ObserveError } from '../model/errors.ts'
import { instant } from '../model/instant.ts'
import { linesOf, logFiles } from './log-files.ts'
import { eventOf } from './read-log.ts'

/** For where the folder has no database. null: the log, with what was turned over of it, knows of none, so this is the first. */
export async function lostDatabase({ roots }: Pick<Config, 'roots'>): Promise<ObserveError | null> {
  const last = await lastRecorded(roots.log)
  if (last === null) return null
  return new ObserveError(
    `the private database is not in ${roots.postgres}, and the event log in ${roots.log} tells of work that was recorded in one, last on ${instant(last)} UTC`,
    {
      hint: "If it lies on a disk that is not mounted, mount it. If it was another server's, name that (--db, NTT_DB_URL). If it is lost, ntt rebuild makes it again from what is there.",
    },
  )
}

/** When a step was last done. */
async function lastRecorded(folder: string): Promise<string | null> {
  for (const name of (await logFiles(folder)).toReversed()) {
    let last: string | null = null
    for await (const { bytes } of linesOf(join(folder, name))) {
      const event = bytes.includes('_success"') ? eventOf(bytes.toString()) : null
      if (event?.type === 'step.done') last = event.ts
    }
    if (last !== null) return last
  }
  return null
}
