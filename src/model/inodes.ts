// Which inode numbers were met: exact, and small because numbers come in clumps.
import { halvesOf } from './halves.ts'

/** Words of a leaf: the upper bits of its numbers in two, and which of its 128 numbers are there in four. */
const leafWords = 6
const segmentBits = 9
const segmentLeaves = 1 << segmentBits
/** Odd, and others in each process: whoever numbers the inodes of a medium cannot have them all fall on one slot. */
const [ofHigh = 1, ofBoth = 1] = crypto.getRandomValues(new Uint32Array(2)).map((number) => number | 1)

/**
 * A set of unsigned 64-bit numbers: leaves of 128 numbers each, found by a hash table. Leaves lie in segments that never move,
 * so what doubles when the set grows is the table alone. Filesystems number their inodes densely: 50 million of them take
 * some 13 MB, and a twentieth of these no more. Scattered numbers take up to 40 bytes each.
 */
export class InodeSet {
  readonly #segments: Uint32Array[] = []
  /** Leaf + 1 by hash, 0 for a free slot; never more than two thirds full. */
  #slots = new Uint32Array(256)
  #leaves = 0
  size = 0

  has(ino: bigint): boolean {
    const { high, low } = halvesOf(ino)
    return this.hasHalves(high, low)
  }

  /** As `has`, of a number in its halves. */
  hasHalves(high: number, low: number): boolean {
    const leaf = this.#slots[this.#slot(high >>> 7, upperOf(high, low))] ?? 0
    return leaf !== 0 && ((this.#word(leaf, wordOf(low)) >>> (low & 31)) & 1) !== 0
  }

  /** Adds; false if it was there already. */
  add(ino: bigint): boolean {
    const { high, low } = halvesOf(ino)
    return this.addHalves(high, low)
  }

  /** As `add`, of a number in its halves. */
  addHalves(high: number, low: number): boolean {
    const slot = this.#slot(high >>> 7, upperOf(high, low))
    const leaf = (this.#slots[slot] ?? 0) || this.#grown(slot, high >>> 7, upperOf(high, low))
    const segment = this.#segments[(leaf - 1) >>> segmentBits]
    if (segment === undefined) throw new Error('a leaf lies in no segment')
    const at = placeOf(leaf) + wordOf(low)
    const bits = segment[at] ?? 0
    const bit = 1 << (low & 31)
    if ((bits & bit) !== 0) return false
    segment[at] = bits | bit
    this.size += 1
    return true
  }

  #word(leaf: number, word: number): number {
    return this.#segments[(leaf - 1) >>> segmentBits]?.[placeOf(leaf) + word] ?? 0
  }

  /** The leaf's slot, or the free one where it belongs. */
  #slot(high: number, low: number): number {
    const mask = this.#slots.length - 1
    const mixed = Math.imul(low ^ Math.imul(high, ofHigh), ofBoth)
    let slot = (mixed ^ (mixed >>> 15)) & mask
    for (let leaf = this.#slots[slot] ?? 0; leaf !== 0; leaf = this.#slots[slot] ?? 0) {
      if (this.#word(leaf, 1) === low && this.#word(leaf, 0) === high) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  /** A new leaf at a free slot. */
  #grown(free: number, high: number, low: number): number {
    let slot = free
    if (this.#leaves * 3 >= this.#slots.length * 2) {
      this.#widen()
      slot = this.#slot(high, low)
    }
    if (this.#leaves % segmentLeaves === 0) this.#segments.push(new Uint32Array(segmentLeaves * leafWords))
    this.#leaves += 1
    const leaf = this.#leaves
    this.#slots[slot] = leaf
    this.#segments.at(-1)?.set([high, low], placeOf(leaf))
    return leaf
  }

  #widen(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let leaf = 1; leaf <= this.#leaves; leaf += 1)
      this.#slots[this.#slot(this.#word(leaf, 0), this.#word(leaf, 1))] = leaf
  }
}

/** Where a leaf begins in its segment. */
const placeOf = (leaf: number): number => ((leaf - 1) & (segmentLeaves - 1)) * leafWords
/** The lower of a leaf's two words: what of a number's lower half is above its 128 places, below the last bits of the upper half. */
const upperOf = (high: number, low: number): number => ((high << 25) | (low >>> 7)) >>> 0
const wordOf = (low: number): number => 2 + ((low >>> 5) & 3)
