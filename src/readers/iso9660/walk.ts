// The walk over one side of an ISO 9660 disc: every record of every directory as an entry, from the root down.
import { typeOfMode, type Entry, type EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Range } from '../../model/world.ts'
import { beginsUnread, contentOf, isSelf, recordsOf } from './directory.ts'
import { byRecord, Named } from './named.ts'
import { fieldsOf, nameOf, parseRecords, rockRidgeOf, type IsoRecord, type RockRidge } from './records.ts'
import type { Tree } from './trees.ts'
import { badName, metBefore, missingContent, missingNames, unlessUnread } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { push } from '../ranges.ts'
import { joinPath, unreadNames } from '../reader.ts'
import { mend } from '../utf16.ts'

const sector = 2048

type Found = Entry | EntryError

export class Walk {
  readonly #tree: Tree
  readonly #start: number
  readonly #pages: Pages
  readonly #named: Named
  readonly #entered = new Set<number>()

  constructor(tree: Tree, start: number, pages: Pages, named: Named) {
    this.#tree = tree
    this.#start = start
    this.#pages = pages
    this.#named = named
  }

  async *all(): AsyncGenerator<readonly Found[]> {
    const { root } = this.#tree
    const { bytes, unread } = await contentOf(root, this.#placeOf(root.block), this.#pages)
    const isUnread = beginsUnread(unread, this.#placeOf(root.block))
    const [first] = parseRecords(bytes.subarray(0, isUnread ? 0 : sector))
    const self = isUnread ? root : first
    if (self === undefined || !(isUnread || isSelf(self, root)))
      throw new RunError('the root directory cannot be read')
    const { ridge } = await this.#ridge(self, self.systemUse.subarray(0))
    yield [this.#entry(self, ridge, Buffer.alloc(0), [root], root.block * this.#tree.blockBytes)]
    yield* this.#below(Buffer.alloc(0), root)
  }

  async *#below(path: Buffer, directory: IsoRecord): AsyncGenerator<readonly Found[]> {
    if (this.#entered.has(directory.block)) {
      yield [missingNames(path, metBefore)]
      return
    }
    this.#entered.add(directory.block)
    const { records, fault, unread } = await recordsOf(directory, this.#placeOf(directory.block), this.#pages)
    const out: Found[] = unread.length > 0 ? [unreadNames(path, unread)] : []
    if (fault !== null) out.push(missingNames(path, `${fault}: names below it are missing`))
    /** A file in several extents comes as several records. */
    let parts: IsoRecord[] = []
    for (const record of records) {
      if (record.id.length === 1 && (record.id[0] ?? 2) < 2) continue
      parts.push(record)
      if (record.goesOn) continue
      const [first = record] = parts
      const { ridge, lost } = await this.#ridge(first, first.systemUse.subarray(this.#tree.skip))
      const name = ridge?.name ?? nameOf(first.id, this.#tree.side === 'joliet' ? 'joliet' : 'plain')
      const mended = mend(name)
      // What the Macintosh keeps beside a file under the same name is content like any other.
      const fork = Buffer.from(first.isAssociated ? ':rsrc' : '')
      const inside = Buffer.concat([joinPath(path, mended ?? Buffer.from(name)), fork])
      const place = directory.block * this.#tree.blockBytes + first.at
      const entry = this.#entry(first, ridge, inside, parts, place)
      parts = []
      // It stands here only because of its depth, and is listed where it belongs.
      if (ridge?.isMoved === true || (first.isAssociated && entry.size === 0)) continue
      out.push(entry)
      if (mended !== null) out.push(badName(inside))
      if (lost !== null) {
        const message = `names may be others: of what RockRidge says of one, ${lost}`
        out.push({ error: 'EIO', path, message })
      }
      if (first.isInterleaved) out.push(missingContent(inside, 'it is interleaved with others'))
      if (entry.type !== 'd') continue
      yield out.splice(0)
      const there = ridge?.movedTo == null ? first : await this.#moved(first, ridge.movedTo)
      if (there === null) yield [unreadNames(inside, [this.#sectorAt(ridge?.movedTo ?? 0)])]
      else yield* this.#below(inside, there)
    }
    yield out
  }

  #placeOf(block: number): number {
    return this.#start + block * this.#tree.blockBytes
  }

  #sectorAt(block: number): Range {
    const start = this.#placeOf(block)
    return { start, end: start + sector }
  }

  /** A directory that was too deep lies elsewhere; how long it is stands in its own first record. null: that was never read. */
  async #moved(record: IsoRecord, block: number): Promise<IsoRecord | null> {
    const records = await this.#pages
      .bytes(block * this.#tree.blockBytes, sector)
      .then(parseRecords, unlessUnread)
    return records === null ? null : { ...record, block, bytes: records[0]?.bytes ?? 0, isDirectory: true }
  }

  /** `lost`: a part of what RockRidge says was never read. */
  async #ridge(
    record: IsoRecord,
    area: Buffer,
  ): Promise<{ readonly ridge: RockRidge | null; readonly lost: string | null }> {
    if (this.#tree.side !== 'rockridge') return { ridge: null, lost: null }
    let lost: string | null = null
    const fields = await fieldsOf(area, async (block, offset, length) => {
      try {
        return await this.#pages.bytes(block * this.#tree.blockBytes + offset, length)
      } catch (error) {
        if (!(error instanceof UnreadError)) throw error
        lost = error.message
        return Buffer.alloc(0)
      }
    })
    const ridge = rockRidgeOf(fields)
    // The bytes on the disc are not those of the file: libarchive knows how to unpack them.
    if (ridge.isCompressed && !record.isDirectory)
      throw new RunError('the disc has compressed files (zisofs)')
    return { ridge, lost }
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
    const type = isDirectory ? 'd' : mode === null ? 'f' : typeOfMode(mode)
    const size = type === 'f' ? parts.reduce((sum, { bytes }) => sum + bytes, 0) : 0
    const ranges: { start: number; end: number }[] = []
    for (const { block, bytes } of parts) {
      const start = this.#start + block * blockBytes
      if (bytes > 0) push(ranges, { start, end: start + bytes })
    }
    const own =
      type === 'd' ? this.#named.enter(record.block) : size > 0 && this.#named.take(record.block, size)
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
      extents: type === 'f' || type === 'd' ? ranges : null,
    }
  }
}
