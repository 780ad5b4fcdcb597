// The checksums of btrfs: CRC-32C, and SHA-256; of others it is not known whether they hold. Pure.
import { createHash } from 'node:crypto'

/** CRC-32C (Castagnoli), reflected, as in RFC 3720. */
const table = Uint32Array.from({ length: 256 }, (_none, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1
  return value >>> 0
})

export function crc32c(bytes: Buffer): number {
  let value = 0xffff_ffff
  for (const byte of bytes) value = (table[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8)
  return ~value >>> 0
}

/** Kinds by their number on disk: how many bytes one takes, and how it is made; null: there is nothing here that makes it. */
export interface SumKind {
  readonly name: string
  readonly bytes: number
  readonly of: ((bytes: Buffer) => Buffer) | null
}

const kinds: readonly SumKind[] = [
  {
    name: 'crc32c',
    bytes: 4,
    of: (bytes) => {
      const sum = Buffer.alloc(4)
      sum.writeUInt32LE(crc32c(bytes))
      return sum
    },
  },
  { name: 'xxhash64', bytes: 8, of: null },
  { name: 'sha256', bytes: 32, of: (bytes) => createHash('sha256').update(bytes).digest() },
  { name: 'blake2b', bytes: 32, of: null },
]

export const sumKind = (number: number): SumKind | null => kinds[number] ?? null

/** Whether bytes have this sum; one that cannot be made here is taken to hold. */
export const holds = (kind: SumKind, bytes: Buffer, sum: Buffer): boolean =>
  kind.of === null || kind.of(bytes).equals(sum.subarray(0, kind.bytes))
