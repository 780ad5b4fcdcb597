// Which inode numbers were met: exact, and small because numbers come in clumps.
import { halvesOf } from './halves.ts'

/**
 * A set of unsigned 64-bit numbers in typed arrays: a hash table of 32-number words, 12 bytes each. Filesystems number
 * their inodes densely, so that 50 million of them take some 40 MB; scattered numbers take up to 36 bytes each.
 */
export class InodeSet {
  #high = new Uint32Array(1024)
  #low = new Uint32Array(1024)
  /** Which of the 32 numbers are there; 0 is a free slot. */
  #bits = new Uint32Array(1024)
  #words = 0
  size = 0

  has(ino: bigint): boolean {
    const { high, low } = halvesOf(ino)
    return this.hasHalves(high, low)
  }

  /** As `has`, of a number in its halves. */
  hasHalves(high: number, low: number): boolean {
    const word = ((high << 27) | (low >>> 5)) >>> 0
    return ((this.#bits[this.#slot(high >>> 5, word)] ?? 0) & (1 << (low & 31))) !== 0
  }

  /** Adds; false if it was there already. */
  add(ino: bigint): boolean {
    const { high, low } = halvesOf(ino)
    return this.addHalves(high, low)
  }

  /** As `add`, of a number in its halves. */
  addHalves(upper: number, lower: number): boolean {
    const bit = 1 << (lower & 31)
    const high = upper >>> 5
    const low = ((upper << 27) | (lower >>> 5)) >>> 0
    let slot = this.#slot(high, low)
    const bits = this.#bits[slot] ?? 0
    if ((bits & bit) !== 0) return false
    if (bits === 0) {
      if (this.#words * 3 >= this.#bits.length * 2) {
        this.#grow()
        slot = this.#slot(high, low)
      }
      this.#words += 1
      this.#high[slot] = high
      this.#low[slot] = low
    }
    this.#bits[slot] = bits | bit
    this.size += 1
    return true
  }

  /** The word's slot, or the free one where it belongs. */
  #slot(high: number, low: number): number {
    const mask = this.#bits.length - 1
    const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
    let slot = (mixed ^ (mixed >>> 15)) & mask
    while (this.#bits[slot] !== 0 && (this.#low[slot] !== low || this.#high[slot] !== high)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const [highs, lows, words] = [this.#high, this.#low, this.#bits]
    this.#high = new Uint32Array(words.length * 2)
    this.#low = new Uint32Array(words.length * 2)
    this.#bits = new Uint32Array(words.length * 2)
    for (const [old, bits] of words.entries()) {
      if (bits === 0) continue
      const slot = this.#slot(highs[old] ?? 0, lows[old] ?? 0)
      this.#high[slot] = highs[old] ?? 0
      this.#low[slot] = lows[old] ?? 0
      this.#bits[slot] = bits
    }
  }
}
