// In a thread of the store: contents read once, hashed on the way, written to temporary files. Synchronous calls.
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash'
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type BigIntStats,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../model/errors.ts'
import { libc } from '../libc.ts'
import { openBeneath, openRoot } from '../open-beneath.ts'
import { blobPath, slabBytes, type FailureClass, type Kept, type Read } from './jobs.ts'

/** How much of a large file is handed to the disk at a time, so that the flush at the end finds little to do. */
const writebackBytes = 8 * 1024 * 1024
/** How much is done in one go before others get a turn. */
export const turnBytes = 32 * 1024 * 1024

/** A write to the store failed: the run ends. */
export class WriteFailure extends Error {
  readonly path: string
  constructor(path: string, cause: unknown) {
    super(`cannot write ${path}`, { cause })
    this.path = path
  }
}

/** A content that could not be had; told as its outcome. */
class Unreadable extends Error {
  readonly class: FailureClass
  constructor(kind: FailureClass, message: string) {
    super(message)
    this.class = kind
  }
}

const classes: Readonly<Record<string, FailureClass>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'permission',
  EPERM: 'permission',
  EIO: 'io',
  EBADMSG: 'io',
  EUCLEAN: 'io',
  ELOOP: 'not-a-file',
  ENXIO: 'not-a-file',
  EISDIR: 'not-a-file',
  ENAMETOOLONG: 'path',
}

/** Errors that say nothing about one file: the source has gone, or we have run out of something. */
const general = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ESTALE',
  'ENOTCONN',
  'ENODEV',
  'ENOMEDIUM',
  'ESHUTDOWN',
])

/** A failed call about one content as its outcome; what is not about it is given back as it is. */
function readFailure(error: unknown, doing: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || general.has(errno)) return error
  return new Unreadable(classes[errno] ?? 'unreadable', `${errno} ${doing}`)
}

const sizeChanged = (expected: number, found: number): Unreadable =>
  new Unreadable('size-changed', `${expected} bytes when it was enumerated, ${found} now`)

/** The store as one thread writes it. */
export class Keeper {
  readonly #root: string
  readonly #thread: number
  readonly #buffer = Buffer.allocUnsafeSlow(slabBytes + 1)
  readonly #folders = new Set<string>()
  /** Below which folder there is one of this thread's own: two that make files in one wait for each other. */
  #own = ''
  #temps = 0
  /** A umask, or the rules of the store's directory, take from the mode that is asked for; null: not looked at yet. */
  #masksFiles: boolean | null = null
  #masksFolders: boolean | null = null
  constructor(root: string, thread: number) {
    this.#root = root
    this.#thread = thread
  }

  /** `open`: images and roots that are open already, by path; `breathe` is awaited now and then within a large content. */
  async read(
    folder: string,
    one: Read,
    open: Map<string, number>,
    breathe: () => Promise<void>,
  ): Promise<Kept> {
    try {
      return one.root === null
        ? await this.#keep(folder, one, openImage(one.path, open), breathe)
        : await this.#readLive(folder, one, openTree(one.root, open), breathe)
    } catch (error) {
      if (error instanceof Unreadable) return { class: error.class, message: error.message }
      throw error
    }
  }

