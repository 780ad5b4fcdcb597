// Inodes of ext2, ext3 and ext4 read from the image itself: what sleuthkit leaves out (nanoseconds, link targets, devices).
// Layout: Linux Documentation/filesystems/ext4, superblock at byte 1024, little-endian.
import { RunError } from '../model/errors.ts'
import type { Volume } from '../model/entry.ts'
import type { Place, Reader } from '../model/world.ts'
import { Pages } from './pages.ts'

export interface ExtInode {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly mtimeNs: bigint
  /** As Entry.rdev; 0 for what is no device. */
  readonly rdev: bigint
  /** The 60 bytes in which a short link keeps its target. */
  readonly block: Buffer
}

const metaBlockGroups = 0x10
const wide = 0x80
const inlineData = 0x8000

/** The inode table of one volume. */
export class ExtInodes {
  readonly #pages: Pages
  readonly #inodeBytes: number
  readonly #perGroup: number
  readonly #blockBytes: number
  /** First block of each group's inode table. */
  readonly #tables: readonly number[]
  /** Blocks in use, in bytes, and inodes in use, as the superblock counts them. */
  readonly usedBytes: number
  readonly usedInodes: number

  private constructor(pages: Pages, head: Superblock, tables: readonly number[]) {
    this.#pages = pages
    this.#inodeBytes = head.inodeBytes
    this.#perGroup = head.perGroup
    this.#blockBytes = head.blockBytes
    this.#tables = tables
    this.usedBytes = head.usedBytes
    this.usedInodes = head.usedInodes
  }

  /** Throws RunError for a layout that is not understood. */
  static async open(
    image: Place,
    { start }: Pick<Volume, 'start'>,
    world: Pick<Reader, 'read'>,
  ): Promise<ExtInodes> {
    const pages = new Pages(image, start, world)
    const head = parseSuperblock(await pages.bytes(1024, 1024))
    const bytes = head.groups * head.descriptorBytes
    const table = await pages.bytes((head.firstBlock + 1) * head.blockBytes, bytes)
    const tables = Array.from({ length: head.groups }, (_none, group) => {
      const at = group * head.descriptorBytes
      const high = head.descriptorBytes >= 64 ? table.readUInt32LE(at + 0x28) : 0
      return high * 2 ** 32 + table.readUInt32LE(at + 8)
    })
    return new ExtInodes(pages, head, tables)
  }

  async inode(ino: bigint): Promise<ExtInode> {
    const index = Number(ino) - 1
    const table = this.#tables[Math.floor(index / this.#perGroup)]
    if (table === undefined) throw new RunError(`inode ${ino} is not in the inode table`)
    const at = table * this.#blockBytes + (index % this.#perGroup) * this.#inodeBytes
    return parseInode(await this.#pages.bytes(at, this.#inodeBytes))
  }
}

interface Superblock {
  readonly blockBytes: number
  readonly inodeBytes: number
  readonly perGroup: number
  readonly firstBlock: number
  readonly groups: number
  readonly descriptorBytes: number
  readonly usedBytes: number
  readonly usedInodes: number
}

export function parseSuperblock(block: Buffer): Superblock {
  if (block.readUInt16LE(0x38) !== 0xef53) throw new RunError('there is no ext superblock')
  const incompatible = block.readUInt32LE(0x60)
  if ((incompatible & (metaBlockGroups | inlineData)) !== 0)
    throw new RunError('an ext layout that is not read here (meta_bg or inline_data)')
  const is64 = (incompatible & wide) !== 0
  const blockBytes = 1024 << block.readUInt32LE(0x18)
  const high = (at: number): number => (is64 ? block.readUInt32LE(at) * 2 ** 32 : 0)
  const blocks = block.readUInt32LE(0x04) + high(0x150)
  const free = block.readUInt32LE(0x0c) + high(0x158)
  const firstBlock = block.readUInt32LE(0x14)
  const blocksPerGroup = block.readUInt32LE(0x20)
  const perGroup = block.readUInt32LE(0x28)
  if (blockBytes > 65_536 || blocksPerGroup === 0 || perGroup === 0)
    throw new RunError('the ext superblock makes no sense')
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup)
  if (groups > 1 << 24) throw new RunError('the ext superblock makes no sense')
  return {
    blockBytes,
    inodeBytes: block.readUInt32LE(0x4c) === 0 ? 128 : block.readUInt16LE(0x58),
    perGroup,
    firstBlock,
    groups,
    descriptorBytes: is64 ? block.readUInt16LE(0xfe) : 32,
    usedBytes: (blocks - free) * blockBytes,
    usedInodes: block.readUInt32LE(0x00) - block.readUInt32LE(0x10),
  }
}

export function parseInode(inode: Buffer): ExtInode {
  const word = inode.readUInt16LE(0)
  const extra = inode.length > 128 ? inode.readUInt16LE(0x80) : 0
  const fine = extra >= 12 ? inode.readUInt32LE(0x88) : 0
  // The two low bits of the extra word carry the seconds past 2038.
  const seconds = BigInt(inode.readInt32LE(0x10)) + (BigInt(fine & 3) << 32n)
  const kind = word & 0o170000
  const block = Buffer.from(inode.subarray(0x28, 0x28 + 60))
  return {
    mode: word & 0o7777,
    uid: inode.readUInt16LE(0x02) + inode.readUInt16LE(0x78) * 65_536,
    gid: inode.readUInt16LE(0x18) + inode.readUInt16LE(0x7a) * 65_536,
    nlink: inode.readUInt16LE(0x1a),
    mtimeNs: seconds * 1_000_000_000n + BigInt(fine >>> 2),
    rdev: kind === 0o020000 || kind === 0o060000 ? deviceOf(block) : 0n,
    block,
  }
}

/** Linux keeps a device in the old form (8 + 8 bits) if it fits, else in the new one (12 + 20). */
function deviceOf(block: Buffer): bigint {
  const old = block.readUInt32LE(0)
  const wideForm = block.readUInt32LE(4)
  const major = old === 0 ? (wideForm >>> 8) & 0xfff : (old >>> 8) & 0xff
  const minor = old === 0 ? (wideForm & 0xff) | ((wideForm >>> 12) & 0xfff00) : old & 0xff
  return (BigInt(major) << 32n) + BigInt(minor)
}
