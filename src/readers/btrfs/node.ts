// One block of a tree: what it must be to be believed, and its items by their keys. Pure.
import { RunError } from '../../model/errors.ts'
import { keyAt, keyBytes, wide, type Key, type Superblock } from './layout.ts'
import { holds } from './sums.ts'

const headBytes = 101
const itemBytes = keyBytes + 8
const pointerBytes = keyBytes + 16

/** What leads to a block says of it. */
export interface Expected {
  readonly at: number
  readonly level: number
  readonly generation: bigint
}

export class BtrfsNode {
  readonly level: number
  readonly count: number
  readonly generation: bigint
  /** Where in the image the copy lies that was read. */
  readonly start: number
  readonly #bytes: Buffer

  /** Throws RunError where it is not the block that was expected. */
  constructor(bytes: Buffer, start: number, { at, level, generation }: Expected, head: Superblock) {
    if (!holds(head.sum, bytes.subarray(32), bytes))
      throw new RunError(bytes.every((byte) => byte === 0) ? 'only zeros are there' : 'its sum is wrong')
    this.level = bytes.readUInt8(100)
    this.count = bytes.readUInt32LE(96)
    this.generation = generation
    if (
      wide(bytes, 48) !== at ||
      !bytes.subarray(32, 48).equals(head.fsid) ||
      this.level !== level ||
      bytes.readBigUInt64LE(80) !== generation
    )
      throw new RunError('another block is there')
    if (headBytes + this.count * (level === 0 ? itemBytes : pointerBytes) > bytes.length)
      throw new RunError('it makes no sense')
    this.start = start
    this.#bytes = bytes
  }

  key(index: number): Key {
    return keyAt(this.#bytes, this.#place(index))
  }

  /** The value of a leaf's item, and where it begins in the image. Throws RunError where it is outside of the leaf. */
  value(index: number): { readonly bytes: Buffer; readonly start: number } {
    const at = this.#place(index) + keyBytes
    const from = headBytes + this.#bytes.readUInt32LE(at)
    const end = from + this.#bytes.readUInt32LE(at + 4)
    if (from < headBytes + this.count * itemBytes || end > this.#bytes.length)
      throw new RunError('an item makes no sense')
    return { bytes: this.#bytes.subarray(from, end), start: this.start + from }
  }

  /** The block below. */
  below(index: number): Expected {
    const at = this.#place(index) + keyBytes
    return {
      at: wide(this.#bytes, at),
      level: this.level - 1,
      generation: this.#bytes.readBigUInt64LE(at + 8),
    }
  }

  /** Of the first item that does not come before a key; `count` where there is none. */
  firstFrom(key: Key): number {
    let [low, high] = [0, this.count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareKeys(this.key(middle), key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #place(index: number): number {
    return headBytes + index * (this.level === 0 ? itemBytes : pointerBytes)
  }
}

export function compareKeys(one: Key, other: Key): number {
  if (one.id !== other.id) return one.id < other.id ? -1 : 1
  if (one.kind !== other.kind) return one.kind - other.kind
  return one.offset === other.offset ? 0 : one.offset < other.offset ? -1 : 1
}
