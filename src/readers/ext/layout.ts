// Superblock, group descriptors and inodes of ext2, ext3 and ext4 out of bytes. Pure.
// Layout: Linux Documentation/filesystems/ext4, little-endian.
import { typeOfMode, type EntryType } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'

export interface Superblock {
  readonly blockBytes: number
  readonly inodeBytes: number
  readonly inodesPerGroup: number
  readonly blocksPerGroup: number
  readonly firstBlock: number
  readonly groups: number
  readonly descriptorBytes: number
  /** With meta_bg, descriptors of later groups lie among the groups; Infinity without. */
  readonly firstMetaGroup: number
  readonly sparse: boolean
  /** Inodes in use, as counted by the filesystem, without those that it keeps for itself. */
  readonly usedInodes: number
  /** Extended attributes may have inodes of their own, which have no names. */
  readonly hasValueInodes: boolean
  /** The first that is not kept for the filesystem itself. */
  readonly firstInode: number
  /** It was not unmounted, and its journal has not been replayed. */
  readonly needsRecovery: boolean
}

const rootGroups = 0x0001
const recover = 0x0004
const journalDevice = 0x0008
const metaGroups = 0x0010
const wide = 0x0080
const valueInodes = 0x0400

export function parseSuperblock(block: Buffer): Superblock {
  if (block.readUInt16LE(0x38) !== 0xef53) throw new RunError('there is no ext superblock')
  const incompatible = block.readUInt32LE(0x60)
  if ((incompatible & journalDevice) !== 0) throw new RunError('it is the journal of another filesystem')
  const is64 = (incompatible & wide) !== 0
  const blockBytes = 1024 * 2 ** block.readUInt32LE(0x18)
  const blocks = block.readUInt32LE(0x04) + (is64 ? block.readUInt32LE(0x150) * 2 ** 32 : 0)
  const firstBlock = block.readUInt32LE(0x14)
  const blocksPerGroup = block.readUInt32LE(0x20)
  const inodesPerGroup = block.readUInt32LE(0x28)
  const isOld = block.readUInt32LE(0x4c) === 0
  const firstInode = isOld ? 11 : block.readUInt32LE(0x54)
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup)
  const inodeBytes = isOld ? 128 : block.readUInt16LE(0x58)
  if (
    blockBytes > 65_536 ||
    blocksPerGroup === 0 ||
    inodesPerGroup === 0 ||
    groups > 2 ** 24 ||
    inodeBytes < 128
  )
    throw new RunError('the ext superblock makes no sense')
  const descriptorBytes = is64 ? block.readUInt16LE(0xfe) : 32
  // Of project quotas and of orphans: they have numbers like anybody's.
  const own = [0x26c, 0x280].filter((at) => block.readUInt32LE(at) >= firstInode)
  return {
    blockBytes,
    inodeBytes,
    inodesPerGroup,
    blocksPerGroup,
    firstBlock,
    groups,
    descriptorBytes,
    firstMetaGroup: (incompatible & metaGroups) === 0 ? Number.POSITIVE_INFINITY : block.readUInt32LE(0x104),
    sparse: (block.readUInt32LE(0x64) & rootGroups) !== 0,
    usedInodes: block.readUInt32LE(0x00) - block.readUInt32LE(0x10) - (firstInode - 1) - own.length,
    hasValueInodes: (incompatible & valueInodes) !== 0,
    firstInode,
    needsRecovery: (incompatible & recover) !== 0,
  }
}

/** In which block the descriptor of a group lies, and where in it. */
export function descriptorPlace(
  group: number,
  { blockBytes, descriptorBytes, firstBlock, firstMetaGroup, blocksPerGroup, sparse }: Superblock,
): { readonly block: number; readonly at: number } {
  const perBlock = Math.floor(blockBytes / descriptorBytes)
  const meta = Math.floor(group / perBlock)
  const at = (group % perBlock) * descriptorBytes
  // The superblock lies at byte 1024, whatever the size of a block, and the descriptors in the block behind it.
  const superblock = blockBytes === 1024 ? 1 : 0
  if (meta < firstMetaGroup) return { block: superblock + 1 + meta, at }
  const first = meta * perBlock
  if (first === 0) return { block: superblock + 1, at }
  return { block: firstBlock + first * blocksPerGroup + (!sparse || keepsCopy(first) ? 1 : 0), at }
}

