// A new file: whole or not at all, and never over another.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { UsageError, errnoOf } from '../model/errors.ts'
import { unwritten } from '../ports/errno.ts'
import { flushDirectory, makeDirectories } from '../ports/folders.ts'

/** Writes a file whole or not at all, and never over another: a link refuses where a rename would replace. */
export async function writeNew(path: string, text: string): Promise<void> {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`)
  try {
    makeDirectories(dirname(path))
    const handle = await open(part, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(part, path)
    await flushDirectory(dirname(path))
  } catch (error) {
    if (errnoOf(error) === 'EEXIST')
      throw new UsageError(`${path} exists already, and is left as it is`, { cause: error })
    throw unwritten(basename(path), path, error)
  } finally {
    await rm(part, { force: true })
  }
}
