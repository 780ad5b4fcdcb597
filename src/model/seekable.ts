// The seek table of a .zst made of independent frames: where each frame lies, in the file and in the content.
//
// The format is the one published with zstd's sources ("Zstandard Seekable Format"): a skippable frame at the end of the
// file, which every zstd reader passes over.

/** One independent frame. All numbers are bytes. */
export interface Frame {
  /** Where it begins in the file. */
  readonly start: number
  /** Its length in the file. */
  readonly packed: number
  /** Where its content begins in the content of the whole. */
  readonly at: number
  /** The length of its content. */
  readonly bytes: number
}

/** Packed content is not what it says of itself. */
export class PackError extends Error {}

const skippable = 0x184d2a5e
const footerMagic = 0x8f92eab1
const footerBytes = 9
const headerBytes = 8
const frameMagic = 0xfd2fb528
const dictionaryBytes = [0, 1, 2, 4]

/** The skippable frame that ends a file of these frames. */
export function seekTable(frames: readonly Pick<Frame, 'packed' | 'bytes'>[]): Buffer {
  const table = Buffer.alloc(headerBytes + frames.length * 8 + footerBytes)
  table.writeUInt32LE(skippable, 0)
  table.writeUInt32LE(table.length - headerBytes, 4)
  for (const [index, { packed, bytes }] of frames.entries()) {
    table.writeUInt32LE(packed, headerBytes + index * 8)
    table.writeUInt32LE(bytes, headerBytes + index * 8 + 4)
  }
  table.writeUInt32LE(frames.length, table.length - 9)
  table.writeUInt8(0, table.length - 5)
  table.writeUInt32LE(footerMagic, table.length - 4)
  return table
}

/**
 * The frames of a file of `size` bytes, from its seek table; null where it has none (an ordinary .zst).
 * Throws PackError where the table contradicts itself or the file's size.
 */
export async function readSeekTable(
  read: (start: number, end: number) => Promise<Buffer>,
  size: number,
): Promise<readonly Frame[] | null> {
  if (size < headerBytes + footerBytes) return null
  const footer = await read(size - footerBytes, size)
  if (footer.readUInt32LE(5) !== footerMagic) return null
  const count = footer.readUInt32LE(0)
  const flags = footer.readUInt8(4)
  const entry = (flags & 0x80) === 0 ? 8 : 12
  const start = size - footerBytes - count * entry - headerBytes
  if (start < 0) throw new PackError(`the seek table names ${count} frames, more than fit into the file`)
  const table = await read(start, size)
  if (table.readUInt32LE(0) !== skippable || table.readUInt32LE(4) !== table.length - headerBytes) {
    throw new PackError('the seek table does not begin where its count of frames says')
  }
  const frames: Frame[] = []
  let [file, content] = [0, 0]
  for (let index = 0; index < count; index += 1) {
    const packed = table.readUInt32LE(headerBytes + index * entry)
    const bytes = table.readUInt32LE(headerBytes + index * entry + 4)
    frames.push({ start: file, packed, at: content, bytes })
    file += packed
    content += bytes
  }
  if (file !== start) {
    throw new PackError(`the seek table accounts for ${file} bytes before it, there are ${start}`)
  }
  return frames
}

/** The frames whose content touches a range of the content. */
export const framesOf = (frames: readonly Frame[], start: number, end: number): readonly Frame[] =>
  frames.filter(({ at, bytes }) => at < end && at + bytes > start)

/** How many bytes of a frame tell its content's size. */
export const frameHeaderBytes = 14

/** The content size that a frame's own header declares; null where it does not begin a frame or does not say. */
export function declaredSize(header: Buffer): number | null {
  if (header.length < frameHeaderBytes || header.readUInt32LE(0) !== frameMagic) return null
  const descriptor = header.readUInt8(4)
  const single = (descriptor & 0x20) !== 0
  const at = 5 + (single ? 0 : 1) + (dictionaryBytes[descriptor & 3] ?? 0)
  switch (descriptor >> 6) {
    case 0:
      return single ? header.readUInt8(at) : null
    case 1:
      return header.readUInt16LE(at) + 256
    case 2:
      return at + 4 <= header.length ? header.readUInt32LE(at) : null
    default:
      return at + 8 <= header.length ? Number(header.readBigUInt64LE(at)) : null
  }
}
