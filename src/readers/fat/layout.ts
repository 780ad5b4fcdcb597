// Where things are on a FAT volume: boot sector, allocation table, chains of clusters.
// Layout: Microsoft FAT specification of 2000, which all systems keep to; little-endian.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { Pages } from '../pages.ts'
import { push } from '../ranges.ts'

export interface FatLayout {
  readonly bits: 12 | 16 | 32
  readonly clusterBytes: number
  /** From the beginning of the volume, in bytes. */
  readonly tableAt: number
  /** Where its copies begin, if they are kept. */
  readonly copiesAt: readonly number[]
  readonly dataAt: number
  /** Highest cluster number; the lowest is 2. */
  readonly lastCluster: number
  /** FAT12 and FAT16 keep the root in a place of its own. */
  readonly root: { readonly at: number; readonly bytes: number } | { readonly cluster: number }
}

/** Throws RunError where the boot sector makes no sense. */
export function parseBootSector(sector: Buffer): FatLayout {
  const sectorBytes = sector.readUInt16LE(11)
  const perCluster = sector.readUInt8(13)
  const reserved = sector.readUInt16LE(14)
  const tables = sector.readUInt8(16)
  const rootEntries = sector.readUInt16LE(17)
  const sectors = sector.readUInt16LE(19) || sector.readUInt32LE(32)
  const shortTable = sector.readUInt16LE(22)
  const tableSectors = shortTable || sector.readUInt32LE(36)
  const isPower = (value: number): boolean => value > 0 && (value & (value - 1)) === 0
  if (
    !isPower(sectorBytes) ||
    sectorBytes < 128 ||
    !isPower(perCluster) ||
    tables === 0 ||
    tableSectors === 0
  )
    throw new RunError('the FAT boot sector makes no sense')
  const rootSectors = Math.ceil((rootEntries * 32) / sectorBytes)
  const dataSector = reserved + tables * tableSectors + rootSectors
  const clusters = Math.floor((sectors - dataSector) / perCluster)
  if (clusters < 1) throw new RunError('the FAT volume has no room for a cluster')
  const bits = shortTable === 0 ? 32 : clusters < 4085 ? 12 : 16
  const clusterBytes = sectorBytes * perCluster
  // With mirroring off, bits 0 to 3 tell which of the tables is the current one.
  const flags = bits === 32 ? sector.readUInt16LE(40) : 0
  const active = (flags & 0x80) === 0 ? 0 : flags & 0x0f
  const isMirrored = (flags & 0x80) === 0
  const places = Array.from({ length: tables }, (_none, table) => reserved + table * tableSectors)
  const held = Math.floor((tableSectors * sectorBytes * 8) / bits)
  return {
    bits,
    clusterBytes,
    tableAt: (reserved + active * tableSectors) * sectorBytes,
    copiesAt: isMirrored ? places.slice(1).map((place) => place * sectorBytes) : [],
    dataAt: dataSector * sectorBytes,
    lastCluster: Math.min(clusters + 1, held - 1),
    root:
      bits === 32
        ? { cluster: sector.readUInt32LE(44) }
        : { at: (dataSector - rootSectors) * sectorBytes, bytes: rootEntries * 32 },
  }
}

/**
 * Why a chain of clusters stopped: its end mark, as many clusters as were asked for, something that must not be there, or a
 * place of the table that was never read of the medium, nor was any copy of it.
 */
export interface Chain {
  /** In the image. */
  readonly ranges: readonly Range[]
  readonly clusters: number
  readonly end: 'mark' | 'enough' | 'broken' | 'unread'
}

/** The table, read in pages as chains ask for it. */
export class FatTable {
  readonly #layout: FatLayout
  readonly #start: number
  readonly #pages: Pages

  constructor(layout: FatLayout, start: number, pages: Pages) {
    this.#layout = layout
    this.#start = start
    this.#pages = pages
  }

