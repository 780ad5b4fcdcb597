// Decompression of LZNT1, as NTFS compresses files. Pure. Format: Microsoft's MS-XCA, section 2.5.
import { RunError } from '../../model/errors.ts'

const chunkBytes = 4096

/** So many bytes out of compressed ones; what is not told is zeros. Throws RunError for what cannot be. */
export function decompressed(packed: Buffer, length: number): Buffer {
  const out = Buffer.alloc(length)
  let at = 0
  for (let base = 0; base < length && at + 2 <= packed.length; base += chunkBytes) {
    const head = packed.readUInt16LE(at)
    if (head === 0) break
    const end = at + 3 + (head & 0xfff)
    if (end > packed.length || (head & 0x7000) !== 0x3000)
      throw new RunError('its compressed bytes make no sense')
    const room = out.subarray(base, base + chunkBytes)
    if ((head & 0x8000) === 0) packed.copy(room, 0, at + 2, end)
    else unpackChunk(packed.subarray(at + 2, end), room)
    at = end
  }
  return out
}

/** A byte tells what the next eight are: bytes that stand for themselves, or pairs of distance and length. */
function unpackChunk(packed: Buffer, out: Buffer): void {
  let filled = 0
  for (let at = 0; at < packed.length;) {
    let kinds = packed[at] ?? 0
    at += 1
    for (let index = 0; index < 8 && at < packed.length; index += 1, kinds >>>= 1) {
      if ((kinds & 1) === 0) {
        if (filled < out.length) out[filled] = packed[at] ?? 0
        filled += 1
        at += 1
        continue
      }
      if (at + 2 > packed.length) throw new RunError('its compressed bytes make no sense')
      const pair = packed.readUInt16LE(at)
      at += 2
      // The further on in the chunk, the more bits the distance has, and the fewer the length.
      let far = 4
      while (filled > 1 << far && far < 12) far += 1
      const distance = (pair >>> (16 - far)) + 1
      const length = (pair & (0xffff >>> far)) + 3
      if (distance > filled) throw new RunError('its compressed bytes make no sense')
      const stop = Math.min(filled + length, out.length)
      for (let to = filled; to < stop; to += 1) out[to] = out[to - distance] ?? 0
      filled += length
    }
  }
}
