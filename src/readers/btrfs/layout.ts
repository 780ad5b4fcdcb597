// The superblock, keys, chunks, inodes, names and extents of btrfs out of bytes. Pure.
// Layout: btrfs.readthedocs.io, dev/On-disk-format; little-endian, nothing aligned.
import { RunError } from '../../model/errors.ts'
import { holds, sumKind, type SumKind } from './sums.ts'

/** Where superblocks are in the volume, if it is that long. */
export const superblocks: readonly number[] = [64 * 1024, 64 * 2 ** 20, 256 * 2 ** 30]
export const superblockBytes = 4096

/** Trees that are found by a fixed number. */
export const trees = { top: 5n, sums: 7n } as const
/** Numbers of subvolumes made later, and of inodes, lie between these. */
export const firstFree = 256n
export const lastFree = 2n ** 64n - 256n

/** Kinds of items. */
export const kinds = {
  inode: 1,
  name: 96,
  extent: 108,
  sums: 128,
  root: 132,
  rootRef: 156,
  chunk: 228,
} as const

export interface Key {
  readonly id: bigint
  readonly kind: number
  readonly offset: bigint
}

export const keyBytes = 17

export const keyAt = (bytes: Buffer, at: number): Key => ({
  id: bytes.readBigUInt64LE(at),
  kind: bytes.readUInt8(at + 8),
  offset: bytes.readBigUInt64LE(at + 9),
})

/** A number that is too large to count on with is beyond every end: infinite. */
export function wide(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at))
  return Number.isSafeInteger(value) ? value : Number.POSITIVE_INFINITY
}

/** Where the top of a tree is. */
export interface TreeTop {
  readonly at: number
  readonly level: number
  readonly generation: bigint
}

export interface Superblock {
  readonly sum: SumKind
  /** That tree blocks bear. */
  readonly fsid: Buffer
  readonly generation: bigint
  readonly roots: TreeTop
  readonly chunks: TreeTop
  readonly hasLog: boolean
  readonly bytes: number
  readonly devices: number
  /** Number of this device. */
  readonly device: bigint
  readonly sectorBytes: number
  readonly nodeBytes: number
  readonly incompat: bigint
  /** Keys and chunks, one after the other: those where the tree of chunks lies. */
  readonly systemChunks: Buffer
}

const ownFsid = 0x400n

/** Throws RunError where it is none, or not what was written. */
export function parseSuperblock(block: Buffer, at: number): Superblock {
  if (block.toString('latin1', 64, 72) !== '_BHRfS_M') throw new RunError('there is no btrfs superblock')
  const sum = sumKind(block.readUInt16LE(196))
  if (sum === null) throw new RunError(`its kind of checksums, ${block.readUInt16LE(196)}, is not known`)
  if (!holds(sum, block.subarray(32), block)) throw new RunError('the sum of its superblock is wrong')
  const [sectorBytes = 0, nodeBytes = 0, listed = 0] = [144, 148, 160].map((field) =>
    block.readUInt32LE(field),
  )
  if (
    wide(block, 48) !== at ||
    !isPower(sectorBytes, 512, 65_536) ||
    !isPower(nodeBytes, 4096, 65_536) ||
    listed > 2048
  )
    throw new RunError('its superblock makes no sense')
  const incompat = block.readBigUInt64LE(188)
  const generation = block.readBigUInt64LE(72)
  return {
    sum,
    fsid: Buffer.from((incompat & ownFsid) === 0n ? block.subarray(32, 48) : block.subarray(571, 587)),
    generation,
    roots: { at: wide(block, 80), level: block.readUInt8(198), generation },
    chunks: { at: wide(block, 88), level: block.readUInt8(199), generation: block.readBigUInt64LE(164) },
    hasLog: block.readBigUInt64LE(96) !== 0n,
    bytes: wide(block, 112),
    devices: wide(block, 136),
    device: block.readBigUInt64LE(201),
    sectorBytes,
    nodeBytes,
    incompat,
    systemChunks: Buffer.from(block.subarray(811, 811 + listed)),
  }
}

const isPower = (value: number, least: number, most: number): boolean =>
  value >= least && value <= most && (value & (value - 1)) === 0

/** Bits of what a chunk is. */
const profiles: readonly (readonly [bigint, string])[] = [
  [8n, 'RAID0'],
  [16n, 'RAID1'],
  [64n, 'RAID10'],
  [128n, 'RAID5'],
  [256n, 'RAID6'],
  [512n, 'RAID1C3'],
  [1024n, 'RAID1C4'],
]

/** A part of the space of logical addresses, and where it lies. */
export interface Chunk {
  readonly start: number
  readonly end: number
  /** Where each copy begins on the device. */
  readonly copies: readonly number[]
  /** Why it cannot be read. */
  readonly fault: string | null
}

/** Throws RunError where it makes no sense. */
export function parseChunk(start: bigint, value: Buffer, device: bigint): Chunk {
  const stripes = value.length < 48 ? 0 : value.readUInt16LE(44)
  const length = stripes === 0 ? 0 : wide(value, 0)
  const end = Number(start) + length
  if (stripes === 0 || length === 0 || value.length < 48 + stripes * 32 || !Number.isSafeInteger(end))
    throw new RunError('a chunk makes no sense')
  const type = value.readBigUInt64LE(24)
  const profile = profiles.find(([bit]) => (type & bit) !== 0n)?.[1]
  const own = Array.from({ length: stripes }, (_none, index) => 48 + index * 32)
    .filter((at) => value.readBigUInt64LE(at) === device)
    .map((at) => wide(value, at + 8))
  const fault =
    profile !== undefined
      ? `it lies in ${profile} over several devices, which is not read`
      : own.length === 0
        ? 'it lies on another device'
        : null
  return { start: Number(start), end, copies: own, fault }
}

