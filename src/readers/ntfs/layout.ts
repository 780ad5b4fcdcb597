// Boot sector, records, attributes and names of NTFS out of bytes. Pure.
// Layout: the documentation of the Linux-NTFS project and of libfsntfs; little-endian.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { push, slice } from '../ranges.ts'

export interface NtfsLayout {
  readonly clusterBytes: number
  /** Clusters of the volume. */
  readonly clusters: number
  /** Bytes of a record of the file table. */
  readonly recordBytes: number
  /** Where the file table and the copy of its first records begin, from the beginning of the volume. */
  readonly tableAt: number
  readonly mirrorAt: number
}

const isPower = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value))

/** Throws RunError where the boot sector makes no sense. */
export function parseBootSector(sector: Buffer): NtfsLayout {
  const sectorBytes = sector.readUInt16LE(0x0b)
  const stated = sector.readUInt8(0x0d)
  // Clusters above 64 KiB are told as a negative power of two.
  const clusterBytes = sectorBytes * (stated > 0x80 ? 2 ** (0x100 - stated) : stated)
  const size = sector.readInt8(0x40)
  const recordBytes = size < 0 ? 2 ** -size : size * clusterBytes
  const clusters = Math.floor((wide(sector, 0x28) * sectorBytes) / clusterBytes)
  if (
    sector.toString('latin1', 3, 11) !== 'NTFS    ' ||
    !isPower(sectorBytes) ||
    !isPower(clusterBytes) ||
    clusterBytes > 2 ** 21 ||
    !isPower(recordBytes) ||
    recordBytes < 512 ||
    recordBytes > 65_536 ||
    !(clusters > 0) ||
    !Number.isSafeInteger(clusters * clusterBytes)
  )
    throw new RunError('the NTFS boot sector makes no sense')
  const tableAt = wide(sector, 0x30) * clusterBytes
  return { clusterBytes, clusters, recordBytes, tableAt, mirrorAt: wide(sector, 0x38) * clusterBytes }
}

/** A number of 64 bits; what no volume reaches is not counted exactly. */
export const wide = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)

/** A reference to a record: its number, and how often the record had been used. */
export interface Reference {
  readonly number: number
  readonly sequence: number
}

export const referenceAt = (bytes: Buffer, at: number): Reference => ({
  number: bytes.readUInt16LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at),
  sequence: bytes.readUInt16LE(at + 6),
})

/** The last two bytes of each of these are kept elsewhere, so that a record written in part is known. */
const stride = 512

/** A copy of a record with its own bytes put back. Throws RunError for what is none, or was written in part. */
export function unprotected(bytes: Buffer, magic: 'FILE' | 'INDX' | 'RSTR'): Buffer {
  const own = Buffer.from(bytes)
  if (own.toString('latin1', 0, 4) !== magic)
    throw new RunError(
      own.every((byte) => byte === 0) ? 'only zeros are there' : `there is no ${magic} record`,
    )
  const at = own.readUInt16LE(4)
  const strides = own.length / stride
  if (own.readUInt16LE(6) !== strides + 1 || at + 2 * (strides + 1) > stride - 2 || (at & 1) !== 0)
    throw new RunError('its head makes no sense')
  const mark = own.readUInt16LE(at)
  for (let index = 0; index < strides; index += 1) {
    const end = (index + 1) * stride - 2
    if (own.readUInt16LE(end) !== mark) throw new RunError('it was written only in part')
    own.copyWithin(end, at + 2 + index * 2, at + 4 + index * 2)
  }
  return own
}

/** Where bytes of a protected record lie in the image: those at the end of a stride are kept at its head. */
export function placeInRecord(
  record: Buffer,
  place: readonly Range[],
  from: number,
  length: number,
): Range[] {
  const kept = record.readUInt16LE(4) + 2
  const found: Range[] = []
  for (let at = from; at < from + length;) {
    const index = Math.floor(at / stride)
    const inside = at - index * stride
    const isKept = inside >= stride - 2
    const end = Math.min(from + length, isKept ? (index + 1) * stride : (index + 1) * stride - 2)
    const start = isKept ? kept + index * 2 + inside - (stride - 2) : at
    for (const range of slice(place, start, start + end - at)) push(found, range)
    at = end
  }
  return found
}

