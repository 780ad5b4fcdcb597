// A volume of xfs: its inodes, where the content of each lies in the image, and the blocks of its directories.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { hasOwnSum } from '../crc32c.ts'
import {
  forms,
  parseInode,
  parseRun,
  parseSuperblock,
  runBytes,
  type Run,
  type Superblock,
  type XfsInode,
} from './layout.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { push, slice } from '../ranges.ts'

/** Where the content of an inode lies, as far as that is known. */
export interface Mapped {
  readonly runs: readonly Run[]
  /** Why it is not known of the rest. */
  readonly fault: RunError | null
}

/** Where in the headers of some kind of block stand its checksum, its place, and whose it is. */
export interface Seal {
  readonly sum: number
  readonly place: number
  readonly uuid: number
  readonly owner: number
}

const treeSeal: Seal = { sum: 64, place: 24, uuid: 40, owner: 56 }
const treeMagic = { old: 0x424d4150, sealed: 0x424d4133 }
/** More levels than any tree of extents has. */
const mostLevels = 9

export class XfsVolume {
  readonly head: Superblock
  /** Where it begins in the image. */
  readonly start: number
  readonly #pages: Pages

  private constructor(head: Superblock, start: number, pages: Pages) {
    this.head = head
    this.start = start
    this.#pages = pages
  }

  /** `start`: of the volume in the image; `pages` count from there. Throws RunError where it makes no sense. */
  static async open(start: number, pages: Pages): Promise<XfsVolume> {
    const first = await pages.bytes(0, 512)
    const sectorBytes = first.readUInt16BE(102)
    const isPlausible = [512, 1024, 2048, 4096, 8192, 16_384, 32_768].includes(sectorBytes)
    const head = parseSuperblock(isPlausible ? await pages.bytes(0, sectorBytes) : first)
    return new XfsVolume(head, start, pages)
  }

  async inode(ino: bigint): Promise<XfsInode> {
    const { inodeBits, groupBits, groups, groupBlocks, blockBytes, inodeBytes } = this.head
    const group = Number(ino >> BigInt(groupBits + inodeBits))
    const within = Number(BigInt.asUintN(groupBits + inodeBits, ino))
    const block = Math.floor(within / 2 ** inodeBits)
    if (group >= groups || block >= groupBlocks) throw new RunError('it is outside of the volume')
    const place = (group * groupBlocks + block) * blockBytes + (within % 2 ** inodeBits) * inodeBytes
    return parseInode(await this.#pages.bytes(place, inodeBytes), ino, this.start + place)
  }

  /** Bytes of the volume where a block begins. */
  placeOf(block: number): number {
    const { groupBits, groupBlocks, blockBytes } = this.head
    return (Math.floor(block / 2 ** groupBits) * groupBlocks + (block % 2 ** groupBits)) * blockBytes
  }

  /** Blocks that follow one another, in the image. */
  rangeOf({ block, blocks }: Pick<Run, 'block' | 'blocks'>): Range {
    const start = this.start + this.placeOf(block)
    return { start, end: start + blocks * this.head.blockBytes }
  }

  /** What an inode says of where its content lies, in the order of the file. */
  async map(inode: XfsInode): Promise<Mapped> {
    const runs: Run[] = []
    try {
      let nodes = 0
      if (inode.form === forms.extents) {
        if (inode.extents * runBytes > inode.fork.length) throw damaged()
        this.#take(inode.fork.subarray(0, inode.extents * runBytes), runs)
      } else if (inode.form === forms.tree) nodes = await this.#root(inode, runs)
      else throw new RunError('its content is kept in a way that is not known')
      const mapped = runs.reduce((sum, { blocks }) => sum + blocks, 0)
      // Attributes have blocks too, which are not counted here.
      const isSound = inode.hasAttributes ? mapped + nodes <= inode.blocks : mapped + nodes === inode.blocks
      if (runs.length !== inode.extents || !isSound)
        throw new RunError(`its map names ${mapped} blocks in ${runs.length} pieces, and itself others`)
      return { runs, fault: null }
    } catch (error) {
      return { runs, fault: faultOf(error) }
    }
  }

  /** The tree of extents whose root is in the inode; the blocks that it takes itself. */
  async #root({ fork, ino }: XfsInode, runs: Run[]): Promise<number> {
    const [level, count] = [fork.readUInt16BE(0), fork.readUInt16BE(2)]
    const most = Math.floor((fork.length - 4) / 16)
    if (level < 1 || level > mostLevels || count < 1 || count > most) throw damaged()
    let nodes = 0
    for (let index = 0; index < count; index += 1)
      nodes += await this.#node(fork.readBigUInt64BE(4 + (most + index) * 8), level - 1, ino, runs)
    return nodes
  }

