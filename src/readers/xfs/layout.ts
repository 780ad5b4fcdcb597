// Superblock, inodes and extents of xfs out of bytes. Pure.
// Layout: XFS Algorithms & Data Structures, 3rd edition (kernel.org); big-endian but for checksums.
import { typeOfMode, type EntryType } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { hasOwnSum } from '../crc32c.ts'

export interface Superblock {
  /** Version 5: everything has a checksum, and says whose it is and where. */
  readonly isSealed: boolean
  readonly blockBytes: number
  readonly sectorBytes: number
  /** Blocks of the volume, without those of a realtime device. */
  readonly blocks: number
  readonly groupBlocks: number
  readonly groups: number
  /** Bits of a block's number within its group. */
  readonly groupBits: number
  readonly inodeBytes: number
  /** Bits of an inode's number within its block. */
  readonly inodeBits: number
  readonly root: bigint
  /** A block of a directory is so many blocks. */
  readonly blocksPerDirectoryBlock: number
  /** Names carry the kind of what they name. */
  readonly hasKinds: boolean
  /** Inodes in use that are the filesystem's own; null: not known how many. */
  readonly ownInodes: number | null
  /** Inodes in use, as counted when it was last unmounted. */
  readonly usedInodes: number
  /** What stands in the headers of its blocks. */
  readonly uuid: Buffer
  readonly needsRepair: boolean
  /** First block of the log, by the numbers of blocks; 0: it is on another device. */
  readonly logStart: number
  readonly logBlocks: number
}

const directories2 = 0x2000
const moreBits = 0x8000
const kinds2 = 0x200

const incompatible = {
  kinds: 0x1,
  metaUuid: 0x4,
  needsRepair: 0x10,
  /** A tree of directories for the filesystem's own inodes. */
  ownTree: 0x100,
}
/** Kinds of names, sparse inodes, another UUID, big times, repair, large counts, exchange, parents, own tree, zones, gaps. */
const known = 0x7ff

export function parseSuperblock(sector: Buffer): Superblock {
  if (sector.readUInt32BE(0) !== 0x58465342) throw new RunError('there is no xfs superblock')
  const word = sector.readUInt16BE(100)
  const version = word & 0xf
  if ((version !== 4 && version !== 5) || (word & directories2) === 0)
    throw new RunError(`version ${version} of xfs, or of its directories, is not read`)
  const isSealed = version === 5
  const sectorBytes = sector.readUInt16BE(102)
  if (isSealed && !(sectorBytes <= sector.length && hasOwnSum(sector.subarray(0, sectorBytes), 224)))
    throw new RunError('the checksum of the xfs superblock is wrong')
  const features = isSealed ? sector.readUInt32BE(216) : 0
  const has = (bit: number): boolean => (features & bit) !== 0
  if (has(~known)) throw new RunError(`its features ${(features & ~known).toString(16)} are not known`)
  const blockBytes = sector.readUInt32BE(4)
  const [inodeBytes, perBlock] = [sector.readUInt16BE(104), sector.readUInt16BE(106)]
  const [inodeBits, groupBits] = [sector.readUInt8(123), sector.readUInt8(124)]
  const [groupBlocks, groups] = [sector.readUInt32BE(84), sector.readUInt32BE(88)]
  const blocks = wide(sector, 8)
  const perDirectoryBlock = 2 ** sector.readUInt8(192)
  if (
    blockBytes !== 2 ** sector.readUInt8(120) ||
    blockBytes < 512 ||
    blockBytes * perDirectoryBlock > 65_536 ||
    inodeBytes < 256 ||
    inodeBytes > 2048 ||
    inodeBytes * perBlock !== blockBytes ||
    perBlock !== 2 ** inodeBits ||
    groupBits > 31 ||
    groupBlocks > 2 ** groupBits ||
    blocks > groupBlocks * groups ||
    blocks <= groupBlocks * (groups - 1)
  )
    throw new RunError('the xfs superblock makes no sense')
  return {
    isSealed,
    blockBytes,
    sectorBytes,
    blocks,
    groupBlocks,
    groups,
    groupBits,
    inodeBytes,
    inodeBits,
    root: sector.readBigUInt64BE(56),
    blocksPerDirectoryBlock: perDirectoryBlock,
    hasKinds: isSealed
      ? has(incompatible.kinds)
      : (word & moreBits) !== 0 && (sector.readUInt32BE(200) & kinds2) !== 0,
    ownInodes: has(incompatible.ownTree) ? null : ownInodesOf(sector, isSealed),
    usedInodes: wide(sector, 128) - wide(sector, 136),
    uuid: Buffer.from(has(incompatible.metaUuid) ? sector.subarray(248, 264) : sector.subarray(32, 48)),
    needsRepair: has(incompatible.needsRepair),
    logStart: wide(sector, 48),
    logBlocks: sector.readUInt32BE(96),
  }
}

