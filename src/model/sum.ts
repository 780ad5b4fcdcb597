// A digest of a collection whose order does not matter: the sum of a 64-bit hash of each member.

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

const avalanche = (word: number): number => {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
}

/**
 * Tells two collections of byte strings apart, whatever their order; equal members count as often as they occur. It finds
 * accidents and alterations, with 2^-64 for the chance of missing one; it is no seal against a forger, who has SHA-256
 * and BLAKE3 to beat elsewhere. Fast enough in JavaScript for millions of rows a second.
 */
export class Sum {
  members = 0
  #a = 0
  #b = 0
  #first = 0
  #second = 0

  /** Takes the bytes `start` to `end` of a view into the member that is being put together. */
  take(view: DataView, start: number, end: number): this {
    let a = this.#a ^ (end - start)
    let b = this.#b
    let at = start
    for (; at + 4 <= end; at += 4) {
      const word = view.getInt32(at, true)
      a = Math.imul(rotate(a + Math.imul(word, 0x85ebca77), 13), 0x9e3779b1)
      b = (Math.imul(rotate(b ^ Math.imul(word, 0xc2b2ae3d), 17), 0x27d4eb2f) + a) | 0
    }
    for (; at < end; at += 1) {
      const byte = view.getUint8(at)
      a = Math.imul(rotate(a + Math.imul(byte, 0x165667b1), 11), 0x9e3779b1)
      b = (Math.imul(rotate(b ^ Math.imul(byte, 0x85ebca77), 19), 0xc2b2ae3d) + a) | 0
    }
    this.#a = a
    this.#b = b
    return this
  }

  /** Ends the member. */
  close(): void {
    const a = avalanche(this.#a ^ rotate(this.#b, 7))
    const b = avalanche(this.#b + a)
    this.#first = (this.#first + a) >>> 0
    this.#second = (this.#second + b) >>> 0
    this.#a = 0
    this.#b = 0
    this.members += 1
  }

  /** 16 lower-case hex digits. */
  hex(): string {
    return [this.#first, this.#second].map((word) => word.toString(16).padStart(8, '0')).join('')
  }
}
