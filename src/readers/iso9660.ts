// ISO 9660 read from the image itself: RockRidge, Joliet or plain, with the place of every file; no root, no tool.
//
// The order of preference is the kernel's: RockRidge, else Joliet, else plain names. What only Joliet names is listed as well:
// files that were hidden from Unix, or whose directory can no longer be read.
import type { Entry, EntryError, EntryType, Volume } from '../model/entry.ts'
import { RunError } from '../model/errors.ts'
import type { Place, Range, Reader } from '../model/world.ts'
import {
  fieldsOf,
  nameOf,
  parseRecords,
  rockRidgeOf,
  skipOf,
  type IsoRecord,
  type RockRidge,
  type Side,
} from './iso-records.ts'
import { Pages } from './pages.ts'
import { byRanges, joinPath, type FsReader } from './reader.ts'

const sector = 2048
/** Entries without bytes of their own are numbered by the place of their record, out of the way of block numbers. */
const byRecord = 1n << 40n
/** Directories are small; a record that says otherwise is damaged. */
const mostDirectoryBytes = 1 << 28

export const iso9660: FsReader = {
  name: 'iso9660',
  // Of a disc that is UDF as well, the ISO 9660 side.
  reads: ({ type }) => type === 'iso9660' || type === 'udf',
  version: () => Promise.resolve('1'),
  list,
  contents: byRanges,
}

interface Tree {
  readonly side: Side
  readonly root: IsoRecord
  readonly blockBytes: number
  /** Bytes to pass over in each system use area. */
  readonly skip: number
}

async function* list(
  image: Place,
  volume: Volume,
  world: Reader,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const pages = new Pages(image, volume.start, world)
  const { main, joliet } = await findTrees(pages)
  const known = new Known()
  const walk = new Walk(main, volume.start, pages, known)
  yield* walk.all()
  if (joliet === null || main.side === 'joliet') return
  // The second side only for what the first does not name.
  let only = 0
  for await (const batch of new Walk(joliet, volume.start, pages, new Known()).all()) {
    const more = batch.filter((found) => 'type' in found && found.type === 'f' && known.isNews(found))
    only += more.length
    if (more.length > 0) yield more
  }
  if (only > 0) world.line(`${only} files are named only on the Joliet side; they are listed by those names`)
}

/** Reads the volume descriptors; throws RunError where there is none of ISO 9660. */
async function findTrees(pages: Pages): Promise<{ readonly main: Tree; readonly joliet: Tree | null }> {
  let primary: Tree | null = null
  let joliet: Tree | null = null
  for (let at = 16 * sector; ; at += sector) {
    const block = await pages.bytes(at, sector)
    const type = block.readUInt8(0)
    if (block.toString('latin1', 1, 6) !== 'CD001' || type === 255 || at > 1024 * sector) break
    if (type !== 1 && type !== 2) continue
    const [root] = parseRecords(block.subarray(156, 190))
    const blockBytes = block.readUInt16LE(128)
    if (root === undefined || blockBytes < 512) throw new RunError('the volume descriptor makes no sense')
    const tree: Tree = { side: 'plain', root, blockBytes, skip: 0 }
    if (type === 1) primary ??= tree
    else if (/^%\/[@CE]/.test(block.toString('latin1', 88, 91))) joliet ??= { ...tree, side: 'joliet' }
  }
  if (primary === null) throw new RunError('there is no volume descriptor of ISO 9660')
  const { root, blockBytes } = primary
  const [self] = parseRecords(await pages.bytes(root.block * blockBytes, sector))
  const skip = self === undefined ? null : skipOf(self.systemUse)
  if (skip !== null) return { main: { ...primary, side: 'rockridge', skip }, joliet }
  return { main: joliet ?? primary, joliet }
}

/** Which contents were named already, by where they begin. */
class Known {
  readonly #sizes = new Map<number, number>()

  /** Takes note of a file; false where another of a different size begins at the same place. */
  take(block: number, size: number): boolean {
    const known = this.#sizes.get(block)
    if (known === undefined) this.#sizes.set(block, size)
    return known === undefined || known === size
  }

  isNews({ ino, size }: Entry): boolean {
    return size > 0 && ino < byRecord && !this.#sizes.has(Number(ino))
  }
}

type Found = Entry | EntryError

class Walk {
  readonly #tree: Tree
  readonly #start: number
  readonly #pages: Pages
  readonly #known: Known
  readonly #entered = new Set<number>()

  constructor(tree: Tree, start: number, pages: Pages, known: Known) {
    this.#tree = tree
    this.#start = start
    this.#pages = pages
    this.#known = known
  }

