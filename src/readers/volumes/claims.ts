// Which blocks of a volume belong to something: what two files claim is found, and how many blocks nobody claims.

/** Above this many blocks there is no memory for a bit each; then they are only counted. */
const mostBlocks = 2 ** 31

export class Claims {
  /** Blocks that were claimed, each claim counted. */
  blocks = 0
  readonly #bits: Buffer

  /** `blocks`: of the volume. */
  constructor(blocks: number) {
    this.#bits = Buffer.alloc(blocks > mostBlocks ? 0 : Math.ceil(blocks / 8))
  }

  /** Claims so many blocks; false if some of them were claimed before. */
  claim(first: number, count: number): boolean {
    this.blocks += count
    const bits = this.#bits
    const end = Math.min(first + count, bits.length * 8)
    let isFree = true
    for (let at = first; at < end;) {
      const byte = at >>> 3
      if ((at & 7) === 0 && end - at >= 8) {
        const last = end >>> 3
        for (let one = byte; isFree && one < last; one += 1) isFree = bits[one] === 0
        bits.fill(0xff, byte, last)
        at = last * 8
        continue
      }
      const bit = 1 << (at & 7)
      if (((bits[byte] ?? 0) & bit) !== 0) isFree = false
      bits[byte] = (bits[byte] ?? 0) | bit
      at += 1
    }
    return isFree
  }
}

const ones = Uint8Array.from({ length: 256 }, (_none, byte) => {
  let count = 0
  for (let left = byte; left > 0; left &= left - 1) count += 1
  return count
})

/** How many bits of a bitmap are set. */
export function countBits(bytes: Buffer): number {
  let count = 0
  for (const byte of bytes) count += ones[byte] ?? 0
  return count
}
