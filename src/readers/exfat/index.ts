// exFAT read from the image itself: every name as it is stored, every cluster where it lies; no root, no tool.
//
// sleuthkit, the only tool that needs no driver, ends with 0 over a directory that was wiped.
import { nobody, type Entry, type EntryError, type Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { bytesIn } from '../../model/ranges.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { Claims, countBits } from '../volumes/claims.ts'
import {
  parseExfatBoot,
  parseExfatEntries,
  type ExfatBoot,
  type ExfatEntry,
  type ExfatStream,
} from './entries.ts'
import { FatTable } from '../fat/layout.ts'
import { badName, faultOf, hiddenNames, metBefore, missingContent, missingNames } from '../faults.ts'
import { placeIn, push, slice } from '../ranges.ts'
import { Pages } from '../pages.ts'
import { byRanges, inBatches, joinPath, unreadNames, type FsReader } from '../reader.ts'

/** A directory has at most 256 MiB. */
const mostDirectoryBytes = 2 ** 28
/** What was never read passes for entries that were deleted. */
const deleted = 0x05

export const exfat: FsReader = {
  name: 'exfat',
  reads: ({ type }) => type === 'exfat',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRanges,
}

async function* list(image: Place, volume: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const pages = new Pages(image, volume.start, world)
  const boot = parseExfatBoot(await pages.bytes(0, 512))
  if (boot.isDirty) world.line('it was not unmounted: it is read as it stands')
  const walk = new Walk(boot, volume, pages)
  yield* walk.all()
  const used = await walk.used()
  const lost = used === null ? 0 : used - walk.claims.blocks
  if (lost > 0) world.line(`${lost} of ${used} clusters in use belong to no entry`)
  // A directory that was wiped looks like one that is empty; the map of clusters knows better.
  if (used !== null && lost > used / 2 && !walk.isBroken) {
    const message = `${lost} of ${used} clusters in use belong to no entry: names are missing`
    yield missingNames(Buffer.alloc(0), message)
  }
}

/** Where a content lies, and what is wrong with that. */
interface Lie {
  readonly ranges: readonly Range[]
  readonly fault: string | null
}

class Walk {
  readonly claims: Claims
  /** A directory could not be read, and was told. */
  isBroken = false
  readonly #boot: ExfatBoot
  readonly #start: number
  readonly #pages: Pages
  readonly #table: FatTable
  readonly #entered = new Set<number>()
  #bitmap: ExfatStream | null = null

  constructor(boot: ExfatBoot, { start }: Volume, pages: Pages) {
    this.#boot = boot
    this.#start = start
    this.#pages = pages
    this.#table = new FatTable(boot.layout, start, pages)
    this.claims = new Claims(boot.clusters)
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    const { rootCluster, layout } = this.#boot
    const most = Math.ceil(mostDirectoryBytes / layout.clusterBytes)
    const chain = await this.#table.chain(rootCluster, most)
    if (chain.clusters === 0) throw new RunError('the root directory cannot be read')
    const fault = chain.end === 'mark' ? null : 'its chain of clusters breaks off'
    const root = { isDirectory: true, mtimeNs: null, stream: { size: 0 } }
    yield entryOf(root, Buffer.alloc(0), 1n, chain.ranges)
    yield* this.#below(Buffer.alloc(0), rootCluster, {
      ranges: chain.ranges,
      fault: fault ?? this.#claim(chain.ranges),
    })
    if (this.#bitmap === null) return
    const { ranges } = await this.#lie(this.#bitmap)
    this.#bitmapRanges = ranges
  }

  #bitmapRanges: readonly Range[] = []

  /** Clusters in use, as the volume itself says; null: it cannot be read. */
  async used(): Promise<number | null> {
    const bytes = Math.ceil(this.#boot.clusters / 8)
    if (this.#bitmap === null || this.#bitmap.size < bytes) return null
    let used = 0
    let left = bytes
    for (const { start, end } of this.#bitmapRanges)
      for (let at = start; at < end && left > 0; at += step) {
        const length = Math.min(step, end - at, left)
        const piece = await this.#pages.all([{ start: at, end: at + length }]).catch(faultOf)
        if (piece instanceof RunError) return null
        used += countBits(piece)
        left -= length
      }
    return left > 0 ? null : used
  }

  async *#below(path: Buffer, cluster: number, { ranges, fault }: Lie): AsyncGenerator<Entry | EntryError> {
    if (this.#entered.has(cluster)) {
      yield this.#hidden(path, metBefore)
      return
    }
    this.#entered.add(cluster)
    const read = await this.#pages.readable(ranges, deleted).catch(faultOf)
    if (read instanceof RunError) {
      this.isBroken = true
      yield hiddenNames(path, read)
      return
    }
    const { entries, bitmap, fault: wrong } = parseExfatEntries(read.bytes)
    // The root of every volume has that map; one that has not was wiped.
    const isWiped = path.length === 0 && bitmap === null
    if (path.length === 0) this.#bitmap = bitmap
    if (read.unread.length > 0) {
      this.isBroken = true
      yield unreadNames(path, read.unread)
    } else if (wrong !== null || isWiped)
      yield this.#hidden(path, wrong ?? 'it does not name the map of clusters')
    if (fault !== null) yield this.#hidden(path, fault)
    for (const one of entries) yield* this.#entry(joinPath(path, one.name), one, this.#slotOf(ranges, one.at))
  }

  async *#entry(path: Buffer, one: ExfatEntry, ino: bigint): AsyncGenerator<Entry | EntryError> {
    if (one.isMended) yield badName(path)
    const { isDirectory, stream, written } = one
    if (isDirectory && stream.size > mostDirectoryBytes) {
      yield entryOf(one, path, ino, [])
      yield this.#hidden(path, `a directory of ${stream.size} bytes is none`)
      return
    }
    const { ranges, fault } = await this.#lie(stream)
    yield entryOf(one, path, ino, isDirectory ? ranges : withoutUnwritten(ranges, written))
    if (!isDirectory && fault !== null) yield missingContent(path, fault)
    if (isDirectory && stream.size > 0) yield* this.#below(path, stream.cluster, { ranges, fault })
  }

  /** In the image, cut to the size. */
  async #lie({ cluster, size, isContiguous }: ExfatStream): Promise<Lie> {
    const { clusterBytes, dataAt, lastCluster } = this.#boot.layout
    const wanted = Math.ceil(size / clusterBytes)
    if (wanted === 0) return { ranges: [], fault: null }
    let whole: readonly Range[]
    if (isContiguous) {
      if (cluster < 2 || cluster + wanted - 1 > lastCluster)
        return { ranges: [], fault: 'it lies outside of the volume' }
      const start = this.#start + dataAt + (cluster - 2) * clusterBytes
      whole = [{ start, end: start + wanted * clusterBytes }]
    } else whole = (await this.#table.chain(cluster, Math.min(wanted, lastCluster))).ranges
    const crossed = this.#claim(whole)
    const ranges = slice(whole, 0, size)
    const found = bytesIn(ranges)
    return {
      ranges,
      fault: found < size ? `its chain of clusters breaks off after ${found} of ${size} bytes` : crossed,
    }
  }

  /** What is wrong: some of these clusters are another's. */
  #claim(ranges: readonly Range[]): string | null {
    const { clusterBytes, dataAt } = this.#boot.layout
    let isFree = true
    for (const { start, end } of ranges) {
      const first = (start - this.#start - dataAt) / clusterBytes
      if (!this.claims.claim(first, (end - start) / clusterBytes)) isFree = false
    }
    return isFree ? null : 'a part of it lies where another file lies'
  }

  #hidden(path: Buffer, message: string): EntryError {
    this.isBroken = true
    return hiddenNames(path, new RunError(message))
  }

  /** Number of an entry's 32 bytes within the volume: nothing else tells one file from another for good. */
  #slotOf(ranges: readonly Range[], at: number): bigint {
    return BigInt(((placeIn(ranges, at) ?? this.#start) - this.#start) / 32)
  }
}

const step = 65_536

function entryOf(
  {
    isDirectory,
    mtimeNs,
    stream,
  }: Pick<ExfatEntry, 'isDirectory' | 'mtimeNs'> & { readonly stream: Pick<ExfatStream, 'size'> },
  path: Buffer,
  ino: bigint,
  extents: readonly Range[],
): Entry {
  const own = { ...nobody, path, ino, nlink: 1, mtimeNs }
  return { ...own, type: isDirectory ? 'd' : 'f', size: isDirectory ? 0 : stream.size, extents }
}

/** What was never written is a hole. */
function withoutUnwritten(ranges: readonly Range[], written: number): readonly Range[] {
  const found: { start: number; end: number }[] = []
  let at = 0
  for (const { start, end } of ranges) {
    const stored = Math.min(end - start, Math.max(0, written - at))
    if (stored > 0) push(found, { start, end: start + stored })
    if (stored < end - start) push(found, { start: -1, end: end - start - stored })
    at += end - start
  }
  return found
}
