// Raw frames of CDs made of plain sectors, with address, mode and sum, as a recorder writes them.

const decimal = (value: number): number => Math.floor(value / 10) * 16 + (value % 10)

/** Long division, bit by bit: nothing of the reader's table. */
function sum(bytes: Buffer): number {
  let rest = 0
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit += 1) {
      const carry = (rest ^ (byte >>> bit)) & 1
      rest = (rest >>> 1) ^ (carry === 1 ? 0xd8018001 : 0)
    }
  return rest >>> 0
}

/** One frame of 2352 bytes; the parity at its end is left empty, as no reader of images needs it. */
function frame(data: Buffer, sector: number, mode: 1 | 2): Buffer {
  const out = Buffer.alloc(2352)
  out.fill(0xff, 1, 11)
  const place = sector + 150
  out.set([Math.floor(place / 4500), Math.floor(place / 75) % 60, place % 75].map(decimal), 12)
  out[15] = mode
  if (mode === 1) {
    data.copy(out, 16)
    out.writeUInt32LE(sum(out.subarray(0, 2064)), 2064)
  } else {
    // The subheader stands there twice; 8 says that data follow.
    out.set([0, 0, 8, 0, 0, 0, 8, 0], 16)
    data.copy(out, 24)
    out.writeUInt32LE(sum(out.subarray(16, 2072)), 2072)
  }
  return out
}

/** All sectors of a plain image as frames. */
export function frames(image: Buffer, mode: 1 | 2, first = 0): Buffer {
  const count = Math.ceil(image.length / 2048)
  return Buffer.concat(
    Array.from({ length: count }, (_none, index) => {
      const data = Buffer.alloc(2048)
      image.copy(data, 0, index * 2048)
      return frame(data, first + index, mode)
    }),
  )
}

/** So many seconds of sound. */
export const sound = (seconds: number): Buffer => {
  const out = Buffer.alloc(seconds * 75 * 2352)
  for (let at = 0; at < out.length; at += 2) out.writeInt16LE(Math.round(Math.sin(at / 90) * 20_000), at)
  return out
}
