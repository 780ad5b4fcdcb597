// Flushes of the store: what was written before one is durable when it has ended, or it says that it is not.
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { StoreError, messageOf } from '../../model/errors.ts'
import { unseen, unwritten } from '../errno.ts'
import { libc } from '../libc.ts'

/** @param root absolute path of the store, which is there */
export async function openBarrier(root: string): Promise<Barrier> {
  const watched = await open(root, constants.O_RDONLY | constants.O_DIRECTORY).catch((error: unknown) => {
    throw unseen(`open ${root}`, error)
  })
  return new Barrier(root, watched)
}

/** Flushes of the store, shared by all who wait for one; each begins after they asked. */
export class Barrier {
  readonly #root: string
  /** The store's directory, open since before anything was written: the kernel tells errors of writing since then. */
  readonly #watched: FileHandle
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  /** The kernel tells an error once, and not whose bytes it lost: from then on nothing here is durable. */
  #failed: unknown = null
  constructor(root: string, watched: FileHandle) {
    this.#root = root
    this.#watched = watched
  }

  pass(): Promise<void> {
    return (this.#next ??= this.#flush(this.#running))
  }

  /** Only when nothing passes any more. */
  async close(): Promise<void> {
    await this.#watched.close()
  }

  async #flush(running: Promise<void> | null): Promise<void> {
    await running?.catch(() => undefined)
    this.#running = this.#next
    this.#next = null
    if (this.#failed !== null) throw this.#failed
    try {
      await this.#sync()
    } catch (error) {
      this.#failed = error
      throw error
    }
  }

  /** By syncfs, else by sync(1), which is told less about errors. Another thread waits for the disk meanwhile. */
  async #sync(): Promise<void> {
    const [now, then] = await Promise.all([stat(this.#root), this.#watched.stat()]).catch(
      (error: unknown) => {
        throw unseen(`read ${this.#root}`, error)
      },
    )
    if (now.dev !== then.dev || now.ino !== then.ino)
      throw this.#broken('it is no longer the directory that it was when the run began')
    const errno = await libc()?.syncfsBeside(this.#watched.fd)
    if (errno === 0) return
    if (errno !== undefined)
      throw unwritten('by-hash:', this.#root, Object.assign(new Error(`syncfs: ${errno}`), { code: errno }))
    try {
      await promisify(execFile)('sync', ['--file-system', this.#root])
    } catch (error) {
      throw this.#broken(messageOf(error), error)
    }
  }

  #broken(text: string, cause?: unknown): StoreError {
    return new StoreError(`cannot write by-hash: (${this.#root}): ${text}`, { cause })
  }
}
