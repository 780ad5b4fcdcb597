// The B-trees of HFS and HFS+: records by the number that their keys begin with, and all leaves in the order of the file.
// Layout: Apple's Technical Note 1150, and Inside Macintosh: Files, chapter 2; big-endian.
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { Range } from '../../model/world.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'

/** How the keys of a tree are built. */
export interface KeyForm {
  /** Bytes of the number that says how long the key is: HFS 1, HFS+ 2. */
  readonly lengthBytes: 1 | 2
  /** Where in the key the number stands by which it is sorted first. */
  readonly numberAt: number
}

export interface TreeRecord {
  readonly number: number
  readonly key: Buffer
  readonly value: Buffer
}

/** A record, or what could not be read on the way to some. */
export type Found = TreeRecord | { readonly fault: RunError }

/** What is in a leaf, and which node that is. */
export interface Leaf {
  readonly node: number
  readonly found: readonly Found[]
}

type Order = (key: Buffer) => number

interface Node {
  readonly kind: number
  readonly height: number
  readonly next: number
  readonly records: readonly TreeRecord[]
  /** Each record whole, key and all. */
  readonly pieces: readonly Buffer[]
}

const leafKind = -1
const indexKind = 0
const mapKind = 2
const descriptorBytes = 14

export class HfsTree {
  /** Records in leaves, as the tree itself says. */
  readonly stated: number
  readonly nodes: number
  readonly #form: KeyForm
  readonly #pages: Pages
  readonly #ranges: readonly Range[]
  readonly #ends: readonly number[]
  readonly #nodeBytes: number
  readonly #root: number
  readonly #depth: number
  readonly #unreadable = new InodeSet()

  private constructor(head: Buffer, ranges: readonly Range[], form: KeyForm, pages: Pages) {
    const own = head.subarray(descriptorBytes)
    this.#nodeBytes = own.readUInt16BE(18)
    this.#depth = own.readUInt16BE(0)
    this.#root = own.readUInt32BE(2)
    this.stated = own.readUInt32BE(6)
    this.#ranges = ranges
    let end = 0
    this.#ends = ranges.map((range) => (end += range.end - range.start))
    const size = this.#nodeBytes
    if (
      head.readInt8(8) !== 1 ||
      size < 512 ||
      size > 32_768 ||
      (size & (size - 1)) !== 0 ||
      this.#depth > 16
    )
      throw new RunError('the head of a tree makes no sense')
    this.nodes = Math.min(own.readUInt32BE(22), Math.floor(end / size))
    this.#form = form
    this.#pages = pages
  }

  /** `ranges`: where the tree lies in the image. Throws RunError where its head cannot be read. */
  static async open(ranges: readonly Range[], form: KeyForm, pages: Pages): Promise<HfsTree> {
    const [first] = ranges
    if (first === undefined || first.end - first.start < 512) throw new RunError('a tree has no head')
    const head = await pages.all([{ start: first.start, end: first.start + 512 }])
    return new HfsTree(head, ranges, form, pages)
  }

  /** Whether a node was asked for in vain. */
  wasUnreadable(number: number): boolean {
    return this.#unreadable.has(BigInt(number))
  }

  /**
   * All records of a number, in their order; with `order` (below 0: the key comes before what is sought) only those that it
   * says 0 of. A node that cannot be read is told, and those beside it are read.
   */
  async *of(number: number, order: Order = () => 0): AsyncGenerator<Found> {
    if (this.#depth > 0) yield* this.#below(this.#root, this.#depth, number, order)
  }

  async *#below(at: number, height: number, number: number, order: Order): AsyncGenerator<Found> {
    const node = await this.#tryNode(at)
    const kind = height === 1 ? leafKind : indexKind
    const isNode = !(node instanceof RunError)
    if (!isNode || node.kind !== kind || node.height !== height) {
      this.#unreadable.add(BigInt(at))
      yield { fault: isNode ? new RunError(`node ${at} of the tree is not what it should be`) : node }
      return
    }
    for (const [index, record] of node.records.entries()) {
      const place = record.number - number || order(record.key)
      if (place > 0) break
      if (kind === leafKind) {
        if (place === 0) yield record
        continue
      }
      const next = node.records[index + 1]
      if (next !== undefined && (next.number - number || order(next.key)) < 0) continue
      if (record.value.length < 4) yield { fault: new RunError(`node ${at} of the tree leads nowhere`) }
      else yield* this.#below(record.value.readUInt32BE(0), height - 1, number, order)
    }
  }

