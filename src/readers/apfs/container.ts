// A container of APFS: its newest superblock, the maps of where objects are, and the trees of its volumes.
import { RunError } from '../../model/errors.ts'
import {
  checked,
  keyOf,
  parseContainer,
  parseNode,
  parseVolumeHead,
  wide,
  type ApfsHead,
  type ApfsNode,
  type ApfsRecord,
  type Container,
} from './layout.ts'
import { faultOf, orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'

const deepest = 16
const mostKept = 65_536
const mapValueBytes = 16

export class ApfsContainer {
  readonly pages: Pages
  readonly head: Container

  private constructor(head: Container, pages: Pages) {
    this.head = head
    this.pages = pages
  }

  /** Throws RunError where there is no superblock whose sum is right. */
  static async open(pages: Pages): Promise<ApfsContainer> {
    const first = parseContainer(await pages.bytes(0, 4096))
    const { blockBytes, kept } = first
    let newest: Container | null = null
    const blocks = [
      0,
      ...Array.from({ length: Math.min(kept.blocks, 4096) }, (_none, index) => kept.first + index),
    ]
    for (const at of blocks) {
      const one = await pages
        .bytes(at * blockBytes, blockBytes)
        .then(checked)
        .then(parseContainer)
        .catch(orNothing)
      if (one !== null && one.transaction >= (newest?.transaction ?? 0)) newest = one
    }
    if (newest === null) throw new RunError('no superblock of the container can be read')
    return new ApfsContainer(newest, pages)
  }

  /** The heads of the volumes, with their blocks; or why one cannot be read. */
  async *volumes(): AsyncGenerator<{ readonly block: number; readonly head: ApfsHead } | RunError> {
    const map = new ObjectMap(this, this.head.map, this.head.transaction)
    for (const number of this.head.volumes) {
      try {
        const block = await map.find(number)
        yield { block, head: parseVolumeHead(await this.block(block)) }
      } catch (error) {
        yield faultOf(error)
      }
    }
  }

  /** A block that is an object. Throws RunError where it is not what was written. */
  async block(at: number): Promise<Buffer> {
    const { blockBytes, blocks } = this.head
    if (at >= blocks) throw new RunError(`block ${at} is outside of the container`)
    return checked(Buffer.from(await this.pages.bytes(at * blockBytes, blockBytes)))
  }

  tree(head: ApfsHead): ApfsTree {
    return new ApfsTree(this, new ObjectMap(this, head.map, this.head.transaction), head.root)
  }
}

/** Where objects are that have numbers: for each number, the newest block that is not too new. */
class ObjectMap {
  readonly #container: ApfsContainer
  readonly #at: number
  readonly #transaction: number
  readonly #known = new Map<number, number>()
  #root: number | null = null

  constructor(container: ApfsContainer, at: number, transaction: number) {
    this.#container = container
    this.#at = at
    this.#transaction = transaction
  }

  async find(number: number): Promise<number> {
    const known = this.#known.get(number)
    if (known !== undefined) return known
    this.#root ??= wide(await this.#container.block(this.#at), 48)
    const { value } = await this.#last(this.#root, number)
    const block = wide(value, 8)
    if (this.#known.size >= mostKept) this.#known.clear()
    this.#known.set(number, block)
    return block
  }

  /** The last record that does not come behind the number and the transaction. */
  async #last(root: number, number: number): Promise<ApfsRecord> {
    let at = root
    for (let turn = 0; turn < deepest; turn += 1) {
      const { level, records } = parseNode(await this.#container.block(at), mapValueBytes)
      const last = records.findLast(({ key }) => {
        const own = wide(key, 0)
        return own < number || (own === number && wide(key, 8) <= this.#transaction)
      })
      if (last === undefined) break
      if (level > 0) at = wide(last.value, 0)
      else if (wide(last.key, 0) === number) return last
      else break
    }
    throw new RunError(`where object ${number} is cannot be told`)
  }
}

/** Records of one object of a volume, or what could not be read on the way to some. */
export type Found = (ApfsRecord & { readonly kind: number }) | { readonly fault: RunError }

export class ApfsTree {
  readonly #container: ApfsContainer
  readonly #map: ObjectMap
  readonly #root: number

  constructor(container: ApfsContainer, map: ObjectMap, root: number) {
    this.#container = container
    this.#map = map
    this.#root = root
  }

  /** All records of an object, in their order. A node that cannot be read is told, and those beside it are read. */
  of(number: number): AsyncGenerator<Found> {
    return this.#below(this.#root, null, number)
  }

  async *#below(node: number, level: number | null, number: number): AsyncGenerator<Found> {
    const parsed = await this.#node(node, level)
    if (parsed instanceof RunError) {
      yield { fault: parsed }
      return
    }
    for (const [index, record] of parsed.records.entries()) {
      const own = keyOf(record.key)
      if (own.number > number) break
      if (parsed.level === 0) {
        if (own.number === number) yield { ...record, kind: own.kind }
        continue
      }
      const next = parsed.records[index + 1]
      if (next !== undefined && keyOf(next.key).number < number) continue
      if (record.value.length < 8) yield { fault: new RunError(`node ${node} leads nowhere`) }
      else yield* this.#below(wide(record.value, 0), parsed.level - 1, number)
    }
  }

  async #node(node: number, level: number | null): Promise<ApfsNode | RunError> {
    try {
      const parsed = parseNode(await this.#container.block(await this.#map.find(node)), 0)
      if (parsed.level > deepest || (level !== null && parsed.level !== level))
        throw new RunError(`node ${node} of the tree is not what it should be`)
      return parsed
    } catch (error) {
      return faultOf(error)
    }
  }
}
