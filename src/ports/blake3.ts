// BLAKE3-256 by the native addon, for files and for bytes that pass by.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import type { Hasher } from '../model/world.ts'

/** A new hasher for bytes that the caller reads anyway. */
export function openHasher(): Hasher {
  const hasher = new Blake3Hasher()
  let bytes = 0
  return {
    update(chunk) {
      bytes += chunk.length
      hasher.update(chunk)
    },
    digest: () => ({ bytes, blake3: hasher.digest('hex') }),
  }
}