  /** Every leaf that is in use, in the order of the file; one that cannot be read, and was not told before, as a fault. */
  async *leaves(): AsyncGenerator<Leaf> {
    const map = await this.#map()
    for (let at = 1; at < this.nodes; at += 1) {
      if (map !== null && ((map[at >>> 3] ?? 0xff) & (0x80 >>> (at & 7))) === 0) continue
      const node = await this.#tryNode(at)
      if (!(node instanceof RunError)) {
        if (node.kind === leafKind && !this.wasUnreadable(at)) yield { node: at, found: node.records }
      } else if (!this.wasUnreadable(at)) yield { node: at, found: [{ fault: node }] }
    }
  }

  /** The records of a leaf that was met. */
  async leaf(at: number): Promise<readonly TreeRecord[]> {
    const node = await this.#tryNode(at)
    return node instanceof RunError ? [] : node.records
  }

  /** Which nodes are in use, from the first bit of the first byte on; null: it cannot be told. */
  async #map(): Promise<Buffer | null> {
    const pieces: Buffer[] = []
    const met = new Set<number>()
    for (let at = 0; !met.has(at) && met.size <= this.nodes;) {
      met.add(at)
      const node = await this.#tryNode(at)
      if (node instanceof RunError || (at > 0 && node.kind !== mapKind)) return null
      const piece = node.pieces[at === 0 ? 2 : 0]
      if (piece === undefined) return null
      pieces.push(piece)
      if (node.next === 0) return Buffer.concat(pieces)
      at = node.next
    }
    return null
  }

  /** Or why it cannot be read. */
  async #tryNode(at: number): Promise<Node | RunError> {
    try {
      return this.#parse(await this.#bytes(at))
    } catch (error) {
      return faultOf(error)
    }
  }

  async #bytes(at: number): Promise<Buffer> {
    if (at >= this.nodes) throw new RunError('there is none of that number')
    const size = this.#nodeBytes
    const from = at * size
    let [low, high] = [0, this.#ends.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) > from) high = middle
      else low = middle + 1
    }
    const ranges: Range[] = []
    let [left, skip] = [size, from - (low === 0 ? 0 : (this.#ends[low - 1] ?? 0))]
    for (let index = low; left > 0; index += 1, skip = 0) {
      const range = this.#ranges[index]
      if (range === undefined) throw new RunError('it is past the end of the tree')
      const length = Math.min(left, range.end - range.start - skip)
      ranges.push({ start: range.start + skip, end: range.start + skip + length })
      left -= length
    }
    // A copy: many directories may be open at once, and each would keep a whole page.
    return Buffer.from(await this.#pages.all(ranges))
  }

  #parse(bytes: Buffer): Node {
    const [kind, height, count] = [bytes.readInt8(8), bytes.readUInt8(9), bytes.readUInt16BE(10)]
    if (count === 0 && bytes.every((byte) => byte === 0)) throw new RunError('only zeros are there')
    if (kind < leafKind || kind > mapKind || (count + 1) * 2 > bytes.length - descriptorBytes)
      throw new RunError('it makes no sense')
    const pieces: Buffer[] = []
    for (let index = 0; index < count; index += 1) {
      const start = bytes.readUInt16BE(bytes.length - 2 * (index + 1))
      const end = bytes.readUInt16BE(bytes.length - 2 * (index + 2))
      if (start < descriptorBytes || end < start || end > bytes.length - 2 * (count + 1))
        throw new RunError('its records make no sense')
      pieces.push(bytes.subarray(start, end))
    }
    const isTree = kind === leafKind || kind === indexKind
    const records = isTree ? pieces.map((piece) => this.#record(piece)) : []
    for (const [index, { number }] of records.entries())
      if (number < (records[index - 1]?.number ?? 0)) throw new RunError('its records are out of order')
    return { kind, height, next: bytes.readUInt32BE(0), records, pieces }
  }

  #record(piece: Buffer): TreeRecord {
    const { lengthBytes, numberAt } = this.#form
    const length = piece.length < 2 ? 0 : lengthBytes === 1 ? piece.readUInt8(0) : piece.readUInt16BE(0)
    const end = lengthBytes + length
    if (length === 0 || end > piece.length || end < numberAt + 4)
      throw new RunError('a key of it makes no sense')
    // Values begin at even bytes.
    return {
      number: piece.readUInt32BE(numberAt),
      key: piece.subarray(0, end),
      value: piece.subarray(end + (end & 1)),
    }
  }
}
