// Folders: made where they are not there, like `mkdir -p`, and durable.
import { chmodSync, closeSync, constants, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../model/errors.ts'

/**
 * With mode 0755 for what it makes, whatever the umask. Throws what the system says. One by one: of a read-only filesystem
 * node's `recursive` tells ENOENT, which is not what is wrong with it, and of one that makes no folders at all (/proc) it never ends.
 */
export function makeDirectories(path: string): void {
  try {
    makeDirectory(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    makeDirectories(dirname(path))
    makeDirectory(path)
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && statSync(path).isDirectory()) return
    throw error
  }
  chmodSync(path, 0o755)
  const parent = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(parent)
  } finally {
    closeSync(parent)
  }
}

/** What was made, renamed or removed in it outlives a power cut. */
export async function flushDirectory(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
