// In a thread of the store: contents read once, hashed on the way, written to temporary files, and given their names. Synchronous calls.
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash'
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  type BigIntStats,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../model/errors.ts'
import { blobPath, slabBytes, type Kept, type Read } from './jobs.ts'
import { Memory, PieceFile, openPieces } from './pieces.ts'
import { Source, Unreadable, openImage, openLive, openTree, sizeChanged } from './source.ts'
import { Temp, WriteFailure, writeAll } from './temp.ts'

/** Awaited again and again while a content is read, with the bytes of it that were gone through. */
export type Onward = (bytes: number) => Promise<void>

/** The store as one thread writes it. */
export class Keeper {
  readonly #root: string
  readonly #thread: string
  readonly #buffer = Buffer.allocUnsafeSlow(slabBytes + 1)
  readonly #memory = new Memory()
  readonly #folders = new Set<string>()
  /** Below which folder there is one of this thread's own: two that make files in one wait for each other. */
  #own = ''
  #temps = 0
  /** A umask, or the rules of the store's directory, take from the mode that is asked for; null: not looked at yet. */
  #masksFiles: boolean | null = null
  #masksFolders: boolean | null = null
  constructor(root: string, thread: string) {
    this.#root = root
    this.#thread = thread
  }

  /** `open`: images and roots that are open already, by path; `onward` is told of each slab of a large content. */
  async read(folder: string, one: Read, open: Map<string, number>, onward: Onward): Promise<Kept> {
    try {
      return one.root === null
        ? await this.#keep(folder, one, openImage(one.path, open), onward)
        : await this.#readLive(folder, one, openTree(one.root, open), onward)
    } catch (error) {
      if (error instanceof Unreadable) return { class: error.class, message: error.message }
      throw error
    }
  }

  async #readLive(folder: string, one: Read, root: number, onward: Onward): Promise<Kept> {
    const fd = openLive(root, one.path)
    try {
      const before = fstatSync(fd, { bigint: true })
      if (!before.isFile()) throw new Unreadable('not-a-file', 'it is no longer a file')
      if (Number(before.size) !== one.size) throw sizeChanged(one.size, Number(before.size))
      if (one.mtimeNs !== null && before.mtimeNs !== one.mtimeNs)
        throw new Unreadable('changed', 'it was written to since it was enumerated')
      const kept = await this.#keep(folder, one, fd, onward)
      if (!isChanged(before, fstatSync(fd, { bigint: true }))) return kept
      if ('temp' in kept && kept.temp !== null) rmSync(join(this.#root, kept.temp))
      throw new Unreadable('changed', 'it was written to while it was read')
    } finally {
      closeSync(fd)
    }
  }

  async #keep(folder: string, one: Read, fd: number, onward: Onward): Promise<Kept> {
    const source = new Source(fd, one)
    if (one.size <= slabBytes) {
      const filled = source.fill(this.#buffer)
      if (filled !== one.size) throw sizeChanged(one.size, filled)
      return this.keep(folder, this.#buffer.subarray(0, filled))
    }
    if (one.known) {
      const blob = await this.#hashOf(source, one.size, onward)
      if (this.holds(blob, one.size)) return { blob, bytes: one.size, temp: null }
      source.rewind()
    }
    const temp = this.open(folder)
    try {
      for (;;) {
        const filled = await temp.add((memory) => source.fill(memory))
        if (filled === 0) break
        await onward(temp.bytes)
      }
      if (temp.bytes !== one.size) throw sizeChanged(one.size, temp.bytes)
      return await temp.close()
    } catch (error) {
      await temp.drop()
      throw error
    }
  }

  async #hashOf(source: Source, size: number, onward: Onward): Promise<string> {
    const hasher = new Blake3Hasher()
    let bytes = 0
    for (;;) {
      const filled = source.fill(this.#buffer.subarray(0, slabBytes))
      if (filled === 0) break
      hasher.update(this.#buffer.subarray(0, filled))
      bytes += filled
      await onward(bytes)
    }
    if (bytes !== size) throw sizeChanged(size, bytes)
    return hasher.digest('hex')
  }

  /** A content that is whole in memory. */
  keep(folder: string, content: Buffer): Kept {
    const blob = blake3(content).toString('hex')
    const bytes = content.length
    if (this.holds(blob, bytes)) return { blob, bytes, temp: null }
    const { O_CREAT, O_EXCL, O_WRONLY } = constants
    const { fd, name } = this.#create(folder, (path) => openSync(path, O_CREAT | O_EXCL | O_WRONLY, 0o444))
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
    const found = lookAt(this.#root, blob)
    return found !== undefined && found.isFile() && found.size === bytes
  }

  /** A new temporary file for a content that comes in parts. */
  open(folder: string): Temp {
    const { fd, name } = this.#create(folder, (path) => openPieces(path, 0o444))
    const file = new PieceFile(`${this.#root}/${name}`, fd, this.#memory)
    return new Temp((blob, bytes) => this.holds(blob, bytes), this.#root, name, file)
  }

  #create(folder: string, open: (path: string) => number): { fd: number; name: string } {
    this.#temps += 1
    const own = `${folder}/${this.#thread}`
    const name = `${own}/${this.#temps}`
    try {
      if (own !== this.#own) mkdirSync(`${this.#root}/${own}`, { recursive: true, mode: 0o755 })
      this.#own = own
      const fd = open(`${this.#root}/${name}`)
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

/** What lies under the name of a blob; a file above it is as good as nothing. */
export function lookAt(root: string, blob: string): Stats | undefined {
  try {
    return lstatSync(`${root}/${blobPath(blob)}`, { throwIfNoEntry: false })
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

const hasMode = ({ mode }: Stats, wanted: number): boolean => (mode & 0o777) === wanted

/** Who writes may set the time of it back, but not the time of that. */
const isChanged = (before: BigIntStats, after: BigIntStats): boolean =>
  before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs
