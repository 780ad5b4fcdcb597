// A temporary file of the store: a content that comes in parts, hashed on its way; and how anything is written to the store.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { slabBytes, type Kept } from './jobs.ts'
import type { PieceFile } from './pieces.ts'

/** A write to the store failed: the run ends. */
export class WriteFailure extends Error {
  readonly path: string
  constructor(path: string, cause: unknown) {
    super(`cannot write ${path}`, { cause })
    this.path = path
  }
}

/** Whether the store has a content of this name and so many bytes. */
type Holds = (blob: string, bytes: number) => boolean

/** A temporary file that grows. What is asked of it is done in the order in which it was asked. */
export class Temp {
  bytes = 0
  readonly #hasher = new Blake3Hasher()
  readonly #holds: Holds
  readonly #path: string
  readonly #name: string
  readonly #file: PieceFile
  #last: Promise<unknown> = Promise.resolve()
  #isOpen = true
  constructor(holds: Holds, root: string, name: string, file: PieceFile) {
    this.#holds = holds
    this.#path = join(root, name)
    this.#name = name
    this.#file = file
  }

  /** Adds what `fill` puts into a piece of memory; resolves with how many bytes that were, while they are still being written. */
  add(fill: (memory: Buffer) => number): Promise<number> {
    return this.#next(async () => {
      const piece = await this.#writing(() => this.#file.space())
      let filled = 0
      let isKept = false
      try {
        filled = fill(piece)
        const content = piece.subarray(0, filled)
        this.#hasher.update(content)
        // A disk image of mostly nothing takes no more room here than it did where it lay.
        isKept = filled > 0 && !isZero(content)
      } finally {
        if (!isKept) this.#file.unused(piece)
      }
      if (isKept) this.#file.write(piece, filled, this.bytes)
      this.bytes += filled
      return filled
    })
  }

  close(): Promise<Kept> {
    return this.#next(async () => {
      const blob = this.#hasher.digest('hex')
      const isKnown = this.#holds(blob, this.bytes)
      await this.#close()
      if (isKnown) rmSync(this.#path, { force: true })
      return { blob, bytes: this.bytes, temp: isKnown ? null : this.#name }
    })
  }

  /** Whatever became of it before. */
  async drop(): Promise<void> {
    await this.#last.catch(() => undefined)
    // The file goes, so it does not matter how it was written.
    await this.#close().catch(() => undefined)
    rmSync(this.#path, { force: true })
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.#writing(() => this.#file.close(this.bytes))
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn
    // Whoever asked is told.
    turn.catch(() => undefined)
    return turn
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw new WriteFailure(this.#name, error)
    }
  }
}

export function writeAll(fd: number, content: Buffer, at: number): void {
  for (let written = 0; written < content.length;)
    written += writeSync(fd, content, written, content.length - written, at + written)
}

const zeros = Buffer.alloc(slabBytes)

const isZero = (chunk: Buffer): boolean =>
  chunk[0] === 0 && chunk.length <= zeros.length && chunk.equals(zeros.subarray(0, chunk.length))
