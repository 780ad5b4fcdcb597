// Directory entries of FAT out of bytes: long and short names, times, sizes. Pure.
import { mend, utf8 } from '../utf16.ts'

export interface FatEntry {
  /** Long name in UTF-8, else the short name's own bytes. */
  readonly name: Buffer
  /** Where its 32 bytes begin, from the beginning of the directory. */
  readonly at: number
  readonly isDirectory: boolean
  readonly cluster: number
  readonly size: number
  readonly mtimeNs: bigint | null
  /** Its name had bytes that no name has; they were replaced by `_`. */
  readonly isMended: boolean
}

const slot = 32
const longName = 0x0f
const label = 0x08
const folder = 0x10
const dots = ['.          ', '..         ']

/**
 * All that a directory holds but `.`, `..`, labels and what was deleted. `wide`: cluster numbers of 32 bits.
 * Dots are what they say only where each directory but the root begins with them.
 */
export function parseEntries(bytes: Buffer, wide: boolean, isRoot = false): readonly FatEntry[] {
  const found: FatEntry[] = []
  let long = new LongName()
  for (let at = 0; at + slot <= bytes.length; at += slot) {
    const entry = bytes.subarray(at, at + slot)
    const first = entry[0] ?? 0
    if (first === 0) break
    const attributes = entry[11] ?? 0
    if (first !== 0xe5 && (attributes & 0x3f) === longName) {
      long.take(entry)
      continue
    }
    const name = long.nameFor(entry) ?? shortName(entry)
    long = new LongName()
    if (
      first === 0xe5 ||
      (!isRoot && dots[at / slot] === entry.toString('latin1', 0, 11)) ||
      (attributes & (label | folder)) === label
    )
      continue
    const mended = mend(name)
    found.push({
      name: mended ?? name,
      at,
      isDirectory: (attributes & folder) !== 0,
      cluster: entry.readUInt16LE(26) + (wide ? entry.readUInt16LE(20) * 65_536 : 0),
      size: entry.readUInt32LE(28),
      mtimeNs: timeOf(entry.readUInt16LE(24), entry.readUInt16LE(22)),
      isMended: mended !== null,
    })
  }
  return found
}

/** A directory below the root begins with itself. */
export const beginsWithItself = (bytes: Buffer, cluster: number, wide: boolean): boolean =>
  bytes.length >= slot &&
  bytes.toString('latin1', 0, 11) === dots[0] &&
  ((bytes[11] ?? 0) & folder) !== 0 &&
  bytes.readUInt16LE(26) + (wide ? bytes.readUInt16LE(20) * 65_536 : 0) === cluster

/** The pieces of a long name come before its entry, the last one first. */
class LongName {
  #units: number[] = []
  #expected = 0
  #sum = -1

  take(entry: Buffer): void {
    const order = entry[0] ?? 0
    const sum = entry[13] ?? 0
    if ((order & 0x40) !== 0) {
      this.#units = []
      this.#expected = order & 0x1f
      this.#sum = sum
    }
    if ((order & 0x1f) !== this.#expected || sum !== this.#sum) this.#expected = -1
    if (this.#expected < 1) return
    this.#expected -= 1
    const units = offsets.map((offset) => entry.readUInt16LE(offset))
    this.#units = [...units, ...this.#units]
  }

  /** null: there is none, or it belongs to another entry. */
  nameFor(entry: Buffer): Buffer | null {
    if (this.#expected !== 0 || this.#units.length === 0 || checksum(entry) !== this.#sum) return null
    const end = this.#units.indexOf(0)
    return utf8(end === -1 ? this.#units : this.#units.slice(0, end))
  }
}

const offsets = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30]

function checksum(entry: Buffer): number {
  let sum = 0
  for (const byte of entry.subarray(0, 11)) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff
  return sum
}

/** The bytes as stored, in whatever code page; the two flags of Windows NT for lower case apply to ASCII. */
function shortName(entry: Buffer): Buffer {
  const flags = entry[12] ?? 0
  const part = (from: number, to: number, isLower: boolean): string => {
    const text = entry.toString('latin1', from, to).replace(/ +$/, '')
    return isLower ? text.replace(/[A-Z]+/g, (some) => some.toLowerCase()) : text
  }
  const base = part(0, 8, (flags & 0x08) !== 0)
  const extension = part(8, 11, (flags & 0x10) !== 0)
  // 0xE5 marks what was deleted, so a name that begins with that byte has 5 instead.
  const stem = base.startsWith('\x05') ? `\xe5${base.slice(1)}` : base
  return Buffer.from(extension === '' ? stem : `${stem}.${extension}`, 'latin1')
}

/** The clock on the wall, kept as if UTC; null for what is no time. */
export function timeOf(date: number, time: number): bigint | null {
  const [year, month, day] = [1980 + (date >>> 9), (date >>> 5) & 15, date & 31]
  const [hour, minute, second] = [time >>> 11, (time >>> 5) & 63, (time & 31) * 2]
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  // The 31st of a month that has none is no day.
  return new Date(ms).getUTCDate() === day ? BigInt(ms) * 1_000_000n : null
}