/** Sparse superblocks: copies are kept in groups 0, 1 and the powers of 3, 5 and 7. */
function keepsCopy(group: number): boolean {
  if (group < 2) return true
  return [3, 5, 7].some((base) => {
    let power = base
    while (power < group) power *= base
    return power === group
  })
}

/** Flags of an inode that change where its content lies. */
export const extentTree = 0x80000
export const inlineContent = 0x10000000

export interface ExtInode {
  /** `?`: the inode is not in use. */
  readonly type: EntryType
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly size: number
  readonly mtimeNs: bigint
  readonly flags: number
  /** As Entry.rdev; 0 for what is no device. */
  readonly rdev: bigint
  /** The 60 bytes that say where the content lies, or are the content. */
  readonly block: Buffer
}

export function parseInode(inode: Buffer): ExtInode {
  const word = inode.readUInt16LE(0)
  const type = typeOfMode(word)
  const extra = inode.length > 128 ? inode.readUInt16LE(0x80) : 0
  const fine = extra >= 12 ? inode.readUInt32LE(0x88) : 0
  // The two low bits of the extra word carry the seconds past 2038.
  const seconds = BigInt(inode.readInt32LE(0x10)) + (BigInt(fine & 3) << 32n)
  const block = inode.subarray(0x28, 0x28 + 60)
  return {
    type,
    mode: word & 0o7777,
    uid: inode.readUInt16LE(0x02) + inode.readUInt16LE(0x78) * 65_536,
    gid: inode.readUInt16LE(0x18) + inode.readUInt16LE(0x7a) * 65_536,
    nlink: inode.readUInt16LE(0x1a),
    size: inode.readUInt32LE(0x04) + inode.readUInt32LE(0x6c) * 2 ** 32,
    mtimeNs: seconds * 1_000_000_000n + BigInt(fine >>> 2),
    flags: inode.readUInt32LE(0x20),
    rdev: type === 'c' || type === 'b' ? deviceOf(block) : 0n,
    block,
  }
}

/** Linux keeps a device in the old form (8 + 8 bits) if it fits, else in the new one (12 + 20). */
function deviceOf(block: Buffer): bigint {
  const old = block.readUInt32LE(0)
  const form = block.readUInt32LE(4)
  const major = old === 0 ? (form >>> 8) & 0xfff : (old >>> 8) & 0xff
  const minor = old === 0 ? (form & 0xff) | ((form >>> 12) & 0xfff00) : old & 0xff
  return (BigInt(major) << 32n) + BigInt(minor)
}

export interface ExtName {
  readonly name: Buffer
  readonly ino: number
}

/** Names in one block of a directory. Throws RunError where the chain of records does not fill the block exactly. */
export function parseNames(block: Buffer): readonly ExtName[] {
  const found: ExtName[] = []
  for (let at = 0; at < block.length;) {
    const left = block.length - at
    const stated = left < 8 ? 0 : block.readUInt16LE(at + 4)
    // A block of 64 KiB does not fit into 16 bits.
    const length = stated === 0xffff || (stated === 0 && left === 65_536) ? left : stated
    const nameLength = left < 8 ? 0 : block.readUInt8(at + 6)
    if (length < 8 || (length & 3) !== 0 || length > left || nameLength + 8 > length)
      throw new RunError('a block of it holds no names')
    const ino = block.readUInt32LE(at)
    if (ino !== 0 && nameLength > 0) found.push({ name: block.subarray(at + 8, at + 8 + nameLength), ino })
    at += length
  }
  return found
}
