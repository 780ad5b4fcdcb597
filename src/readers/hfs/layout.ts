// Master directory block and catalog records of HFS, as Macintoshes wrote it until 1998, out of bytes. Pure.
// Layout: Inside Macintosh: Files, chapter 2; big-endian.
import { RunError } from '../../model/errors.ts'
import type { Extent, File, Folder, Fork, HfsForm, HfsHeader, Node, Thread } from './catalog.ts'
import { macTime } from './plus-layout.ts'

/** Throws RunError where the block makes no sense. */
export function parseMasterBlock(block: Buffer): HfsHeader {
  const blockBytes = block.readUInt32BE(0x14)
  const blocks = block.readUInt16BE(0x12)
  if (block.toString('latin1', 0, 2) !== 'BD' || blockBytes < 512 || blockBytes % 512 !== 0 || blocks === 0)
    throw new RunError('the HFS master directory block makes no sense')
  return {
    blockBytes,
    blocks,
    freeBlocks: block.readUInt16BE(0x22),
    firstAt: block.readUInt16BE(0x1c) * 512,
    isClean: (block.readUInt16BE(0x0a) & 0x100) !== 0,
    extents: parseFork(block, 0x82, 0x82, 0x86, blockBytes),
    catalog: parseFork(block, 0x92, 0x92, 0x96, blockBytes),
    attributes: { size: 0, blocks: 0, extents: [] },
    others: [],
  }
}

/** `size`, `room`: where in the record the bytes of content, and those that are kept for it, are told. */
const parseFork = (bytes: Buffer, size: number, room: number, extents: number, blockBytes: number): Fork => ({
  size: bytes.readUInt32BE(size),
  blocks: Math.ceil(bytes.readUInt32BE(room) / blockBytes),
  extents: parseExtents(bytes, extents),
})

/** Three pieces of a fork; one of no length is none. */
function parseExtents(bytes: Buffer, at: number): readonly Extent[] {
  const found: Extent[] = []
  for (let index = 0; index < 3; index += 1) {
    const [first, blocks] = [bytes.readUInt16BE(at + index * 4), bytes.readUInt16BE(at + index * 4 + 2)]
    if (blocks > 0) found.push({ first, blocks })
  }
  return found
}

/** No Unix has written it: there are no owners, no links. Times are those of the clock on the wall, kept as if UTC. */
const plain = { mode: 0, uid: 0, gid: 0, special: 0, isLinked: false } satisfies Partial<Node>

const recordOf =
  (blockBytes: number) =>
  (value: Buffer): Folder | File | Thread => {
    const type = value[0] ?? 0
    if (type === 1 && value.length >= 70)
      return {
        ...plain,
        type: 'folder',
        id: value.readUInt32BE(6),
        mtimeNs: macTime(value.readUInt32BE(14)),
        kind: '',
      }
    if (type === 2 && value.length >= 102)
      return {
        ...plain,
        type: 'file',
        id: value.readUInt32BE(20),
        mtimeNs: macTime(value.readUInt32BE(48)),
        kind: '',
        data: parseFork(value, 26, 30, 74, blockBytes),
        resource: parseFork(value, 36, 40, 86, blockBytes),
        isCompressed: false,
      }
    if ((type === 3 || type === 4) && value.length >= 15)
      return {
        type: 'thread',
        isFolder: type === 3,
        parent: value.readUInt32BE(10),
        name: pathBytes(value.subarray(15, 15 + (value[14] ?? 0))),
      }
    throw new RunError('a record of the catalog makes no sense')
  }

/** The bytes as stored, in whatever code of the Macintosh; a slash there is a colon elsewhere. */
const pathBytes = (name: Buffer): Buffer => Buffer.from(name.map((byte) => (byte === 0x2f ? 0x3a : byte)))

export const hfsForm = ({ blockBytes }: HfsHeader): HfsForm => ({
  catalogKey: { lengthBytes: 1, numberAt: 2 },
  extentsKey: { lengthBytes: 1, numberAt: 2 },
  nameOf: (key) => pathBytes(key.subarray(7, 7 + (key[6] ?? 0))),
  recordOf: recordOf(blockBytes),
  piecesOf: (key, value) => ({
    fork: key.readUInt8(1),
    from: key.readUInt16BE(6),
    extents: value.length < 12 ? [] : parseExtents(value, 0),
  }),
})