  /** At most `most` clusters from `first` on. A chain that runs in a circle is broken. */
  async chain(first: number, most: number): Promise<Chain> {
    const { clusterBytes, dataAt, lastCluster } = this.#layout
    const ranges: { start: number; end: number }[] = []
    let cluster = first
    for (let clusters = 0; ; clusters += 1) {
      if (this.#isEnd(cluster)) return { ranges, clusters, end: 'mark' }
      if (clusters === most) return { ranges, clusters, end: 'enough' }
      if (cluster === notRead) return { ranges, clusters, end: 'unread' }
      if (cluster < 2 || cluster > lastCluster || clusters > lastCluster)
        return { ranges, clusters, end: 'broken' }
      const start = this.#start + dataAt + (cluster - 2) * clusterBytes
      push(ranges, { start, end: start + clusterBytes })
      const next = this.#next(cluster)
      cluster = typeof next === 'number' ? next : await next
    }
  }

  /** Clusters that the table says are in use; bad ones are not. */
  async countUsed(): Promise<number> {
    let used = 0
    for (let cluster = 2; cluster <= this.#layout.lastCluster; cluster += 1) {
      const next = this.#next(cluster)
      const value = typeof next === 'number' ? next : await next
      if (value > 0 && !this.#isBad(value)) used += 1
    }
    return used
  }

  #isEnd(value: number): boolean {
    return value >= 2 ** Math.min(this.#layout.bits, 28) - 8
  }

  #isBad(value: number): boolean {
    return value === 2 ** Math.min(this.#layout.bits, 28) - 9
  }

  #window: Buffer = Buffer.alloc(0)
  #windowAt = -1
  /** What of the window was never read, in bytes of the table. */
  #lost: readonly Range[] = []

  /** What the table holds for a cluster: mostly at once, and to wait a turn for each of a million would take half of all the time. */
  #next(cluster: number): number | Promise<number> {
    const { bits } = this.#layout
    const at = bits === 12 ? cluster + (cluster >>> 1) : (cluster * bits) / 8
    const value = this.#valueAt(at, cluster)
    return value ?? this.#fetch(at).then(() => this.#valueAt(at, cluster) ?? 0)
  }

  /** null: the window does not hold it. `notRead`: it should, and nobody has read it. */
  #valueAt(at: number, cluster: number): number | null {
    const { bits } = this.#layout
    const inside = at - this.#windowAt
    const width = bits === 32 ? 4 : 2
    if (this.#windowAt < 0 || inside < 0 || inside + width > this.#window.length) return null
    if (this.#lost.some(({ start, end }) => at < end && at + width > start)) return notRead
    if (bits === 32) return this.#window.readUInt32LE(inside) & 0x0fffffff
    const pair = this.#window.readUInt16LE(inside)
    if (bits === 16) return pair
    return (cluster & 1) === 0 ? pair & 0xfff : pair >>> 4
  }

  async #fetch(at: number): Promise<void> {
    const { bits, tableAt, copiesAt, lastCluster } = this.#layout
    const tableBytes = Math.ceil(((lastCluster + 1) * bits) / 8)
    // Whole steps of the window, so that going forward and back does not fetch again; one byte more for 12 bits.
    const from = Math.floor(at / windowBytes) * windowBytes
    const length = Math.min(windowBytes + 4, Math.max(tableBytes - from, at - from + 4))
    const { bytes, unread } = await this.#pages.readable([this.#place(tableAt + from, length)])
    const read = unread.length === 0 ? bytes : Buffer.from(bytes)
    let lost: readonly Range[] = unread.map((range) => moved(range, -this.#start - tableAt))
    for (const copyAt of copiesAt) lost = await this.#mend(read, from, lost, copyAt)
    this.#window = read
    this.#windowAt = from
    this.#lost = lost
  }

  /** Puts bytes of a copy of the table where they were not read; what of them was not read either. */
  async #mend(
    window: Buffer,
    from: number,
    lost: readonly Range[],
    copyAt: number,
  ): Promise<readonly Range[]> {
    const still: Range[] = []
    for (const range of lost) {
      const place = this.#place(copyAt + range.start, range.end - range.start)
      const { bytes, unread } = await this.#pages.readable([place])
      bytes.copy(window, range.start - from)
      still.push(...unread.map((part) => moved(part, -this.#start - copyAt)))
    }
    return still
  }

  #place(at: number, bytes: number): Range {
    return { start: this.#start + at, end: this.#start + at + bytes }
  }
}

const windowBytes = 65_536
/** Stands for a value of the table; no table has it. */
const notRead = -1

const moved = ({ start, end }: Range, by: number): Range => ({ start: start + by, end: end + by })
