// A volume of btrfs: its newest superblock, where logical addresses lie, and its trees.
import { RunError } from '../../model/errors.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Volume } from '../../model/entry.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'
import {
  chunkBytes,
  keyAt,
  keyBytes,
  kinds,
  parseChunk,
  parseRoot,
  parseSuperblock,
  superblockBytes,
  superblocks,
  type Chunk,
  type Key,
  type RootRecord,
  type Superblock,
  type TreeTop,
} from './layout.ts'
import { BtrfsNode, compareKeys, type Expected } from './node.ts'

const deepest = 8
const keptBytes = 32 * 2 ** 20
const lastOffset = 2n ** 64n - 1n
const knownIncompat = 0xfffn | 0x10000n

/** An item of a tree, or what could not be read on the way to some. */
export type Found =
  | { readonly key: Key; readonly value: Buffer; readonly start: number }
  | { readonly fault: RunError }

export class BtrfsVolume {
  readonly head: Superblock
  readonly pages: Pages
  readonly #place: Pick<Volume, 'start' | 'bytes'>
  #chunks: readonly Chunk[] = []
  #chunkFault: RunError | null = null
  /** The most recently used come last. */
  readonly #nodes = new Map<number, BtrfsNode>()

  private constructor(head: Superblock, pages: Pages, place: Pick<Volume, 'start' | 'bytes'>) {
    this.head = head
    this.pages = pages
    this.#place = place
  }

  /** Throws RunError where there is no superblock, or the volume is spread over several devices. */
  static async open(place: Pick<Volume, 'start' | 'bytes'>, pages: Pages): Promise<BtrfsVolume> {
    const head = await superblockOf(place, pages)
    if (head.devices > 1)
      throw new RunError(`it is spread over ${head.devices} devices, and this is one of them`)
    const unknown = head.incompat & ~knownIncompat
    if (unknown !== 0n) throw new RunError(`it has features that are not read: 0x${unknown.toString(16)}`)
    const volume = new BtrfsVolume(head, pages, place)
    await volume.#readChunks()
    return volume
  }

  /** Where the bytes of a logical range lie, each copy as its start in the image. Throws RunError where that cannot be told. */
  copies(at: number, length: number): readonly number[] {
    const chunk = this.#chunkOf(at)
    if (chunk === undefined) {
      if (this.#chunkFault instanceof UnreadError) throw this.#chunkFault
      const why = this.#chunkFault === null ? '' : ` (${this.#chunkFault.message})`
      throw new RunError(`where address ${at} lies cannot be told${why}`)
    }
    if (chunk.fault !== null) throw new RunError(chunk.fault)
    if (at + length > chunk.end)
      throw new RunError(`what lies at address ${at} goes on past the end of its chunk`)
    const copies = chunk.copies
      .map((start) => start + at - chunk.start)
      .filter((start) => start + length <= this.#place.bytes)
    if (copies.length === 0) throw new RunError('it lies past the end of the partition')
    return copies.map((start) => this.#place.start + start)
  }

  /** The bytes of a logical range from the first copy of which `isRight`; throws as the first of them did. */
  async stored(at: number, length: number, isRight: (bytes: Buffer) => boolean): Promise<Buffer> {
    return this.#first(this.copies(at, length), length, (bytes) => {
      if (!isRight(bytes)) throw new RunError('its content is not what was written: the checksum is another')
      return bytes
    })
  }

  /** Items from one key to another, both included, in their order. A block that cannot be read is told, and those beside it are read. */
  items(top: TreeTop, from: Key, to: Key): AsyncGenerator<Found> {
    return this.#below(top, from, to)
  }

  /** All items of one kind of a number. */
  of(top: TreeTop, id: bigint, kind: number, from = 0n): AsyncGenerator<Found> {
    return this.items(top, { id, kind, offset: from }, { id, kind, offset: lastOffset })
  }

  /** The newest record of a tree. Throws RunError where there is none that can be read. */
  async root(id: bigint): Promise<RootRecord> {
    let last: RootRecord | null = null
    for await (const found of this.of(this.head.roots, id, kinds.root)) {
      if ('fault' in found) throw found.fault
      last = parseRoot(found.value)
    }
    if (last === null) throw new RunError(`there is no tree ${id}`)
    return last
  }

  async #readChunks(): Promise<void> {
    const { systemChunks, chunks, device } = this.head
    const known: Chunk[] = []
    for (let at = 0; at + keyBytes + 48 <= systemChunks.length;) {
      const value = systemChunks.subarray(at + keyBytes)
      known.push(parseChunk(keyAt(systemChunks, at).offset, value, device))
      at += keyBytes + chunkBytes(value)
    }
    this.#chunks = known
    const found = new Map(known.map((chunk) => [chunk.start, chunk]))
    for await (const one of this.of(chunks, 256n, kinds.chunk)) {
      try {
        if ('fault' in one) throw one.fault
        const chunk = parseChunk(one.key.offset, one.value, device)
        found.set(chunk.start, chunk)
      } catch (error) {
        this.#chunkFault ??= faultOf(error)
      }
    }
    this.#chunks = [...found.values()].toSorted((one, other) => one.start - other.start)
  }

