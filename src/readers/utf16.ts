// Names of 16-bit units as bytes: every name stays different from every other.

/** UTF-16 into UTF-8; half a pair keeps its number, as three bytes, so that no two names become one. */
export function utf8(units: readonly number[]): Buffer {
  const text = String.fromCharCode(...units)
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
