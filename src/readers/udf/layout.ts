// Structures of UDF out of bytes: tags, file entries, names in directories, times. Pure.
// Layout: ECMA-167 parts 3 and 4, OSTA UDF 1.02 to 2.60; all numbers are little-endian.
import { RunError } from '../../model/errors.ts'
import type { EntryType } from '../../model/entry.ts'
import { utf8 } from '../utf16.ts'

/** What a structure is, as its tag says. */
export const tags = {
  primary: 1,
  anchor: 2,
  pointer: 3,
  partition: 5,
  logicalVolume: 6,
  terminator: 8,
  integrity: 9,
  fileSet: 256,
  identifier: 257,
  allocation: 258,
  indirect: 259,
  file: 261,
  extendedFile: 266,
} as const

/** A block of a partition; `partition` counts the maps of the logical volume from 0. */
export interface UdfAddress {
  readonly partition: number
  readonly block: number
}

/** An address, with how many bytes are meant. */
export interface UdfPointer extends UdfAddress {
  readonly bytes: number
}

const tagBytes = 16

/** Whether a structure of this kind begins here; its sum covers the tag, its CRC what follows. */
export function isTagged(bytes: Buffer, id: number): boolean {
  return hasTag(bytes, id) && isWhole(bytes)
}

/** The tag alone: a structure was here. */
function hasTag(bytes: Buffer, id: number): boolean {
  if (bytes.length < tagBytes || bytes.readUInt16LE(0) !== id) return false
  let sum = 0
  for (let at = 0; at < tagBytes; at += 1) if (at !== 4) sum += bytes[at] ?? 0
  return (sum & 0xff) === bytes[4]
}

/** The CRC of what follows the tag. */
function isWhole(bytes: Buffer): boolean {
  const length = bytes.readUInt16LE(10)
  return (
    length <= bytes.length - tagBytes && crc(bytes, tagBytes, tagBytes + length) === bytes.readUInt16LE(8)
  )
}

const crcTable = Uint16Array.from({ length: 256 }, (_none, byte) => {
  let value = byte << 8
  for (let bit = 0; bit < 8; bit += 1) value = (value & 0x8000) === 0 ? value << 1 : (value << 1) ^ 0x1021
  return value & 0xffff
})

function crc(bytes: Buffer, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 1)
    value = ((value << 8) ^ (crcTable[((value >>> 8) ^ (bytes[at] ?? 0)) & 0xff] ?? 0)) & 0xffff
  return value
}

/** `long_ad`: the two highest bits of its length say what kind of extent it is, and are left out here. */
export const pointerAt = (bytes: Buffer, at: number): UdfPointer => ({
  bytes: bytes.readUInt32LE(at) & 0x3fffffff,
  block: bytes.readUInt32LE(at + 4),
  partition: bytes.readUInt16LE(at + 8),
})

/** How the allocation descriptors of a file are written; `inside`: the content itself stands in their place. */
export type AllocationForm = 'short' | 'long' | 'extended' | 'inside'

/** A file entry: what would be an inode elsewhere. */
export interface UdfNode {
  readonly type: EntryType
  readonly fileType: number
  readonly size: number
  readonly nlink: number
  readonly mtimeNs: bigint | null
  readonly mode: number
  /** null: nobody is named. */
  readonly uid: number | null
  readonly gid: number | null
  readonly rdev: bigint
  readonly form: AllocationForm
  /** Allocation descriptors, or the content; and where they begin in the block. */
  readonly allocation: Buffer
  readonly allocationAt: number
  /** It has further contents under names of their own. */
  readonly hasStreams: boolean
  /** How ICBs follow on one another; 4 is one for each file. */
  readonly strategy: number
}

const forms: readonly AllocationForm[] = ['short', 'long', 'extended', 'inside']
const nobody = 0xffffffff

const types: Readonly<Record<number, EntryType>> = {
  0: 'f',
  4: 'd',
  5: 'f',
  6: 'b',
  7: 'c',
  9: 'p',
  10: 's',
  12: 'l',
  // A file that is to be played without a stop.
  249: 'f',
}

/** A file entry, plain or extended. Throws RunError for what makes no sense. */
export function parseNode(block: Buffer): UdfNode {
  const isExtended = block.readUInt16LE(0) === tags.extendedFile
  const fixed = isExtended ? 216 : 176
  const [attributes, length] = [block.readUInt32LE(fixed - 8), block.readUInt32LE(fixed - 4)]
  const from = fixed + attributes
  if (from + length > block.length) throw new RunError('its file entry is larger than its block')
  const fileType = block.readUInt8(27)
  const flags = block.readUInt16LE(34)
  const form = forms[flags & 7]
  if (form === undefined) throw new RunError(`its allocation descriptors are of kind ${flags & 7}`)
  const type = types[fileType] ?? '?'
  const id = (at: number): number | null => {
    const value = block.readUInt32LE(at)
    return value === nobody ? null : value
  }
  return {
    type,
    fileType,
    size: Number(block.readBigUInt64LE(56)),
    nlink: block.readUInt16LE(48),
    mtimeNs: timeOf(block.subarray(isExtended ? 92 : 84)),
    mode: modeOf(block.readUInt32LE(44), flags),
    uid: id(36),
    gid: id(40),
    rdev: type === 'b' || type === 'c' ? deviceOf(block.subarray(fixed, from)) : 0n,
    form,
    allocation: Buffer.from(block.subarray(from, from + length)),
    allocationAt: from,
    hasStreams: isExtended && pointerAt(block, 152).bytes > 0,
    strategy: block.readUInt16LE(20),
  }
}

