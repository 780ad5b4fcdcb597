// A temporary file of the store: a content that comes in parts, hashed on its way; and how anything is written to the store.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { closeSync, ftruncateSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { libc } from '../libc.ts'
import { slabBytes, type Kept } from './jobs.ts'

/** How much of a large file is handed to the disk at a time, so that the flush at the end finds little to do. */
const writebackBytes = 8 * 1024 * 1024
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

/** A temporary file that grows. */
export class Temp {
  bytes = 0
  readonly #hasher = new Blake3Hasher()
  readonly #holds: Holds
  readonly #path: string
  readonly #name: string
  #fd: number | null
  constructor(holds: Holds, root: string, name: string, fd: number) {
    this.#holds = holds
    this.#path = join(root, name)
    this.#name = name
    this.#fd = fd
  }

  write(chunk: Buffer): void {
    if (this.#fd === null) throw new Error('written to after its end')
    this.#hasher.update(chunk)
    try {
      // A disk image of mostly nothing takes no more room here than it did where it lay.
      if (!isZero(chunk)) writeAll(this.#fd, chunk, this.bytes)
    } catch (error) {
      throw new WriteFailure(this.#name, error)
    }
    const before = Math.floor(this.bytes / writebackBytes)
    this.bytes += chunk.length
    const after = Math.floor(this.bytes / writebackBytes)
    // Only to spare time later; the barrier tells what goes wrong.
    if (after > before)
      libc()?.startWriteback(this.#fd, before * writebackBytes, (after - before) * writebackBytes)
  }

  close(): Kept {
    const blob = this.#hasher.digest('hex')
    if (this.#holds(blob, this.bytes)) {
      this.drop()
      return { blob, bytes: this.bytes, temp: null }
    }
    this.#close()
    return { blob, bytes: this.bytes, temp: this.#name }
  }

  drop(): void {
    this.#close()
    rmSync(this.#path, { force: true })
  }

  #close(): void {
    const fd = this.#fd
    this.#fd = null
    if (fd === null) return
    try {
      ftruncateSync(fd, this.bytes)
      closeSync(fd)
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
