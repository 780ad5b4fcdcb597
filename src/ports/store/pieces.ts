// A new file of the store that is written piece by piece, past the page cache and some pieces at a time where the disk can do that.
import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, rmSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { errnoOf } from '../../model/errors.ts'
import { libc } from '../libc.ts'
import { slabBytes } from './jobs.ts'

/** What O_DIRECT wants of memory, offsets and lengths: no device has larger logical blocks (open(2), NOTES). */
const blockBytes = 4096
/** So many pieces are on their way to the disk while the next one is read and hashed. */
const mostUnderWay = 2
const mostIdle = 8

const pwrite = promisify(write)

/** The pieces of memory of one thread, each used again and again. */
export class Memory {
  readonly #idle: Buffer[] = []

  take(): Buffer {
    return this.#idle.pop() ?? aligned()
  }

  give(piece: Buffer): void {
    if (this.#idle.length < mostIdle) this.#idle.push(piece)
  }
}

/** A piece of `slabBytes` at an address that a disk can take it from; where nobody tells addresses, at any. */
function aligned(): Buffer {
  const memory = new ArrayBuffer(slabBytes + blockBytes)
  const beyond = Number((libc()?.addressOf(memory) ?? 0n) % BigInt(blockBytes))
  return Buffer.from(memory, (blockBytes - beyond) % blockBytes, slabBytes)
}

/**
 * Opens a new file for pieces. Past the page cache a large file takes no memory of other programs, and a quarter of the processor
 * time; a filesystem that cannot do that says EINVAL, now or when it is written to.
 */
export function openPieces(path: string, mode: number): number {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY
  try {
    return openSync(path, flags | constants.O_DIRECT, mode)
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error
    // It was made before it was refused.
    rmSync(path, { force: true })
    return openSync(path, flags, mode)
  }
}

export class PieceFile {
  readonly #path: string
  readonly #fd: number
  readonly #memory: Memory
  #writing: Promise<void>[] = []
  /** The same file through the page cache. */
  #usual: number | null = null
  constructor(path: string, fd: number, memory: Memory) {
    this.#path = path
    this.#fd = fd
    this.#memory = memory
  }

  /** Memory for the next piece, to be given to `write` or `unused`. Throws what an earlier piece could not be written for. */
  async space(): Promise<Buffer> {
    if (this.#writing.length >= mostUnderWay) await this.#writing.shift()
    return this.#memory.take()
  }

  unused(piece: Buffer): void {
    this.#memory.give(piece)
  }

  /** Begins to write the first `bytes` of a piece; only the last piece of a file may be shorter than the others. */
  write(piece: Buffer, bytes: number, at: number): void {
    const whole = Math.ceil(bytes / blockBytes) * blockBytes
    piece.fill(0, bytes, whole)
    const ended = this.#put(piece, whole, at).finally(() => this.#memory.give(piece))
    // It is awaited later; until then its failure is nobody's surprise.
    ended.catch(() => undefined)
    this.#writing.push(ended)
  }

  async #put(piece: Buffer, bytes: number, at: number): Promise<void> {
    for (let written = 0; written < bytes;) {
      const fd = this.#usual ?? this.#fd
      try {
        const { bytesWritten } = await pwrite(fd, piece, written, bytes - written, at + written)
        // What is left of a block that was begun is written with it once more.
        written += bytesWritten - (bytesWritten % blockBytes)
        if (bytesWritten < blockBytes)
          throw Object.assign(new Error(`${bytesWritten} bytes were written`), { code: 'ENOSPC' })
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL' || fd !== this.#fd) throw error
        this.#usual ??= this.#reopened()
      }
    }
  }

  /** Only root may open a file for writing that its mode lets nobody write to. */
  #reopened(): number {
    const { mode } = fstatSync(this.#fd)
    fchmodSync(this.#fd, mode | 0o200)
    try {
      return openSync(this.#path, constants.O_WRONLY)
    } finally {
      fchmodSync(this.#fd, mode)
    }
  }

  /** Waits for every piece, gives the file its length, closes it. Throws what a piece could not be written for. */
  async close(bytes: number): Promise<void> {
    const ends = await Promise.allSettled(this.#writing)
    this.#writing = []
    try {
      for (const end of ends) if (end.status === 'rejected') throw end.reason
      ftruncateSync(this.#fd, bytes)
    } finally {
      if (this.#usual !== null) closeSync(this.#usual)
      closeSync(this.#fd)
    }
  }
}