  async #readLive(folder: string, one: Read, root: number, breathe: () => Promise<void>): Promise<Kept> {
    const fd = openLive(root, one.path)
    try {
      const before = fstatSync(fd, { bigint: true })
      if (!before.isFile()) throw new Unreadable('not-a-file', 'it is no longer a file')
      if (Number(before.size) !== one.size) throw sizeChanged(one.size, Number(before.size))
      if (one.mtimeNs !== null && before.mtimeNs !== one.mtimeNs)
        throw new Unreadable('changed', 'it was written to since it was enumerated')
      const kept = await this.#keep(folder, one, fd, breathe)
      if (!isChanged(before, fstatSync(fd, { bigint: true }))) return kept
      if ('temp' in kept && kept.temp !== null) rmSync(join(this.#root, kept.temp))
      throw new Unreadable('changed', 'it was written to while it was read')
    } finally {
      closeSync(fd)
    }
  }

  async #keep(folder: string, one: Read, fd: number, breathe: () => Promise<void>): Promise<Kept> {
    const source = new Source(fd, one)
    if (one.size <= slabBytes) {
      const filled = source.fill(this.#buffer)
      if (filled !== one.size) throw sizeChanged(one.size, filled)
      return this.keep(folder, this.#buffer.subarray(0, filled))
    }
    if (one.known) {
      const blob = await this.#hashOf(source, one.size, breathe)
      if (this.holds(blob, one.size)) return { blob, bytes: one.size, temp: null }
      source.rewind()
    }
    const temp = this.open(folder)
    try {
      for (;;) {
        const filled = source.fill(this.#buffer.subarray(0, slabBytes))
        if (filled === 0) break
        temp.write(this.#buffer.subarray(0, filled))
        if (temp.bytes % turnBytes === 0) await breathe()
      }
      if (temp.bytes !== one.size) throw sizeChanged(one.size, temp.bytes)
      return temp.close()
    } catch (error) {
      temp.drop()
      throw error
    }
  }

  async #hashOf(source: Source, size: number, breathe: () => Promise<void>): Promise<string> {
    const hasher = new Blake3Hasher()
    let bytes = 0
    for (;;) {
      const filled = source.fill(this.#buffer.subarray(0, slabBytes))
      if (filled === 0) break
      hasher.update(this.#buffer.subarray(0, filled))
      bytes += filled
      if (bytes % turnBytes === 0) await breathe()
    }
    if (bytes !== size) throw sizeChanged(size, bytes)
    return hasher.digest('hex')
  }

  /** A content that is whole in memory. */
  keep(folder: string, content: Buffer): Kept {
    const blob = blake3(content).toString('hex')
    const bytes = content.length
    if (this.holds(blob, bytes)) return { blob, bytes, temp: null }
    const { fd, name } = this.#create(folder)
    try {
      writeAll(fd, content, 0)
      closeSync(fd)
    } catch (error) {
      throw new WriteFailure(name, error)
    }
    return { blob, bytes, temp: name }
  }

  /** Believed by its name and size: whoever gave it the name had hashed it, and made it durable before. */
  holds(blob: string, bytes: number): boolean {
    const found = lstatSync(`${this.#root}/${blobPath(blob)}`, { throwIfNoEntry: false })
    return found !== undefined && found.isFile() && found.size === bytes
  }

  /** A new temporary file for a content that comes in parts. */
  open(folder: string): Temp {
    const { fd, name } = this.#create(folder)
    return new Temp(this, this.#root, name, fd)
  }

  #create(folder: string): { fd: number; name: string } {
    this.#temps += 1
    const own = `${folder}/${this.#thread}`
    const name = `${own}/${this.#temps}`
    const { O_CREAT, O_EXCL, O_WRONLY } = constants
    try {
      if (own !== this.#own) mkdirSync(`${this.#root}/${own}`, { recursive: true, mode: 0o755 })
      this.#own = own
      const fd = openSync(`${this.#root}/${name}`, O_CREAT | O_EXCL | O_WRONLY, 0o444)
      this.#masksFiles ??= !hasMode(fstatSync(fd), 0o444)
      if (this.#masksFiles) fchmodSync(fd, 0o444)
      return { fd, name }
    } catch (error) {
      throw new WriteFailure(name, error)
    }
  }

  /** Gives temporary files their names. What lies there, if anything, is the same content or damaged. */
  name(names: readonly (readonly [temp: string, blob: string])[], drop: readonly string[]): void {
    for (const [temp, blob] of names) {
      try {
        this.#makeFolder(blob)
        renameSync(`${this.#root}/${temp}`, `${this.#root}/${blobPath(blob)}`)
      } catch (error) {
        throw new WriteFailure(blobPath(blob), error)
      }
    }
    for (const temp of drop) rmSync(join(this.#root, temp))
  }

  #makeFolder(blob: string): void {
    const key = blob.slice(0, 4)
    if (this.#folders.has(key)) return
    const first = `${this.#root}/${key.slice(0, 2)}`
    const second = `${first}/${key.slice(2)}`
    const made = mkdirSync(second, { recursive: true, mode: 0o755 })
    if (made !== undefined) this.#masksFolders ??= !hasMode(statSync(second), 0o755)
    if (made !== undefined && this.#masksFolders === true) chmodSync(second, 0o755)
    if (made === first && this.#masksFolders === true) chmodSync(first, 0o755)
    this.#folders.add(key)
  }
}

/** A temporary file that grows. */
export class Temp {
  bytes = 0
  readonly #hasher = new Blake3Hasher()
  readonly #keeper: Keeper
  readonly #path: string
  readonly #name: string
  #fd: number | null
  constructor(keeper: Keeper, root: string, name: string, fd: number) {
    this.#keeper = keeper
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
    if (this.#keeper.holds(blob, this.bytes)) {
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

/** The bytes of a content, from the ranges of a file or from its beginning to its end. */
class Source {
  readonly #fd: number
  readonly #size: number
  readonly #ranges: readonly number[]
  #range = 0
  #at = 0
  constructor(fd: number, { ranges, size }: Read) {
    this.#fd = fd
    this.#size = size
    // One byte more than expected, to see whether it has grown.
    this.#ranges = ranges ?? [0, size + 1]
  }

  rewind(): void {
    this.#range = 0
    this.#at = 0
  }

  /** Fills the buffer as far as there are bytes. */
  fill(buffer: Buffer): number {
    let filled = 0
    while (filled < buffer.length && this.#range < this.#ranges.length) {
      const start = this.#ranges[this.#range] ?? 0
      const end = this.#ranges[this.#range + 1] ?? 0
      const left = (start === -1 ? end : end - start) - this.#at
      const count = Math.min(left, buffer.length - filled)
      const got =
        start === -1 ? this.#zeros(buffer, filled, count) : this.#bytes(buffer, filled, count, start)
      this.#at += got
      filled += got
      if (got === left) {
        this.#range += 2
        this.#at = 0
        // It stopped where it should, though one byte more was asked for: no second read has to say so.
      } else if (got === 0 || this.#at === this.#size) return filled
    }
    return filled
  }

  #zeros(buffer: Buffer, from: number, count: number): number {
    buffer.fill(0, from, from + count)
    return count
  }

  #bytes(buffer: Buffer, from: number, count: number, start: number): number {
    if (count === 0) return 0
    try {
      return readSync(this.#fd, buffer, from, count, start + this.#at)
    } catch (error) {
      throw readFailure(error, `when byte ${start + this.#at} was read`)
    }
  }
}

/** A file of a medium that has become a link, or lies behind one now, is not followed, and a pipe is not waited for. */
function openLive(root: number, path: string): number {
  try {
    return openBeneath(root, Buffer.from(path, 'latin1'), constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw readFailure(error, 'when it was opened')
  }
}

/** An image that cannot be opened concerns all of its contents: that throws. */
function openImage(path: string, open: Map<string, number>): number {
  const fd =
    open.get(path) ?? openQuietly(Buffer.from(path, 'latin1'), constants.O_RDONLY, constants.O_NOATIME)
  open.set(path, fd)
  return fd
}

/** A tree whose root cannot be opened is gone: that throws. */
function openTree(root: string, open: Map<string, number>): number {
  const fd = open.get(root) ?? openRoot(root)
  open.set(root, fd)
  return fd
}

/** Without a trace on the access time, where that is ours to decide. */
export function openQuietly(path: Buffer | string, flags: number, quietly: number): number {
  try {
    return openSync(path, flags | quietly)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error
    return openSync(path, flags)
  }
}

const hasMode = ({ mode }: Stats, wanted: number): boolean => (mode & 0o777) === wanted

/** Who writes may set the time of it back, but not the time of that. */
const isChanged = (before: BigIntStats, after: BigIntStats): boolean =>
  before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs

function writeAll(fd: number, content: Buffer, at: number): void {
  for (let written = 0; written < content.length;)
    written += writeSync(fd, content, written, content.length - written, at + written)
}

const zeros = Buffer.alloc(slabBytes)

const isZero = (chunk: Buffer): boolean =>
  chunk[0] === 0 && chunk.length <= zeros.length && chunk.equals(zeros.subarray(0, chunk.length))
