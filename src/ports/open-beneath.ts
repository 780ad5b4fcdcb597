// Files of a live tree, opened so that no link on the way is followed: not the file, and no directory above it below the root.
import { closeSync, constants, openSync, readlinkSync } from 'node:fs'
import { errnoOf } from '../model/errors.ts'
import { libc } from './libc.ts'

/** A tree's root, open. Links that lead to the root itself may be followed: that is the declaration's business. */
export const openRoot = (root: Buffer | string): number =>
  openSync(root, constants.O_RDONLY | constants.O_DIRECTORY)

/**
 * Opens what lies below a root, without a trace on its access time where that is ours to decide. `inside`: relative to the
 * root. Throws ELOOP where any part of the way is a link now.
 */
export function openBeneath(root: number, inside: Buffer, flags: number): number {
  const { O_NOFOLLOW, O_NOATIME } = constants
  try {
    return openOnce(root, inside, flags | O_NOFOLLOW | O_NOATIME)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error
    return openOnce(root, inside, flags | O_NOFOLLOW)
  }
}

function openOnce(root: number, inside: Buffer, flags: number): number {
  const opened = libc()?.openBeneath(root, inside, flags) ?? 'ENOSYS'
  if (typeof opened === 'number') return opened
  if (opened !== 'ENOSYS') throw failed(opened)
  // Linux before 5.6: opened as usual, then asked where that was.
  const above = readlinkSync(`/proc/self/fd/${root}`, 'buffer')
  const path = Buffer.concat([above, Buffer.from('/'), inside])
  const fd = openSync(path, flags)
  if (readlinkSync(`/proc/self/fd/${fd}`, 'buffer').equals(path)) return fd
  closeSync(fd)
  throw failed('ELOOP')
}

const failed = (code: string): Error => Object.assign(new Error(`${code}: open below a root`), { code })