/** Five bits for each class, of which the lowest three are those of Unix. */
const modeOf = (permissions: number, flags: number): number =>
  (permissions & 7) |
  (((permissions >>> 5) & 7) << 3) |
  (((permissions >>> 10) & 7) << 6) |
  ((flags & 0x40) === 0 ? 0 : 0o4000) |
  ((flags & 0x80) === 0 ? 0 : 0o2000) |
  ((flags & 0x100) === 0 ? 0 : 0o1000)

/** Major and minor number stand in an attribute of kind 12. */
function deviceOf(attributes: Buffer): bigint {
  for (let at = 24; at + 24 <= attributes.length;) {
    const length = attributes.readUInt32LE(at + 8)
    if (attributes.readUInt32LE(at) === 12)
      return (BigInt(attributes.readUInt32LE(at + 16)) << 32n) + BigInt(attributes.readUInt32LE(at + 20))
    if (length < 12) break
    at += length
  }
  return 0n
}

/** Twelve bytes: zone in minutes east, year, month, day, hour, minute, second, and three parts of it; null for what is no time. */
export function timeOf(bytes: Buffer): bigint | null {
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = bytes.subarray(4, 9)
  const [hundredths = 0, hundreds = 0, micros = 0] = bytes.subarray(9, 12)
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return null
  const zone = bytes.readUInt16LE(0)
  const minutes = ((zone & 0xfff) << 20) >> 20
  // -2047 says that the zone is not known.
  const east = zone >>> 12 === 1 && minutes >= -1440 && minutes <= 1440 ? minutes : 0
  const ms = Date.UTC(bytes.readInt16LE(2), month - 1, day, hour, minute, second) - east * 60_000
  const below =
    hundredths > 99 || hundreds > 99 || micros > 99 ? 0 : hundredths * 10_000 + hundreds * 100 + micros
  return BigInt(ms) * 1_000_000n + BigInt(below) * 1000n
}

/** A name in a directory. */
export interface UdfName {
  readonly name: Buffer
  readonly isDirectory: boolean
  readonly isParent: boolean
  readonly isDeleted: boolean
  readonly pointer: UdfPointer
  /** Its CRC is wrong: something of it may be another. */
  readonly isDoubtful: boolean
}

/** Names in the order of a directory, and how many stretches of it are none. */
export function parseNames(bytes: Buffer): { readonly names: readonly UdfName[]; readonly gaps: number } {
  const names: UdfName[] = []
  let gaps = 0
  let inGap = false
  for (let at = 0; at + 38 <= bytes.length;) {
    const rest = bytes.subarray(at)
    const length = hasTag(rest, tags.identifier) ? lengthOf(rest) : 0
    if (length === 0 || length > rest.length) {
      // What is broken is passed over until a name begins again.
      if (!inGap) gaps += 1
      inGap = true
      at += 4
      continue
    }
    inGap = false
    names.push(nameAt(rest.subarray(0, length)))
    at += length
  }
  return { names, gaps }
}

const lengthOf = (bytes: Buffer): number => (38 + bytes.readUInt8(19) + bytes.readUInt16LE(36) + 3) & ~3

function nameAt(bytes: Buffer): UdfName {
  const traits = bytes.readUInt8(18)
  const from = 38 + bytes.readUInt16LE(36)
  return {
    name: textOf(bytes.subarray(from, from + bytes.readUInt8(19))),
    isDirectory: (traits & 2) !== 0,
    isDeleted: (traits & 4) !== 0,
    isParent: (traits & 8) !== 0,
    pointer: pointerAt(bytes, 20),
    isDoubtful: !isWhole(bytes),
  }
}

/** A byte that says how wide characters are, then those. */
export function textOf(bytes: Buffer): Buffer {
  const width = bytes[0] ?? 0
  if (width === 8 || width === 254) return utf8([...bytes.subarray(1)])
  const units = Array.from({ length: Math.max(0, (bytes.length - 1) >> 1) }, (_none, index) =>
    bytes.readUInt16BE(1 + index * 2),
  )
  return utf8(units)
}

/** The target of a link, out of its components. */
export function targetOf(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length;) {
    const [type = 0, length = 0] = bytes.subarray(at, at + 2)
    const name = textOf(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
    if (type === 1 || type === 2) parts.splice(0, parts.length, Buffer.alloc(0))
    else parts.push(type === 3 ? Buffer.from('..') : type === 4 ? Buffer.from('.') : name)
  }
  if (parts.length === 1 && parts[0]?.length === 0) return Buffer.from('/')
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from('/'), part])))
}
