// Decompression of LZO1X, and of the segments in which btrfs keeps it. Pure.
// Format: the Linux kernel's Documentation/staging/lzo.rst (version 0); on-disk format of btrfs for the segments.
import { RunError } from '../../model/errors.ts'

const nonsense = (): RunError => new RunError('its compressed bytes make no sense')

/** The length of all of it, then segments: each its own length, and what unpacks to one sector. No length is cut by a sector's end. */
export function unpackSegments(packed: Buffer, length: number, sectorBytes: number): Buffer {
  if (packed.length < 8) throw nonsense()
  const end = packed.readUInt32LE(0)
  if (end > packed.length) throw nonsense()
  const out = Buffer.alloc(length)
  let [at, filled] = [4, 0]
  while (at + 4 <= end && filled < length) {
    const room = sectorBytes - (at % sectorBytes)
    if (room < 4) {
      at += room
      continue
    }
    const bytes = packed.readUInt32LE(at)
    at += 4
    if (bytes === 0 || at + bytes > end) throw nonsense()
    const most = Math.min(sectorBytes, length - filled)
    filled += unpackLzo(packed.subarray(at, at + bytes), out.subarray(filled, filled + most))
    at += bytes
  }
  // The end of a file is packed as it is, and counted in whole sectors: zeros stand behind it.
  if (length - filled >= sectorBytes) throw nonsense()
  return out
}

/** Fills `out`, which may be shorter than what is packed, and returns how many bytes of it were filled. */
export function unpackLzo(packed: Buffer, out: Buffer): number {
  let [at, filled] = [0, 0]
  const next = (): number => {
    const byte = packed[at]
    if (byte === undefined) throw nonsense()
    at += 1
    return byte
  }
  /** A length in so many bits of an instruction; 0 there: the bits' largest number, 255 for each zero, and the byte behind. */
  const lengthOf = (value: number, largest: number): number => {
    if (value > 0) return value
    let length = largest
    let byte = next()
    for (; byte === 0; byte = next()) length += 255
    return length + byte
  }
  const literals = (count: number): void => {
    if (at + count > packed.length) throw nonsense()
    packed.copy(out, filled, at, at + count)
    filled += count
    at += count
  }
  /** The copy may run into what it makes. */
  const repeat = (distance: number, count: number): void => {
    if (distance > filled) throw nonsense()
    for (let index = 0; index < count && filled < out.length; index += 1, filled += 1)
      out[filled] = out[filled - distance] ?? 0
  }
  /** How many literals the last instruction copied; 4 stands for more than 3. */
  let state = 0
  const first = packed[0] ?? 0
  if (first > 17) {
    at = 1
    literals(first - 17)
    state = Math.min(first - 17, 4)
  }
  while (filled < out.length) {
    const code = next()
    let tail = code
    if (code >= 64) {
      const high = next()
      repeat(
        (high << 3) + ((code >>> 2) & 7) + 1,
        code >= 128 ? 5 + ((code >>> 5) & 3) : 3 + ((code >>> 5) & 1),
      )
    } else if (code >= 16) {
      const isFar = code < 32
      const count = 2 + (isFar ? lengthOf(code & 7, 7) : lengthOf(code & 31, 31))
      tail = next()
      const distance = (next() << 6) + (tail >>> 2)
      const base = 16_384 + ((code & 8) << 11)
      // The end of the stream.
      if (isFar && base + distance === 16_384) break
      repeat(isFar ? base + distance : distance + 1, count)
    } else if (state === 0) {
      literals(3 + lengthOf(code, 15))
      state = 4
      continue
    } else {
      const high = next()
      if (state === 4) repeat((high << 2) + (code >>> 2) + 2049, 3)
      else repeat((high << 2) + (code >>> 2) + 1, 2)
    }
    state = tail & 3
    if (state > 0) literals(state)
  }
  return Math.min(filled, out.length)
}