/** How many bytes of the list of chunks in the superblock a chunk takes, with its key. */
export const chunkBytes = (value: Buffer): number => 48 + value.readUInt16LE(44) * 32

export interface RootRecord extends TreeTop {
  /** Inode of its top directory. */
  readonly directory: bigint
  /** 0: it is being deleted. */
  readonly refs: number
}

export function parseRoot(value: Buffer): RootRecord {
  if (value.length < 239) throw new RunError('the record of a tree makes no sense')
  return {
    at: wide(value, 176),
    level: value.readUInt8(238),
    generation: value.readBigUInt64LE(160),
    directory: value.readBigUInt64LE(168),
    refs: value.readUInt32LE(216),
  }
}

export interface BtrfsInode {
  readonly size: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** major * 2^32 + minor. */
  readonly rdev: bigint
  readonly mtimeNs: bigint
}

export function parseInode(value: Buffer): BtrfsInode {
  if (value.length < 160) throw new RunError('it makes no sense')
  const device = value.readUInt32LE(56)
  return {
    size: wide(value, 16),
    nlink: value.readUInt32LE(40),
    uid: value.readUInt32LE(44),
    gid: value.readUInt32LE(48),
    mode: value.readUInt32LE(52),
    rdev: (BigInt(device >>> 20) << 32n) + BigInt(device & 0xf_ffff),
    mtimeNs: value.readBigInt64LE(136) * 1_000_000_000n + BigInt(value.readUInt32LE(144)),
  }
}

export interface BtrfsName {
  readonly name: Buffer
  /** Of the inode, or of the subvolume. */
  readonly id: bigint
  readonly isSubvolume: boolean
}

/** Of an index of names: one an item. Throws RunError where it makes no sense. */
export function parseName(value: Buffer): BtrfsName {
  const length = value.length < 30 ? 0 : value.readUInt16LE(27)
  const name = value.subarray(30, 30 + length)
  const { id, kind } = length === 0 ? { id: 0n, kind: 0 } : keyAt(value, 0)
  if (
    name.length !== length ||
    length === 0 ||
    length > 255 ||
    (kind !== kinds.inode && kind !== kinds.root) ||
    name.includes(0) ||
    name.includes(0x2f) ||
    /^\.\.?$/.test(name.toString('latin1'))
  )
    throw new RunError('a name makes no sense')
  return { name: Buffer.from(name), id, isSubvolume: kind === kinds.root }
}

/** Whether a directory of one subvolume is where another one stands: the record says which directory, and by which name. */
export const isRefOf = (value: Buffer, directory: bigint, name: Buffer): boolean =>
  value.length >= 18 &&
  value.readBigUInt64LE(0) === directory &&
  value.subarray(18, 18 + value.readUInt16LE(16)).equals(name)

/** Kinds of compression by their numbers. */
export const packings = ['none', 'zlib', 'lzo', 'zstd'] as const
export type Packing = (typeof packings)[number]

interface ExtentHead {
  readonly packing: Packing
  /** Of the whole extent, unpacked. */
  readonly unpacked: number
}

/** A piece of a file's content. */
export type Extent = ExtentHead &
  (
    | { readonly type: 'inline'; readonly stored: Buffer }
    | { readonly type: 'hole'; readonly length: number }
    | {
        readonly type: 'regular'
        /** Logical address and length of the extent as it is stored. */
        readonly at: number
        readonly storedBytes: number
        /** Which part of it, unpacked, the file has. */
        readonly from: number
        readonly length: number
      }
  )

export const inlineAt = 21
const unwritten = 2

/** Throws RunError where it makes no sense, or is kept in a way that nobody reads. */
export function parseExtent(value: Buffer): Extent {
  if (value.length < inlineAt) throw new RunError('a piece of it makes no sense')
  const packing = packings[value.readUInt8(16)]
  const isCoded = value.readUInt8(17) !== 0 || value.readUInt16LE(18) !== 0
  if (packing === undefined || isCoded)
    throw new RunError('a piece of it is packed or encrypted in a way that is not known')
  const head = { packing, unpacked: wide(value, 8) }
  const type = value.readUInt8(20)
  if (type === 0) return { ...head, type: 'inline', stored: value.subarray(inlineAt) }
  if (type > unwritten || value.length < 53) throw new RunError('a piece of it makes no sense')
  const [at = 0, storedBytes = 0, from = 0, length = 0] = [21, 29, 37, 45].map((place) => wide(value, place))
  if (!Number.isFinite(at + storedBytes + from + length) || length === 0)
    throw new RunError('a piece of it makes no sense')
  if (at === 0 || type === unwritten) return { ...head, type: 'hole', length }
  if (from + length > head.unpacked || (packing === 'none' && from + length > storedBytes))
    throw new RunError('a piece of it makes no sense')
  return { ...head, type: 'regular', at, storedBytes, from, length }
}
