// A volume of ext2, ext3 or ext4: its inodes, and where the content of each lies in the image.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import {
  descriptorPlace,
  extentTree,
  inlineContent,
  parseInode,
  parseSuperblock,
  type ExtInode,
  type Superblock,
} from './layout.ts'
import type { Pages } from '../pages.ts'
import { push } from '../ranges.ts'

/** So many blocks of the volume follow one another in a file; `block: 0` is a hole. */
interface Run {
  readonly block: number
  readonly blocks: number
}

export class ExtVolume {
  readonly head: Superblock
  readonly #start: number
  readonly #pages: Pages

  private constructor(head: Superblock, start: number, pages: Pages) {
    this.head = head
    this.#start = start
    this.#pages = pages
  }

  /** `start`: of the volume in the image; `pages` count from there. Throws RunError where it makes no sense. */
  static async open(start: number, pages: Pages): Promise<ExtVolume> {
    return new ExtVolume(parseSuperblock(await pages.bytes(1024, 1024)), start, pages)
  }

  async inode(ino: number): Promise<ExtInode> {
    return parseInode(await this.#pages.bytes(await this.#placeOf(ino), this.head.inodeBytes))
  }

  /** Where an inode lies, from the beginning of the volume. */
  async #placeOf(ino: number): Promise<number> {
    const { inodesPerGroup, groups, blockBytes, descriptorBytes, inodeBytes } = this.head
    const group = Math.floor((ino - 1) / inodesPerGroup)
    if (ino < 1 || group >= groups) throw new RunError(`there is no inode ${ino}`)
    const { block, at } = descriptorPlace(group, this.head)
    const descriptor = await this.#pages.bytes(block * blockBytes + at, descriptorBytes)
    const high = descriptorBytes >= 64 ? descriptor.readUInt32LE(0x28) : 0
    const table = high * 2 ** 32 + descriptor.readUInt32LE(8)
    return table * blockBytes + ((ino - 1) % inodesPerGroup) * inodeBytes
  }

  /** Where the content of an inode lies, in the image, cut to its size. */
  async extents(ino: number, inode: ExtInode): Promise<readonly Range[]> {
    const { size, flags, block } = inode
    if (size === 0) return []
    if ((flags & inlineContent) !== 0) return this.#inline(ino, size)
    const wanted = Math.ceil(size / this.head.blockBytes)
    const runs =
      (flags & extentTree) === 0 ? this.#mapped(block, wanted) : this.#extents(block, { next: 0, wanted }, 0)
    return this.#ranges(runs, size)
  }

  async #ranges(runs: AsyncIterable<Run>, size: number): Promise<readonly Range[]> {
    const { blockBytes } = this.head
    const ranges: { start: number; end: number }[] = []
    let left = size
    const add = (start: number, bytes: number): void => {
      push(ranges, { start, end: start === -1 ? bytes : start + bytes })
      left -= bytes
    }
    for await (const { block, blocks } of runs) {
      const bytes = Math.min(left, blocks * blockBytes)
      if (bytes > 0) add(block === 0 ? -1 : this.#start + block * blockBytes, bytes)
      if (left === 0) break
    }
    if (left > 0) add(-1, left)
    return ranges
  }

  /** Leaves of an extent tree in file order; gaps, and what was allocated but never written, are holes. */
  async *#extents(node: Buffer, state: { next: number; wanted: number }, level: number): AsyncGenerator<Run> {
    if (node.length < 12 || node.readUInt16LE(0) !== 0xf30a || level > 5)
      throw new RunError('its tree of extents is damaged')
    const [entries, depth] = [node.readUInt16LE(2), node.readUInt16LE(6)]
    for (
      let at = 12;
      at < 12 + entries * 12 && at + 12 <= node.length && state.next < state.wanted;
      at += 12
    ) {
      const first = node.readUInt32LE(at)
      if (depth > 0) {
        const below = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32
        yield* this.#extents(await this.#block(below), state, level + 1)
        continue
      }
      const stated = node.readUInt16LE(at + 4)
      const blocks = stated > 32_768 ? stated - 32_768 : stated
      const block = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32
      if (first < state.next) throw new RunError('its tree of extents is damaged')
      if (first > state.next) yield { block: 0, blocks: first - state.next }
      yield { block: stated > 32_768 ? 0 : block, blocks }
      state.next = first + blocks
    }
  }

  /** Twelve blocks, then a block of blocks, one of those, and one of those. */
  async *#mapped(map: Buffer, wanted: number): AsyncGenerator<Run> {
    const state = { left: wanted }
    for (let slot = 0; slot < 15 && state.left > 0; slot += 1)
      yield* this.#below(map.readUInt32LE(slot * 4), Math.max(0, slot - 11), state)
  }

  async *#below(block: number, level: number, state: { left: number }): AsyncGenerator<Run> {
    const perBlock = this.head.blockBytes / 4
    if (level === 0 || block === 0) {
      const blocks = Math.min(state.left, perBlock ** level)
      state.left -= blocks
      yield { block, blocks }
      return
    }
    // A copy: the page that it comes from may be gone before all of it is used.
    const table = Buffer.from(await this.#block(block))
    for (let at = 0; at < table.length && state.left > 0; at += 4)
      yield* this.#below(table.readUInt32LE(at), level - 1, state)
  }

  #block(block: number): Promise<Buffer> {
    const { blockBytes } = this.head
    return this.#pages.bytes(block * blockBytes, blockBytes)
  }

  /** Small content lies in the inode: 60 bytes where the map would be, the rest in an attribute behind it. */
  async #inline(ino: number, size: number): Promise<readonly Range[]> {
    const place = await this.#placeOf(ino)
    const at = this.#start + place
    const first = { start: at + 0x28, end: at + 0x28 + Math.min(60, size) }
    if (size <= 60) return [first]
    const inode = await this.#pages.bytes(place, this.head.inodeBytes)
    const head = 128 + inode.readUInt16LE(0x80)
    if (head + 4 > inode.length || inode.readUInt32LE(head) !== 0xea020000)
      throw new RunError('the rest of its inline content is not there')
    for (let entry = head + 4; entry + 16 <= inode.length && inode.readUInt32LE(entry) !== 0;) {
      const [nameLength, index] = [inode.readUInt8(entry), inode.readUInt8(entry + 1)]
      const name = inode.toString('latin1', entry + 16, entry + 16 + nameLength)
      // Attribute `system.data`; offsets count from behind the magic number.
      if (index === 7 && name === 'data') {
        const start = at + head + 4 + inode.readUInt16LE(entry + 2)
        return [first, { start, end: start + size - 60 }]
      }
      entry += 16 + Math.ceil(nameLength / 4) * 4
    }
    throw new RunError('the rest of its inline content is not there')
  }
}