export const attributes = {
  standard: 0x10,
  list: 0x20,
  name: 0x30,
  volume: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexBlocks: 0xa0,
  bitmap: 0xb0,
  reparse: 0xc0,
} as const

/** One attribute of one record, as it stands. */
export interface Attribute {
  readonly type: number
  readonly name: string
  /** 0x0001 compressed, 0x4000 encrypted, 0x8000 sparse. */
  readonly flags: number
  /** From its first byte to the next attribute. */
  readonly bytes: Buffer
  /** Where it begins in the record. */
  readonly at: number
  readonly isResident: boolean
}

/** Throws RunError where the chain of attributes does not end within the record. */
export function parseAttributes(record: Buffer): readonly Attribute[] {
  const found: Attribute[] = []
  const end = Math.min(record.readUInt32LE(0x18), record.length)
  for (let at = record.readUInt16LE(0x14); ;) {
    if (at + 4 > end) throw new RunError('its attributes have no end')
    const type = record.readUInt32LE(at)
    if (type === 0xffffffff) return found
    const length = at + 24 > end ? 0 : record.readUInt32LE(at + 4)
    if (length < 24 || (length & 7) !== 0 || at + length > end)
      throw new RunError('its attributes make no sense')
    const bytes = record.subarray(at, at + length)
    const nameAt = bytes.readUInt16LE(0x0a)
    const nameEnd = nameAt + bytes.readUInt8(9) * 2
    const isResident = bytes.readUInt8(8) === 0
    if (nameEnd > length || (!isResident && length < 64)) throw new RunError('its attributes make no sense')
    const name = bytes.toString('utf16le', nameAt, nameEnd)
    found.push({ type, name, flags: bytes.readUInt16LE(0x0c), bytes, at, isResident })
    at += length
  }
}

/** The content of a resident attribute, and where it begins in the attribute. */
export function residentValue({ bytes }: Attribute): { readonly value: Buffer; readonly offset: number } {
  const [length, offset] = [bytes.readUInt32LE(0x10), bytes.readUInt16LE(0x14)]
  if (offset + length > bytes.length) throw new RunError('an attribute is longer than its place')
  return { value: bytes.subarray(offset, offset + length), offset }
}

/** A name of a file, as its record and the index of its directory have it. */
export interface FileName {
  readonly parent: Reference
  /** UTF-16, little-endian. */
  readonly units: Buffer
  readonly mtimeNs: bigint | null
  /** Of the content without a name, when the name was last written. */
  readonly size: number
  readonly isDirectory: boolean
  /** Only for DOS; the same file has a longer one beside it. */
  readonly isShort: boolean
}

/** Throws RunError where it makes no sense. */
export function parseFileName(value: Buffer): FileName {
  const length = value.length < 66 ? 0 : value.readUInt8(0x40)
  if (length === 0 || 66 + length * 2 > value.length) throw new RunError('a name makes no sense')
  return {
    parent: referenceAt(value, 0),
    units: value.subarray(66, 66 + length * 2),
    mtimeNs: timeAt(value, 0x10),
    size: wide(value, 0x30),
    isDirectory: (value.readUInt32LE(0x38) & 0x1000_0000) !== 0,
    isShort: value.readUInt8(0x41) === 2,
  }
}

const to1970 = 116_444_736_000_000_000n
const most = 2n ** 63n

/** 100 ns since 1601; null for what 64 bits of nanoseconds since 1970 do not hold (before 1677, after 2262). */
export function timeAt(bytes: Buffer, at: number): bigint | null {
  const ns = (bytes.readBigInt64LE(at) - to1970) * 100n
  return ns >= -most && ns < most ? ns : null
}
