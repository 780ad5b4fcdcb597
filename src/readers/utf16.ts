// Names of 16-bit units as bytes: every name stays different from every other.

/** UTF-16 into UTF-8; half a pair keeps its number, as three bytes, so that no two names become one. */
export const utf8 = (units: readonly number[]): Buffer => bytesOf(String.fromCharCode(...units))

/** The same, of bytes with the low half of each unit first. */
export const utf8Of = (units: Buffer): Buffer => bytesOf(units.toString('utf16le'))

function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  return Buffer.concat(
    Array.from(text, (point) => {
      const code = point.codePointAt(0) ?? 0
      return code >= 0xd800 && code < 0xe000
        ? Buffer.from([0xe0 | (code >>> 12), 0x80 | ((code >>> 6) & 0x3f), 0x80 | (code & 0x3f)])
        : Buffer.from(point)
    }),
  )
}

/** null: nothing to mend. A slash or a zero would make another path of it; an empty name or dots none at all. */
export function mend(name: Buffer): Buffer | null {
  if (name.length === 0) return Buffer.from('_')
  if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)))
    return Buffer.alloc(name.length, '_')
  if (!name.includes(0x2f) && !name.includes(0)) return null
  return Buffer.from(name.map((byte) => (byte === 0x2f || byte === 0 ? 0x5f : byte)))
}
