// Whether there is a database in a folder, and whether PostgreSQL takes the folder's mode. What may not be entered is not empty.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ObserveError, errnoOf } from '../../model/errors.ts'
import { shellWord } from '../../model/shell.ts'

/** Throws ObserveError where that cannot be looked at: it would be taken for none, and all media for new. */
export function hasDatabase(data: string): boolean {
  try {
    return statSync(join(data, 'PG_VERSION'), { throwIfNoEntry: false }) !== undefined
  } catch (cause) {
    needMode(data)
    throw new ObserveError(`cannot look at the database in ${data} (${errnoOf(cause) ?? 'unknown'})`, {
      cause,
      hint: 'Run ntt as the owner of the project.',
    })
  }
}

/** PostgreSQL wants all of it for the owner, at the most a look for the group, and tells that to its log alone. */
export function needMode(data: string): void {
  const mode = modeOf(data)
  if (mode === null || ((mode & 0o700) === 0o700 && (mode & 0o027) === 0)) return
  throw new ObserveError(
    `the database in ${data} has the mode ${mode.toString(8).padStart(3, '0')}, and PostgreSQL takes 700`,
    { hint: `To give it that, run:\n    chmod 700 ${shellWord(data)}` },
  )
}

/** null: that cannot be asked either. */
function modeOf(path: string): number | null {
  try {
    return statSync(path).mode & 0o777
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return null
  }
}
