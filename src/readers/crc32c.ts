// The checksum CRC-32C (Castagnoli, reflected, as in RFC 3720) by a table: xfs and btrfs keep it. Pure.

const table = Uint32Array.from({ length: 256 }, (_none, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78
  return value >>> 0
})

/** As an unsigned number. */
export const crc32c = (bytes: Buffer): number => crc32cWithout(bytes, bytes.length)

/** Of bytes whose own checksum, four bytes from `at`, counts as zeros; as an unsigned number. */
export function crc32cWithout(bytes: Buffer, at: number): number {
  let sum = 0xffffffff
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = index >= at && index < at + 4 ? 0 : (bytes[index] ?? 0)
    sum = (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0)
  }
  return (sum ^ 0xffffffff) >>> 0
}

/** Whether the checksum in bytes (little-endian, as xfs keeps nothing else) is theirs. */
export const hasOwnSum = (bytes: Buffer, at: number): boolean =>
  bytes.readUInt32LE(at) === crc32cWithout(bytes, at)
