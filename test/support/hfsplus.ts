// An empty volume of HFS+ (Debian has no maker of them any more), to be filled by a kernel that has the driver.
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs'

const blockBytes = 4096
const nodeBytes = 4096
const created = 3_600_000_000

interface Place {
  readonly first: number
  readonly blocks: number
  readonly size: number
}

/** Layout: Apple's Technical Note 1150. `isCaseSensitive`: HFSX. */
export function emptyHfsPlus(image: string, bytes: number, isCaseSensitive = false): string {
  const blocks = Math.floor(bytes / blockBytes)
  const bitmapBytes = Math.ceil(blocks / 8)
  const allocation = place(1, Math.ceil(bitmapBytes / blockBytes), bitmapBytes)
  const extents = place(allocation.first + allocation.blocks, 16)
  const catalog = place(extents.first + extents.blocks, 64)
  const used = catalog.first + catalog.blocks
  writeFileSync(image, '')
  truncateSync(image, bytes)
  const file = openSync(image, 'r+')
  const put = (what: Buffer, at: number): number => writeSync(file, what, 0, what.length, at)
  const bitmap = Buffer.alloc(bitmapBytes)
  for (const block of [...Array(used).keys(), blocks - 1])
    bitmap[block >>> 3] = (bitmap[block >>> 3] ?? 0) | (0x80 >>> (block & 7))
  put(bitmap, allocation.first * blockBytes)
  put(
    headNode(extents, { depth: 0, records: 0, maxKey: 10, attributes: 2, compare: 0 }),
    extents.first * blockBytes,
  )
  const compare = isCaseSensitive ? 0xbc : 0xcf
  put(
    headNode(catalog, { depth: 1, records: 2, maxKey: 516, attributes: 6, compare }),
    catalog.first * blockBytes,
  )
  put(rootLeaf(Buffer.from('name', 'utf16le').swap16()), catalog.first * blockBytes + nodeBytes)

  const head = Buffer.alloc(512)
  head.write(isCaseSensitive ? 'HX' : 'H+', 0, 'latin1')
  head.writeUInt16BE(isCaseSensitive ? 5 : 4, 2)
  head.writeUInt32BE(0x100, 4)
  head.write('10.0', 8, 'latin1')
  for (const at of [0x10, 0x14, 0x1c]) head.writeUInt32BE(created, at)
  head.writeUInt32BE(blockBytes, 0x28)
  head.writeUInt32BE(blocks, 0x2c)
  head.writeUInt32BE(blocks - used - 1, 0x30)
  head.writeUInt32BE(used, 0x34)
  for (const at of [0x38, 0x3c]) head.writeUInt32BE(65_536, at)
  head.writeUInt32BE(16, 0x40)
  head.writeUInt32BE(1, 0x4c)
  for (const [at, one] of [
    [0x70, allocation],
    [0xc0, extents],
    [0x110, catalog],
  ] as const) {
    head.writeUInt32BE(one.size, at + 4)
    head.writeUInt32BE(65_536, at + 8)
    head.writeUInt32BE(one.blocks, at + 12)
    head.writeUInt32BE(one.first, at + 16)
    head.writeUInt32BE(one.blocks, at + 20)
  }
  put(head, 1024)
  put(head, bytes - 1024)
  closeSync(file)
  return image
}

const place = (first: number, blocks: number, size = blocks * blockBytes): Place => ({ first, blocks, size })

function headNode(
  { size }: Place,
  tree: { depth: number; records: number; maxKey: number; attributes: number; compare: number },
): Buffer {
  const node = Buffer.alloc(nodeBytes)
  node.writeInt8(1, 8)
  node.writeUInt16BE(3, 10)
  const head = node.subarray(14)
  head.writeUInt16BE(tree.depth, 0)
  for (const at of [2, 10, 14]) head.writeUInt32BE(tree.depth, at)
  head.writeUInt32BE(tree.records, 6)
  head.writeUInt16BE(nodeBytes, 18)
  head.writeUInt16BE(tree.maxKey, 20)
  head.writeUInt32BE(size / nodeBytes, 22)
  head.writeUInt32BE(size / nodeBytes - 1 - tree.depth, 26)
  head.writeUInt32BE(65_536, 32)
  head.writeUInt8(tree.compare, 37)
  head.writeUInt32BE(tree.attributes, 38)
  node.writeUInt8(tree.depth === 0 ? 0x80 : 0xc0, 248)
  for (const [index, at] of [14, 120, 248, nodeBytes - 8].entries())
    node.writeUInt16BE(at, nodeBytes - 2 * (index + 1))
  return node
}

/** The root folder and its thread. */
function rootLeaf(name: Buffer): Buffer {
  const folder = Buffer.alloc(88)
  folder.writeInt16BE(1, 0)
  folder.writeUInt32BE(2, 8)
  for (const at of [12, 16, 20, 24]) folder.writeUInt32BE(created, at)
  folder.writeUInt16BE(0o40755, 42)
  const thread = Buffer.alloc(10 + name.length)
  thread.writeInt16BE(3, 0)
  thread.writeUInt32BE(1, 4)
  thread.writeUInt16BE(name.length / 2, 8)
  name.copy(thread, 10)
  const key = (parent: number, own: Buffer): Buffer => {
    const bytes = Buffer.alloc(8 + own.length)
    bytes.writeUInt16BE(6 + own.length, 0)
    bytes.writeUInt32BE(parent, 2)
    bytes.writeUInt16BE(own.length / 2, 6)
    own.copy(bytes, 8)
    return bytes
  }
  const records = [Buffer.concat([key(1, name), folder]), Buffer.concat([key(2, Buffer.alloc(0)), thread])]
  const node = Buffer.alloc(nodeBytes)
  node.writeInt8(-1, 8)
  node.writeUInt8(1, 9)
  node.writeUInt16BE(records.length, 10)
  let at = 14
  for (const [index, record] of [...records, Buffer.alloc(0)].entries()) {
    node.writeUInt16BE(at, nodeBytes - 2 * (index + 1))
    at += record.copy(node, at)
  }
  return node
}
