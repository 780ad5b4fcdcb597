// What could not be read on the way to names, as errors of the path that it hits.
import { contentError, unnamedError, type EntryError } from '../model/entry.ts'
import { ObserveError, RunError } from '../model/errors.ts'
import { UnreadError } from '../model/unread.ts'

/** A directory of which names may be missing. `about`: what of it could not be read, with a colon and a space behind. */
export const hiddenNames = (path: Buffer, fault: RunError, about = ''): EntryError => ({
  error: fault instanceof UnreadError ? 'EIO' : 'unreadable-directory',
  path,
  message: `${about}${fault.message}: names below it may be missing`,
})

/** A directory below which names are missing, or may be. */
export const missingNames = (path: Buffer, message: string): EntryError => ({
  error: 'unreadable-directory',
  path,
  message,
})

/** A file of which bytes are missing. */
export const missingContent = (path: Buffer, message: string): EntryError => ({
  error: contentError,
  path,
  message,
})

/** What is in use and has no name: a few of it every disk has that was pulled out, and what it was nobody knows. */
export const unnamed = (message: string): EntryError => ({
  error: unnamedError,
  path: Buffer.alloc(0),
  message,
})

/** Of a directory that leads to itself. */
export const metBefore = 'it was met before: directories run in a circle'

/** A name that no path can hold, and that was mended. */
export const badName = (path: Buffer): EntryError => ({
  error: 'bad-name',
  path,
  message: 'bytes that no name can have stand as _',
})

/** A failure to read; anything else is thrown again. */
export function faultOf(error: unknown): RunError {
  if (error instanceof RunError) return error
  throw error
}

/** For what may never have been read: null then; anything else is thrown again. */
export function unlessUnread(error: unknown): null {
  if (error instanceof UnreadError) return null
  throw error
}

/** Of a content that cannot be had: an ObserveError, as that is no reason to give up the others. What is no failure to read stays as it is. */
export const unobtainable = (error: unknown, about = ''): unknown =>
  error instanceof RunError ? new ObserveError(`${about}${error.message}`, { cause: error }) : error

/** For what may be missing: null where it cannot be read; anything else is thrown again. */
export function orNothing(error: unknown): null {
  faultOf(error)
  return null
}
