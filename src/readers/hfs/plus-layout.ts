// Volume header and catalog records of HFS+ and HFSX out of bytes. Pure.
// Layout: Apple's Technical Note 1150; big-endian.
import { RunError } from '../../model/errors.ts'
import type { Extent, File, Folder, Fork, HfsForm, HfsHeader, Node, Thread } from './catalog.ts'
import { utf8Of } from '../utf16.ts'

/** Where an HFS+ volume lies within an HFS volume that was put around it; null: there is none around it. */
export function parseWrapper(block: Buffer): number | null {
  if (block.toString('latin1', 0, 2) !== 'BD' || block.toString('latin1', 0x7c, 0x7e) !== 'H+') return null
  return block.readUInt16BE(0x1c) * 512 + block.readUInt16BE(0x7e) * block.readUInt32BE(0x14)
}

/** Throws RunError where the header makes no sense. */
export function parseHeader(block: Buffer): HfsHeader {
  const blockBytes = block.readUInt32BE(0x28)
  const blocks = block.readUInt32BE(0x2c)
  const signature = block.toString('latin1', 0, 2)
  if (
    (signature !== 'H+' && signature !== 'HX') ||
    blockBytes < 512 ||
    blockBytes > 2 ** 28 ||
    !Number.isInteger(Math.log2(blockBytes)) ||
    blocks === 0 ||
    !Number.isSafeInteger(blocks * blockBytes)
  )
    throw new RunError('the HFS+ volume header makes no sense')
  return {
    blockBytes,
    blocks,
    freeBlocks: block.readUInt32BE(0x30),
    firstAt: 0,
    // Set when it was unmounted; cleared while it is in use, with or without a journal.
    isClean: (block.readUInt32BE(4) & 0x100) !== 0,
    extents: parseFork(block, 0xc0),
    catalog: parseFork(block, 0x110),
    attributes: parseFork(block, 0x160),
    others: [
      [parseFork(block, 0x70), 6],
      [parseFork(block, 0x1b0), 7],
    ],
  }
}

const parseFork = (bytes: Buffer, at: number): Fork => ({
  size: bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4),
  blocks: bytes.readUInt32BE(at + 12),
  extents: parseExtents(bytes, at + 16),
})

/** Eight pieces of a fork; one of no length is none. */
function parseExtents(bytes: Buffer, at: number): readonly Extent[] {
  const found: Extent[] = []
  for (let index = 0; index < 8; index += 1) {
    const [first, blocks] = [bytes.readUInt32BE(at + index * 8), bytes.readUInt32BE(at + index * 8 + 4)]
    if (blocks > 0) found.push({ first, blocks })
  }
  return found
}

/** Throws RunError for what is none of the four kinds. */
function parseCatalogRecord(value: Buffer): Folder | File | Thread {
  const type = value.length < 10 ? 0 : value.readInt16BE(0)
  if (type === 1 && value.length >= 88) return { type: 'folder', ...parseNode(value) }
  if (type === 2 && value.length >= 248) {
    const [data, resource] = [parseFork(value, 88), parseFork(value, 168)]
    return {
      type: 'file',
      ...parseNode(value),
      data,
      resource,
      isCompressed: (value.readUInt8(41) & 0x20) !== 0,
    }
  }
  if (type === 3 || type === 4) {
    const name = pathBytes(value.subarray(10, 10 + value.readUInt16BE(8) * 2))
    return { type: 'thread', isFolder: type === 3, parent: value.readUInt32BE(4), name }
  }
  throw new RunError('a record of the catalog makes no sense')
}

function parseNode(value: Buffer): Node {
  const mode = value.readUInt16BE(42)
  return {
    id: value.readUInt32BE(8),
    mtimeNs: macTime(value.readUInt32BE(16)),
    mode,
    uid: value.readUInt32BE(32),
    gid: value.readUInt32BE(36),
    special: value.readUInt32BE(44),
    kind: value.toString('latin1', 48, 56),
    isLinked: (value.readUInt16BE(2) & 0x20) !== 0,
  }
}

function nameOfKey(key: Buffer): Buffer {
  const length = key.length < 8 ? 0 : key.readUInt16BE(6)
  if (8 + length * 2 > key.length) throw new RunError('a name of the catalog makes no sense')
  return pathBytes(key.subarray(8, 8 + length * 2))
}

/** Seconds since 1904; 0 is no time. */
export const macTime = (seconds: number): bigint | null =>
  seconds === 0 ? null : (BigInt(seconds) - 2_082_844_800n) * 1_000_000_000n

/** UTF-16 into UTF-8. What is a slash on the disk is a colon everywhere else; there is no colon on the disk. */
function pathBytes(units: Buffer): Buffer {
  const own = Buffer.from(units).swap16()
  for (let at = 0; at < own.length; at += 2) if (own.readUInt16LE(at) === 0x2f) own.writeUInt16LE(0x3a, at)
  return utf8Of(own)
}

export const hfsPlusForm: HfsForm = {
  catalogKey: { lengthBytes: 2, numberAt: 2 },
  extentsKey: { lengthBytes: 2, numberAt: 4 },
  nameOf: nameOfKey,
  recordOf: parseCatalogRecord,
  piecesOf: (key, value) => ({
    fork: key.readUInt8(2),
    from: key.readUInt32BE(8),
    extents: value.length < 64 ? [] : parseExtents(value, 0),
  }),
}
