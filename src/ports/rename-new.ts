// A rename that takes no name from anything: in one call of the kernel, or by what comes nearest to it.
import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { errnoOf } from '../model/errors.ts'
import { libc } from './libc.ts'

/** What filesystems and kernels say that cannot do it in one call. */
const unable = new Set(['EINVAL', 'ENOSYS', 'EPERM', 'EOPNOTSUPP', 'EMLINK'])

/** @returns whether the name was free; where it was not, nothing is changed */
export function renameNew(from: string, to: string): boolean {
  const errno = libc()?.renameNew(from, to) ?? 'ENOSYS'
  if (errno === 0) return true
  if (errno === 'EEXIST') return false
  if (!unable.has(errno))
    throw Object.assign(new Error(`rename: ${errno}, ${from}`), { code: errno, path: from })
  try {
    // Whoever dies between the two leaves a second name, and nothing worse.
    linkSync(from, to)
    unlinkSync(from)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    if (!unable.has(errnoOf(error) ?? '')) throw error
  }
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false
  renameSync(from, to)
  return true
}