  async *all(): AsyncGenerator<readonly Found[]> {
    const { root } = this.#tree
    const bytes = await this.#content(root)
    const [self] = parseRecords(bytes.subarray(0, sector))
    if (self === undefined || !isSelf(self, root)) throw new RunError('the root directory cannot be read')
    const ridge = await this.#ridge(self, self.systemUse.subarray(0))
    yield [this.#entry(self, ridge, Buffer.alloc(0), [root], root.block * this.#tree.blockBytes)]
    yield* this.#below(Buffer.alloc(0), root)
  }

  async *#below(path: Buffer, directory: IsoRecord): AsyncGenerator<readonly Found[]> {
    if (this.#entered.has(directory.block)) {
      yield [unreadable(path, 'it was met before: directories run in a circle')]
      return
    }
    this.#entered.add(directory.block)
    const records = await this.#records(directory)
    if (typeof records === 'string') {
      yield [unreadable(path, records)]
      return
    }
    const out: Found[] = []
    /** A file in several extents comes as several records. */
    let parts: IsoRecord[] = []
    for (const record of records) {
      if (record.id.length === 1 && (record.id[0] ?? 2) < 2) continue
      if (record.isAssociated) continue
      parts.push(record)
      if (record.goesOn) continue
      const [first = record] = parts
      const ridge = await this.#ridge(first, first.systemUse.subarray(this.#tree.skip))
      const name = ridge?.name ?? nameOf(first.id, this.#tree.side === 'joliet' ? 'joliet' : 'plain')
      const inside = joinPath(path, mended(name))
      const place = directory.block * this.#tree.blockBytes + first.at
      const entry = this.#entry(first, ridge, inside, parts, place)
      parts = []
      // It stands here only because of its depth, and is listed where it belongs.
      if (ridge?.isMoved === true) continue
      out.push(entry)
      if (first.isInterleaved)
        out.push({ error: 'content', path: inside, message: 'it is interleaved with others' })
      if (entry.type !== 'd') continue
      yield out.splice(0)
      yield* this.#below(inside, ridge?.movedTo == null ? first : await this.#moved(first, ridge.movedTo))
    }
    yield out
  }

  /** The records of a directory, or why they cannot be read. */
  async #records(directory: IsoRecord): Promise<readonly IsoRecord[] | string> {
    try {
      const bytes = await this.#content(directory)
      const records = parseRecords(bytes)
      const [self] = records
      if (self === undefined || !isSelf(self, directory))
        return 'it does not begin with itself: names below it are missing'
      return hasGap(bytes) ? 'a part of it is empty: names below it are missing' : records
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      return `${error.message}: names below it are missing`
    }
  }

  #content({ block, bytes }: IsoRecord): Promise<Buffer> {
    if (bytes > mostDirectoryBytes) throw new RunError(`a directory of ${bytes} bytes`)
    return this.#pages.bytes(block * this.#tree.blockBytes, bytes)
  }

  /** A directory that was too deep lies elsewhere; how long it is stands in its own first record. */
  async #moved(record: IsoRecord, block: number): Promise<IsoRecord> {
    const [self] = parseRecords(await this.#pages.bytes(block * this.#tree.blockBytes, sector))
    return { ...record, block, bytes: self?.bytes ?? 0, isDirectory: true }
  }

  async #ridge(record: IsoRecord, area: Buffer): Promise<RockRidge | null> {
    if (this.#tree.side !== 'rockridge') return null
    const fields = await fieldsOf(area, (block, offset, length) =>
      this.#pages.bytes(block * this.#tree.blockBytes + offset, length),
    )
    const ridge = rockRidgeOf(fields)
    // The bytes on the disc are not those of the file: libarchive knows how to unpack them.
    if (ridge.isCompressed && !record.isDirectory)
      throw new RunError('the disc has compressed files (zisofs)')
    return ridge
  }

  #entry(
    record: IsoRecord,
    ridge: RockRidge | null,
    path: Buffer,
    parts: readonly IsoRecord[],
    place: number,
  ): Entry {
    const { blockBytes } = this.#tree
    const mode = ridge?.mode ?? null
    const isDirectory = record.isDirectory || ridge?.movedTo != null
    const type = isDirectory ? 'd' : mode === null ? 'f' : (types[mode >>> 12] ?? '?')
    const size = type === 'f' ? parts.reduce((sum, { bytes }) => sum + bytes, 0) : 0
    const ranges: readonly Range[] = parts
      .filter(({ bytes }) => bytes > 0)
      .map(({ block, bytes }) => {
        const start = this.#start + block * blockBytes
        return { start, end: start + bytes }
      })
    const own = type === 'd' || (size > 0 && this.#known.take(record.block, size))
    const target = type === 'l' ? (ridge?.target ?? null) : null
    return {
      type,
      path,
      ino: own ? BigInt(ridge?.movedTo ?? record.block) : byRecord + BigInt(place),
      nlink: ridge?.nlink ?? 1,
      size: target === null ? size : target.length,
      mtimeNs: ridge?.mtimeNs ?? record.mtimeNs,
      mode: mode === null ? null : mode & 0o7777,
      uid: mode === null ? null : (ridge?.uid ?? null),
      gid: mode === null ? null : (ridge?.gid ?? null),
      rdev: type === 'b' || type === 'c' ? (ridge?.rdev ?? 0n) : 0n,
      target,
      extents: type === 'f' || type === 'd' ? joined(ranges) : null,
    }
  }
}

const types: Readonly<Record<number, EntryType>> = {
  0o10: 'f',
  0o04: 'd',
  0o12: 'l',
  0o06: 'b',
  0o02: 'c',
  0o01: 'p',
  0o14: 's',
}

/** A directory begins with a record of itself. */
const isSelf = (self: IsoRecord, directory: Pick<IsoRecord, 'block'>): boolean =>
  self.id.length === 1 && self.id[0] === 0 && self.isDirectory && self.block === directory.block

/** A sector without a record, and one with some after it: something was there. */
function hasGap(bytes: Buffer): boolean {
  let empty = false
  for (let at = 0; at < bytes.length; at += sector) {
    if (bytes[at] === 0) empty = true
    else if (empty) return true
  }
  return false
}

/** Extents that follow on one another are one. */
function joined(ranges: readonly Range[]): readonly Range[] {
  const found: { start: number; end: number }[] = []
  for (const { start, end } of ranges) {
    const last = found.at(-1)
    if (last?.end === start) last.end = end
    else found.push({ start, end })
  }
  return found
}

/** A slash or a zero in a damaged name would make another path of it. */
const mended = (name: Buffer): Buffer =>
  name.includes(0x2f) || name.includes(0)
    ? Buffer.from(name.map((byte) => (byte === 0x2f || byte === 0 ? 0x5f : byte)))
    : Buffer.from(name)

const unreadable = (path: Buffer, message: string): EntryError => ({
  error: 'unreadable-directory',
  path,
  message,
})
