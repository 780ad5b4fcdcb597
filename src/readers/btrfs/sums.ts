// The checksums of btrfs: CRC-32C, and SHA-256; of others it is not known whether they hold. Pure.
import { createHash } from 'node:crypto'
import { crc32c } from '../crc32c.ts'

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
