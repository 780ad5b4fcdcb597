// Boot sector and directory entries of exFAT out of bytes. Pure.
// Layout: Microsoft's exFAT specification; little-endian.
import { RunError } from '../../model/errors.ts'
import { timeOf } from '../fat/entries.ts'
import type { FatLayout } from '../fat/layout.ts'
import { mend, utf8 } from '../utf16.ts'

export interface ExfatBoot {
  readonly layout: FatLayout
  readonly rootCluster: number
  readonly clusters: number
  /** It was in use when it was last seen. */
  readonly isDirty: boolean
}

/** Above this number the table that it shares with FAT32 has no entries. */
const mostClusters = 2 ** 28 - 16

/** Throws RunError where the boot sector makes no sense. */
export function parseExfatBoot(sector: Buffer): ExfatBoot {
  const [sectorShift, clusterShift] = [sector.readUInt8(0x6c), sector.readUInt8(0x6d)]
  const clusters = sector.readUInt32LE(0x5c)
  const tables = sector.readUInt8(0x6e)
  if (
    sector.toString('latin1', 3, 11) !== 'EXFAT   ' ||
    sectorShift < 9 ||
    sectorShift > 12 ||
    sectorShift + clusterShift > 25 ||
    clusters === 0 ||
    clusters > mostClusters ||
    tables < 1 ||
    tables > 2
  )
    throw new RunError('the exFAT boot sector makes no sense')
  const sectorBytes = 2 ** sectorShift
  const clusterBytes = sectorBytes * 2 ** clusterShift
  const flags = sector.readUInt16LE(0x6a)
  const [first, length] = [sector.readUInt32LE(0x50), sector.readUInt32LE(0x54)]
  // With two tables, bit 0 tells which of them is the current one.
  const active = tables === 2 ? flags & 1 : 0
  const layout: FatLayout = {
    bits: 32,
    clusterBytes,
    tableAt: (first + active * length) * sectorBytes,
    copiesAt: [],
    dataAt: sector.readUInt32LE(0x58) * sectorBytes,
    lastCluster: clusters + 1,
    root: { cluster: sector.readUInt32LE(0x60) },
  }
  return { layout, rootCluster: sector.readUInt32LE(0x60), clusters, isDirty: (flags & 2) !== 0 }
}

/** Where a content lies: a chain of the table, or clusters one behind the other. */
export interface ExfatStream {
  readonly cluster: number
  readonly size: number
  readonly isContiguous: boolean
}

export interface ExfatEntry {
  /** UTF-8. */
  readonly name: Buffer
  /** Where its first 32 bytes begin, from the beginning of the directory. */
  readonly at: number
  readonly isDirectory: boolean
  readonly stream: ExfatStream
  /** So many bytes were ever written; the others are zeros whatever lies there. */
  readonly written: number
  readonly mtimeNs: bigint | null
  /** Its name had characters that no name has; they were replaced by `_`. */
  readonly isMended: boolean
}

export interface ExfatNames {
  readonly entries: readonly ExfatEntry[]
  /** The map of the clusters in use; only the root has it. */
  readonly bitmap: ExfatStream | null
  /** What is wrong; some names may be missing. */
  readonly fault: string | null
}

const slot = 32
const used = 0x80
const secondary = 0x40

/** All that a directory holds but what was deleted. */
export function parseExfatEntries(bytes: Buffer): ExfatNames {
  const entries: ExfatEntry[] = []
  let bitmap: ExfatStream | null = null
  let fault: string | null = null
  let isPastEnd = false
  for (let at = 0; at + slot <= bytes.length; at += slot) {
    const kind = bytes[at] ?? 0
    if (kind === 0) {
      isPastEnd = true
      continue
    }
    if ((kind & used) === 0) continue
    // Zeros end a directory, and behind them there is nothing: a sector may have been wiped.
    if (isPastEnd) fault ??= 'there are zeros in the midst of it'
    if (kind === 0x81) bitmap = streamAt(bytes, at)
    else if (kind === 0x85) {
      const count = bytes[at + 1] ?? 0
      const set = bytes.subarray(at, at + slot * (count + 1))
      const entry = entryOf(set, count, at)
      if (entry === null) {
        fault ??= 'an entry of it makes no sense'
        continue
      }
      entries.push(entry)
      at += slot * count
    } else if ((kind & secondary) !== 0) fault ??= 'a part of an entry is alone'
  }
  return { entries, bitmap, fault }
}

/** An entry comes in 3 to 19 parts; null: they do not belong together. */
function entryOf(set: Buffer, count: number, at: number): ExfatEntry | null {
  if (count < 2 || count > 18 || set.length !== slot * (count + 1)) return null
  if (set[slot] !== 0xc0 || checksum(set) !== set.readUInt16LE(2)) return null
  const length = set[slot + 3] ?? 0
  const units: number[] = []
  for (let part = 2; part <= count && units.length < length; part += 1) {
    if (set[part * slot] !== 0xc1) return null
    for (let unit = 0; unit < 15 && units.length < length; unit += 1)
      units.push(set.readUInt16LE(part * slot + 2 + unit * 2))
  }
  if (length === 0 || units.length < length) return null
  const name = utf8(units)
  const mended = mend(name)
  return {
    name: mended ?? name,
    at,
    isDirectory: (set.readUInt16LE(4) & 0x10) !== 0,
    stream: streamAt(set, slot),
    written: wide(set, slot + 8),
    mtimeNs: modified(set),
    isMended: mended !== null,
  }
}

const streamAt = (bytes: Buffer, at: number): ExfatStream => ({
  cluster: bytes.readUInt32LE(at + 20),
  size: wide(bytes, at + 24),
  isContiguous: bytes[at] === 0xc0 && ((bytes[at + 1] ?? 0) & 2) !== 0,
})

const wide = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)

function checksum(set: Buffer): number {
  let sum = 0
  for (const [index, byte] of set.entries())
    if (index !== 2 && index !== 3) sum = (((sum & 1) << 15) + (sum >>> 1) + byte) & 0xffff
  return sum
}

/** UTC where its distance from the clock on the wall is told; else that clock, kept as if UTC. */
function modified(set: Buffer): bigint | null {
  const wall = timeOf(set.readUInt16LE(14), set.readUInt16LE(12))
  const fine = set[21] ?? 0
  if (wall === null || fine > 199) return wall
  const zone = set[23] ?? 0
  const quarters = (zone & 0x80) === 0 ? 0 : (zone << 25) >> 25
  return wall + BigInt(fine) * 10_000_000n - BigInt(quarters) * 900_000_000_000n
}
