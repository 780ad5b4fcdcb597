// Numbers and bytes that look like chance and are the same on every machine.
import { createCipheriv, createHash } from 'node:crypto'

export interface Random {
  /** 0 (included) to 1 (excluded). */
  next(): number
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number
  /** The same, small ones as likely as large ones: the logarithm is spread evenly. */
  spread(from: number, to: number): number
  pick<T>(from: readonly T[]): T
}

/** A generator of 32-bit numbers (sfc32) from a seed of any text. */
export function seeded(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest()
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as [
    number,
    number,
    number,
    number,
  ]
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    between,
    spread: (from, to) =>
      Math.min(to, Math.floor(Math.exp(Math.log(from) + next() * (Math.log(to + 1) - Math.log(from))))),
    pick: (from) => {
      const picked = from[between(0, from.length - 1)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
  }
}

/** Bytes that no program makes smaller: the key stream of a cipher, some GB a second. */
export function noise(seed: string): (bytes: number) => Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  return (bytes) => cipher.update(Buffer.alloc(bytes))
}
