// What the errno of a failed system call means: not there, could not look, or a root that can no longer be written.
import {
  InterruptedError,
  NttError,
  ObserveError,
  RunError,
  StoreError,
  errnoOf,
  messageOf,
} from '../model/errors.ts'

/** What to do about a look that failed. */
const lookHints: Readonly<Record<string, string>> = {
  EACCES: 'Run ntt as a user who may read it, or give this one the permission.',
  EPERM: 'Run ntt as a user who may read it, or give this one the permission.',
  EIO: 'The disk or drive below it reports errors: look into the kernel log before anything else.',
  ESTALE: 'The network filesystem that holds it has gone: mount it again.',
  ENODEV: 'The device is not connected.',
  ENXIO: 'The device is not connected.',
  ENOMEDIUM: 'There is no medium in the drive.',
  ENOTCONN: 'The filesystem that holds it has lost its server: mount it again.',
  EMFILE: 'Too many files are open at once: raise the limit (ulimit -n).',
  ENFILE: 'Too many files are open at once on this machine.',
}

/** What to do about a root that can no longer be written. */
const writeHints: Readonly<Record<string, string>> = {
  ENOSPC:
    'Free some space (or inodes) on its filesystem, or give the root another place, and run the same command again.',
  EDQUOT: 'Raise the quota, or give the root another place, and run the same command again.',
  EROFS:
    'Its filesystem is mounted read-only: find out why, mount it writable, and run the same command again.',
  EIO: 'The disk below it reports errors: look into the kernel log before anything else.',
  EACCES: 'Run ntt as a user who may write there, or give this one the permission.',
  EPERM: 'Run ntt as a user who may write there, or give this one the permission.',
  ESTALE: 'The network filesystem that holds it has gone: mount it again.',
}

/** It was looked, and there is nothing of that name. */
export const isAbsent = (error: unknown): boolean => errnoOf(error) === 'ENOENT'

/** An ObserveError that names what could not be looked at. `doing`: `read /a/b at byte 512`. */
export function unseen(doing: string, error: unknown): Error {
  if (error instanceof NttError) return error
  const errno = errnoOf(error)
  if (errno === undefined) return error instanceof Error ? error : new Error(messageOf(error))
  const hint = lookHints[errno]
  return new ObserveError(`cannot ${doing}: ${errno}`, { cause: error, ...(hint !== undefined && { hint }) })
}

/** A StoreError where the root cannot be written, a RunError where only this one write failed. `what`: `raw:ab.raw`. */
export function unwritten(what: string, path: string, error: unknown): Error {
  if (error instanceof NttError) return error
  const errno = errnoOf(error)
  if (errno === undefined) return error instanceof Error ? error : new Error(messageOf(error))
  const hint = writeHints[errno]
  const told = `cannot write ${what} (${path}): ${errno}`
  return hint === undefined
    ? new RunError(told, { cause: error })
    : new StoreError(told, { cause: error, hint })
}

/** Why we were asked to stop: the reason, if it is one of ours. `cause`: what failed because of that. */
export const stopReason = (signal: AbortSignal, cause: unknown = signal.reason): NttError =>
  signal.reason instanceof NttError ? signal.reason : new InterruptedError('stopped', { cause })

/** Throws where we were asked to stop. */
export function stopIfAsked(signal: AbortSignal): void {
  if (signal.aborted) throw stopReason(signal)
}