  #chunkOf(at: number): Chunk | undefined {
    let [low, high] = [0, this.#chunks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#chunks[middle]?.end ?? 0) <= at) low = middle + 1
      else high = middle
    }
    const chunk = this.#chunks[low]
    return chunk !== undefined && chunk.start <= at ? chunk : undefined
  }

  async *#below(top: Expected, from: Key, to: Key): AsyncGenerator<Found> {
    let node: BtrfsNode
    try {
      node = await this.#node(top)
    } catch (error) {
      yield { fault: faultOf(error) }
      return
    }
    const first = node.firstFrom(from)
    if (node.level > 0) {
      // The block before the first one that begins behind the key may hold it.
      const begin =
        first < node.count && compareKeys(node.key(first), from) === 0 ? first : Math.max(first - 1, 0)
      for (let index = begin; index < node.count; index += 1) {
        if (compareKeys(node.key(index), to) > 0) return
        yield* this.#below(node.below(index), from, to)
      }
      return
    }
    for (let index = first; index < node.count; index += 1) {
      const key = node.key(index)
      if (compareKeys(key, to) > 0) return
      let value: ReturnType<BtrfsNode['value']>
      try {
        value = node.value(index)
      } catch (error) {
        yield { fault: faultOf(error) }
        continue
      }
      yield { key, value: value.bytes, start: value.start }
    }
  }

  async #node(expected: Expected): Promise<BtrfsNode> {
    const { at, level, generation } = expected
    const known = this.#nodes.get(at)
    if (known?.level === level && known.generation === generation) {
      this.#nodes.delete(at)
      this.#nodes.set(at, known)
      return known
    }
    const { nodeBytes } = this.head
    if (level > deepest) throw new RunError(`a tree of ${level} levels makes no sense`)
    let node: BtrfsNode
    try {
      node = await this.#first(
        this.copies(at, nodeBytes),
        nodeBytes,
        (bytes, start) => new BtrfsNode(Buffer.from(bytes), start, { at, level, generation }, this.head),
      )
    } catch (error) {
      const fault = faultOf(error)
      throw fault instanceof UnreadError ? fault : new RunError(`tree block ${at}: ${fault.message}`)
    }
    const oldest = this.#nodes.keys().next()
    if (this.#nodes.size * nodeBytes >= keptBytes && oldest.done !== true) this.#nodes.delete(oldest.value)
    this.#nodes.set(at, node)
    return node
  }

  /** What is made of the first copy of which something can be made; what was never read is told rather than what is wrong. */
  async #first<T>(
    copies: readonly number[],
    length: number,
    made: (bytes: Buffer, start: number) => T,
  ): Promise<T> {
    let fault: RunError | null = null
    for (const start of copies) {
      try {
        return made(await this.pages.bytes(start - this.#place.start, length), start)
      } catch (error) {
        const own = faultOf(error)
        if (fault === null || (own instanceof UnreadError && !(fault instanceof UnreadError))) fault = own
      }
    }
    throw fault ?? new RunError('it is nowhere')
  }
}

/** The first one; where that is bad, the newest of the others. */
async function superblockOf({ bytes }: Pick<Volume, 'bytes'>, pages: Pages): Promise<Superblock> {
  let fault: RunError | null = null
  let newest: Superblock | null = null
  for (const at of superblocks) {
    if (at + superblockBytes > bytes) break
    try {
      const one = parseSuperblock(await pages.bytes(at, superblockBytes), at)
      if (fault === null) return one
      if (newest === null || one.generation > newest.generation) newest = one
    } catch (error) {
      fault ??= faultOf(error)
    }
  }
  if (newest === null) throw fault ?? new RunError('there is no btrfs superblock')
  return newest
}