/** Bitmap and summary of the realtime device, and quotas of users, groups and projects. */
function ownInodesOf(sector: Buffer, isSealed: boolean): number {
  const numbers = [64, 72, 160, 168, ...(isSealed ? [232] : [])].map((at) => sector.readBigUInt64BE(at))
  return new Set(numbers.filter((ino) => ino !== 0n && ino !== 2n ** 64n - 1n)).size
}

/** 64 bits; what is past all counting is past the end of any image too. */
const wide = (bytes: Buffer, at: number): number =>
  bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

/** How the content of an inode is kept. */
export const forms = { device: 0, local: 1, extents: 2, tree: 3 } as const

export interface XfsInode {
  readonly ino: bigint
  readonly type: EntryType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly size: number
  readonly mtimeNs: bigint
  /** One of `forms`, if it is sound. */
  readonly form: number
  /** Blocks of its content, maps and attributes. */
  readonly blocks: number
  readonly extents: number
  readonly hasAttributes: boolean
  readonly isRealtime: boolean
  /** What says where the content lies, or is the content. */
  readonly fork: Buffer
  /** Where that begins in the image. */
  readonly forkStart: number
  /** Its checksum is wrong: what it says may be false. */
  readonly isFalse: boolean
}

const realtime = 0x1
const bigTimes = 0x8n
const largeCounts = 0x10n

/** `start`: where it begins in the image. Throws RunError where there is no such inode. */
export function parseInode(inode: Buffer, ino: bigint, start: number): XfsInode {
  const version = inode.readUInt8(4)
  if (inode.readUInt16BE(0) !== 0x494e || version < 1 || version > 3) throw new RunError('it is not there')
  const isSealed = version === 3
  if (isSealed && inode.readBigUInt64BE(152) !== ino) throw new RunError('another one is in its place')
  const flags2 = isSealed ? inode.readBigUInt64BE(120) : 0n
  const isLarge = (flags2 & largeCounts) !== 0n
  const core = isSealed ? 176 : 100
  const forkWords = inode.readUInt8(82)
  const forkBytes = forkWords === 0 ? inode.length - core : forkWords * 8
  if (core + forkBytes > inode.length) throw new RunError('its fork is larger than itself')
  const word = inode.readUInt16BE(2)
  return {
    ino,
    type: typeOfMode(word),
    mode: word & 0o7777,
    uid: inode.readUInt32BE(8),
    gid: inode.readUInt32BE(12),
    nlink: version === 1 ? inode.readUInt16BE(6) : inode.readUInt32BE(16),
    size: wide(inode, 56),
    mtimeNs: timeAt(inode, 40, (flags2 & bigTimes) !== 0n),
    form: inode.readUInt8(5),
    blocks: wide(inode, 64),
    extents: isLarge ? wide(inode, 24) : inode.readUInt32BE(76),
    hasAttributes: forkWords !== 0,
    isRealtime: (inode.readUInt16BE(90) & realtime) !== 0,
    fork: inode.subarray(core, core + forkBytes),
    forkStart: start + core,
    isFalse: isSealed && !hasOwnSum(inode, 100),
  }
}

/** Seconds and nanoseconds since 1970, or nanoseconds since 2^31 seconds before. */
const timeAt = (inode: Buffer, at: number, isBig: boolean): bigint =>
  isBig
    ? inode.readBigUInt64BE(at) - 2n ** 31n * 1_000_000_000n
    : BigInt(inode.readInt32BE(at)) * 1_000_000_000n + BigInt(inode.readInt32BE(at + 4))

/** As Entry.rdev: 14 bits and 18. */
export function deviceOf({ fork }: XfsInode): bigint {
  const word = fork.readUInt32BE(0)
  return (BigInt(word >>> 18) << 32n) + BigInt(word & 0x3ffff)
}

/** So many blocks that follow one another, from a block of the file. */
export interface Run {
  readonly offset: number
  /** By the numbers of blocks, which have gaps between groups. */
  readonly block: number
  readonly blocks: number
  /** Allocated, and never written: it reads as zeros. */
  readonly isUnwritten: boolean
}

export const runBytes = 16

/** One bit, 54 of the offset, 52 of the block, 21 of the count. */
export function parseRun(bytes: Buffer, at: number): Run {
  const high = bytes.readUInt32BE(at)
  const [second, third, low] = [
    bytes.readUInt32BE(at + 4),
    bytes.readUInt32BE(at + 8),
    bytes.readUInt32BE(at + 12),
  ]
  return {
    offset: (high & 0x7fff_ffff) * 2 ** 23 + (second >>> 9),
    block: (second & 0x1ff) * 2 ** 43 + third * 2 ** 11 + (low >>> 21),
    blocks: low & 0x1f_ffff,
    isUnwritten: high >>> 31 === 1,
  }
}