  async #node(number: bigint, level: number, owner: bigint, runs: Run[]): Promise<number> {
    const { blockBytes, isSealed } = this.head
    const block = Number(number)
    this.#expectInside({ block, blocks: 1 })
    const place = this.placeOf(block)
    // A copy: the page that it comes from may be gone before all of it is used.
    const node = Buffer.from(await this.#pages.bytes(place, blockBytes))
    const head = isSealed ? 72 : 24
    const count = node.readUInt16BE(6)
    const most = Math.floor((blockBytes - head) / 16)
    const magic = isSealed ? treeMagic.sealed : treeMagic.old
    if (node.readUInt32BE(0) !== magic || node.readUInt16BE(4) !== level || count < 1 || count > most)
      throw damaged()
    this.expectSealed(node, treeSeal, place, owner)
    if (level === 0) {
      this.#take(node.subarray(head, head + count * runBytes), runs)
      return 1
    }
    let nodes = 1
    for (let index = 0; index < count; index += 1)
      nodes += await this.#node(node.readBigUInt64BE(head + (most + index) * 8), level - 1, owner, runs)
    return nodes
  }

  /** Adds runs, each of which begins behind the one before it. */
  #take(bytes: Buffer, runs: Run[]): void {
    for (let at = 0; at < bytes.length; at += runBytes) {
      const run = parseRun(bytes, at)
      const last = runs.at(-1)
      if (run.blocks === 0 || run.offset < (last === undefined ? 0 : last.offset + last.blocks))
        throw damaged()
      this.#expectInside(run)
      runs.push(run)
    }
  }

  #expectInside({ block, blocks }: Pick<Run, 'block' | 'blocks'>): void {
    const { groupBits, groupBlocks, blocks: all } = this.head
    const within = block % 2 ** groupBits
    const before = Math.floor(block / 2 ** groupBits) * groupBlocks
    if (within + blocks > groupBlocks || before + within + blocks > all)
      throw new RunError('its map leads outside of the volume')
  }

  /** Throws RunError where a block with checksums is damaged, or is another's. */
  expectSealed(block: Buffer, { sum, place, uuid, owner }: Seal, at: number, ino: bigint): void {
    if (!this.head.isSealed) return
    if (!hasOwnSum(block, sum)) throw new RunError('the checksum of a block of it is wrong')
    if (
      block.readBigUInt64BE(place) !== BigInt(at / 512) ||
      block.readBigUInt64BE(owner) !== ino ||
      !block.subarray(uuid, uuid + 16).equals(this.head.uuid)
    )
      throw new RunError('a block of it is of something else')
  }

  /** Where a file's bytes lie, cut to its size; where its map is not known any more they end. */
  ranges({ size }: XfsInode, { runs, fault }: Mapped): readonly Range[] {
    const { blockBytes } = this.head
    const ranges: { start: number; end: number }[] = []
    let done = 0
    const hole = (to: number): void => {
      if (to > done) push(ranges, { start: -1, end: to - done })
    }
    for (const run of runs) {
      const first = run.offset * blockBytes
      if (first >= size) break
      const end = Math.min(size, first + run.blocks * blockBytes)
      hole(first)
      const { start } = this.rangeOf(run)
      if (run.isUnwritten) push(ranges, { start: -1, end: end - first })
      else push(ranges, { start, end: start + end - first })
      done = end
    }
    if (fault === null) hole(size)
    return ranges
  }

  /** The blocks of a directory that hold names, each as its ranges; null for one of which a part is not mapped. */
  *directoryBlocks(runs: readonly Run[]): Generator<readonly Range[] | null> {
    const { blockBytes, blocksPerDirectoryBlock: each } = this.head
    // Behind this byte of the directory are hashes of names, and where room is free.
    const end = 2 ** 35 / blockBytes
    let piece: { start: number; end: number }[] = []
    let held = 0
    let index = -1
    for (const run of runs) {
      const range = this.rangeOf(run)
      for (let block = 0; block < run.blocks && run.offset + block < end; block += 1) {
        const one = Math.floor((run.offset + block) / each)
        if (held > 0 && one !== index) yield null
        if (one !== index) [piece, held, index] = [[], 0, one]
        for (const part of slice([range], block * blockBytes, (block + 1) * blockBytes)) push(piece, part)
        held += run.isUnwritten ? 0 : 1
        if (held === each) {
          yield piece
          ;[piece, held] = [[], 0]
        }
      }
    }
    if (held > 0) yield null
  }
}

const damaged = (): RunError => new RunError('the map of its content is damaged')
