// FAT12, FAT16 and FAT32 read from the image itself: every name as it is stored, every cluster where it lies; no root, no tool.
//
// The tools at hand each lose something: sleuthkit prints `^` for what is not ASCII in a short name, the kernel makes up inode
// numbers at each mount, 7-Zip drops a directory that it cannot read without a word.
import { nobody, type Entry, type EntryError, type Volume } from '../../model/entry.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { beginsWithItself, parseEntries, type FatEntry } from './entries.ts'
import { FatTable, parseBootSector, type Chain, type FatLayout } from './layout.ts'
import { badName, metBefore, missingContent, missingNames, orNothing, unnamed } from '../faults.ts'
import { Pages } from '../pages.ts'
import { placeIn, slice } from '../ranges.ts'
import { byRanges, joinPath, unreadNames, type FsReader } from '../reader.ts'

/** A directory has at most 65,536 entries. */
const mostDirectoryBytes = 65_536 * 32

export const fat: FsReader = {
  name: 'fat',
  reads: ({ type }) => type === 'vfat',
  version: () => Promise.resolve('1'),
  list,
  contents: byRanges,
}

async function* list(
  image: Place,
  volume: Volume,
  world: Reader,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const pages = new Pages(image, volume.start, world)
  const layout = parseBootSector(await pages.bytes(0, 512))
  const walk = new Walk(layout, volume, pages)
  yield* walk.all()
  const { used, lost } = await walk.lost()
  const message = `${lost} of ${used} clusters in use belong to no entry`
  // A root that was wiped looks like one that is empty; the table knows better.
  if (lost > used / 2 && !walk.isBroken)
    yield [missingNames(Buffer.alloc(0), `${message}: names are missing`)]
  else if (lost > 0 && !walk.isBroken) yield [unnamed(message)]
}

class Walk {
  readonly #layout: FatLayout
  readonly #volume: Volume
  readonly #pages: Pages
  readonly #table: FatTable
  /** First clusters of the directories that were entered. */
  readonly #entered = new Set<number>()
  #clusters = 0
  /** A directory could not be read, and was told. */
  isBroken = false

  constructor(layout: FatLayout, volume: Volume, pages: Pages) {
    this.#layout = layout
    this.#volume = volume
    this.#pages = pages
    this.#table = new FatTable(layout, volume.start, pages)
  }

  async *all(): AsyncGenerator<readonly (Entry | EntryError)[]> {
    const { root } = this.#layout
    const cluster = 'cluster' in root ? root.cluster : 0
    const chain: Chain =
      'cluster' in root
        ? await this.#directory(cluster)
        : { ranges: [this.#place(root.at, root.bytes)], clusters: 0, end: 'mark' }
    const node = { isDirectory: true, size: 0, mtimeNs: null }
    yield [this.#entry(node, Buffer.alloc(0), 1n, chain.ranges)]
    yield* this.#below(Buffer.alloc(0), cluster, chain)
  }

  /** How many clusters are in use, and how many of them belong to nothing that was listed. */
  async lost(): Promise<{ readonly used: number; readonly lost: number }> {
    const used = await this.#table.countUsed()
    return { used, lost: Math.max(0, used - this.#clusters) }
  }

  #place(at: number, bytes: number): Range {
    const start = this.#volume.start + at
    return { start, end: start + bytes }
  }

  async #directory(cluster: number): Promise<Chain> {
    const { clusterBytes } = this.#layout
    const chain = await this.#table.chain(cluster, Math.ceil(mostDirectoryBytes / clusterBytes))
    this.#clusters += chain.clusters
    return chain
  }

  async *#below(
    path: Buffer,
    cluster: number,
    { ranges, end }: Chain,
  ): AsyncGenerator<readonly (Entry | EntryError)[]> {
    const isRoot = path.length === 0
    this.#entered.add(cluster)
    const wide = this.#layout.bits === 32
    // What was never read passes for entries that were deleted.
    const read = await this.#pages.readable(ranges, deleted).catch(orNothing)
    if (read === null) {
      yield [this.#unreadable(path, 'it lies past the end of the image: names below it are missing')]
      return
    }
    const { bytes, unread } = read
    const beginsUnread = unread.some(({ start }) => start === ranges[0]?.start)
    if (!isRoot && !beginsUnread && !beginsWithItself(bytes, cluster, wide)) {
      yield [this.#unreadable(path, 'it does not begin with itself: names below it are missing')]
      return
    }
    const out: (Entry | EntryError)[] = []
    if (unread.length > 0) {
      this.isBroken = true
      out.push(unreadNames(path, unread))
    }
    if (end === 'broken' || end === 'unread')
      out.push(this.#unreadable(path, `${endText(end)}: names below it are missing`, end))
    for (const one of parseEntries(bytes, wide, isRoot)) {
      const inside = joinPath(path, one.name)
      const ino = BigInt(this.#slotOf(ranges, one.at))
      if (one.isMended) out.push(badName(inside))
      if (!one.isDirectory) {
        out.push(...(await this.#file(one, inside, ino)))
        continue
      }
      const below = await this.#directory(one.cluster)
      out.push(this.#entry(one, inside, ino, below.ranges))
      if (this.#entered.has(one.cluster)) out.push(this.#unreadable(inside, metBefore))
      else {
        yield out.splice(0)
        yield* this.#below(inside, one.cluster, below)
      }
    }
    yield out
  }

  async #file(one: FatEntry, path: Buffer, ino: bigint): Promise<readonly (Entry | EntryError)[]> {
    const { clusterBytes } = this.#layout
    const wanted = Math.ceil(one.size / clusterBytes)
    const { ranges, clusters, end } = await this.#table.chain(wanted === 0 ? 0 : one.cluster, wanted)
    this.#clusters += clusters
    const entry = this.#entry(one, path, ino, slice(ranges, 0, one.size))
    if (clusters === wanted) return [entry]
    if (end === 'unread') this.isBroken = true
    const message = `${endText(end)} after ${clusters * clusterBytes} of ${one.size} bytes`
    return [entry, missingContent(path, message)]
  }

  #entry(
    { isDirectory, size, mtimeNs }: Pick<FatEntry, 'isDirectory' | 'size' | 'mtimeNs'>,
    path: Buffer,
    ino: bigint,
    extents: readonly Range[],
  ): Entry {
    const own = { ...nobody, path, ino, nlink: 1, mtimeNs }
    return { ...own, type: isDirectory ? 'd' : 'f', size: isDirectory ? 0 : size, extents }
  }

  #unreadable(path: Buffer, message: string, end: Chain['end'] = 'broken'): EntryError {
    this.isBroken = true
    return { error: end === 'unread' ? 'EIO' : 'unreadable-directory', path, message }
  }

  /** Number of an entry's 32 bytes within the volume: nothing else of FAT tells one file from another for good. */
  #slotOf(ranges: readonly Range[], at: number): number {
    const { start } = this.#volume
    return ((placeIn(ranges, at) ?? start) - start) / 32
  }
}

const deleted = 0xe5

const endText = (end: Chain['end']): string =>
  end === 'unread' ? 'nobody has read where it goes on' : 'its chain of clusters breaks off'
