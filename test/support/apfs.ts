// A volume of APFS with files in it: mkapfs makes an empty one, and the records of files are put into the one node of its tree.
import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { make } from './looking.ts'

const blockBytes = 4096
const firstFree = 40_000

export interface ApfsFile {
  readonly name: string
  /** In this folder (its place in the list); -1: the root. */
  readonly parent: number
  readonly kind: 'file' | 'folder' | 'link'
  readonly content?: Buffer
  readonly resource?: Buffer
  /** Another name of this one (its place in the list). */
  readonly sameAs?: number
  /** So many blocks of nothing before the content. */
  readonly hole?: number
}

interface Rec {
  readonly key: Buffer
  readonly value: Buffer
}

/** Layout: Apple File System Reference. */
export function apfsWith(image: string, files: readonly ApfsFile[]): string {
  const bytes = 600 << 20
  writeFileSync(image, '')
  truncateSync(image, bytes)
  make('mkapfs', '-s', '-z', image)
  const file = openSync(image, 'r+')
  const read = (block: number): Buffer => {
    const own = Buffer.alloc(blockBytes)
    readSync(file, own, 0, blockBytes, block * blockBytes)
    return own
  }
  const find = (test: (block: Buffer) => boolean): number => {
    for (let block = 1; block < 30_000; block += 1) if (test(read(block))) return block
    throw new Error('mkapfs made something else')
  }
  const head = find((block) => block.toString('latin1', 32, 36) === 'APSB')
  const node = find((block) => block.readUInt16LE(24) === 2 && block.readUInt32LE(28) === 14)
  let free = firstFree
  const store = (content: Buffer): number => {
    const at = free
    writeSync(file, content, 0, content.length, at * blockBytes)
    free += Math.ceil(content.length / blockBytes)
    return at
  }
  const records = recordsIn(read(node))
  const numberOf = (index: number): number => (index === -1 ? 2 : 100 + (files[index]?.sameAs ?? index))
  for (const [index, one] of files.entries()) {
    const number = numberOf(index)
    records.push({ key: named(9, numberOf(one.parent), one.name), value: nameValue(number, one.kind) })
    if (one.sameAs !== undefined) continue
    const nlink = 1 + files.filter(({ sameAs }) => sameAs === index).length
    const content = one.kind === 'file' ? (one.content ?? Buffer.alloc(0)) : null
    const size = content === null ? 0 : content.length + (one.hole ?? 0) * blockBytes
    const own = inode(number, numberOf(one.parent), one.kind, nlink, content === null ? null : size)
    // It is said to have holes.
    if (one.hole !== undefined) own.writeUInt32LE(0x200, 48)
    records.push({ key: head64(3, number), value: own })
    if (one.hole !== undefined)
      records.push({ key: piece(number, 0), value: pieceValue(one.hole * blockBytes, 0) })
    if (content !== null && content.length > 0)
      records.push({
        key: piece(number, (one.hole ?? 0) * blockBytes),
        value: pieceValue(content.length, store(content)),
      })
    if (one.kind === 'link')
      records.push({
        key: named(4, number, 'com.apple.fs.symlink'),
        value: embedded(Buffer.concat([one.content ?? Buffer.alloc(0), Buffer.alloc(1)])),
      })
    if (one.resource === undefined) continue
    const stream = 5000 + index
    records.push({
      key: named(4, number, 'com.apple.ResourceFork'),
      value: streamed(stream, one.resource.length),
    })
    records.push({ key: piece(stream, 0), value: pieceValue(one.resource.length, store(one.resource)) })
  }
  writeSync(file, sealed(nodeOf(read(node), records)), 0, blockBytes, node * blockBytes)
  const volume = read(head)
  const count = (kind: string): number =>
    files.filter((one) => one.kind === kind && one.sameAs === undefined).length
  volume.writeUInt32LE(count('file'), 184)
  volume.writeUInt32LE(count('folder'), 192)
  volume.writeUInt32LE(count('link'), 200)
  writeSync(file, sealed(volume), 0, blockBytes, head * blockBytes)
  closeSync(file)
  return image
}

/** A block with its sum in front. */
export function sealed(block: Buffer): Buffer {
  const modulus = 0xffff_ffff
  let [low, high] = [0, 0]
  for (let at = 8; at < block.length; at += 4) {
    low = (low + block.readUInt32LE(at)) % modulus
    high = (high + low) % modulus
  }
  const first = modulus - ((low + high) % modulus)
  block.writeUInt32LE(first, 0)
  block.writeUInt32LE(modulus - ((low + first) % modulus), 4)
  return block
}

function recordsIn(node: Buffer): Rec[] {
  const table = 56 + node.readUInt16LE(40)
  const keys = table + node.readUInt16LE(42)
  const end = blockBytes - 40
  return Array.from({ length: node.readUInt32LE(36) }, (_none, index) => {
    const at = table + index * 8
    const key = keys + node.readUInt16LE(at)
    const value = end - node.readUInt16LE(at + 4)
    return {
      key: Buffer.from(node.subarray(key, key + node.readUInt16LE(at + 2))),
      value: Buffer.from(node.subarray(value, value + node.readUInt16LE(at + 6))),
    }
  })
}

function nodeOf(old: Buffer, records: readonly Rec[]): Buffer {
  const node = Buffer.alloc(blockBytes)
  old.copy(node, 0, 0, 40)
  old.copy(node, blockBytes - 40, blockBytes - 40)
  const number = (key: Buffer): bigint => key.readBigUInt64LE(0) & 0x0fff_ffff_ffff_ffffn
  const sorted = records.toSorted((a, b) => {
    if (number(a.key) !== number(b.key)) return number(a.key) < number(b.key) ? -1 : 1
    return (a.key[7] ?? 0) - (b.key[7] ?? 0) || Buffer.compare(a.key.subarray(10), b.key.subarray(10))
  })
  const tableBytes = sorted.length * 8
  node.writeUInt32LE(sorted.length, 36)
  node.writeUInt16LE(0, 40)
  node.writeUInt16LE(tableBytes, 42)
  const keysAt = 56 + tableBytes
  const end = blockBytes - 40
  let [key, value] = [0, 0]
  for (const [index, one] of sorted.entries()) {
    const at = 56 + index * 8
    value += one.value.length
    one.key.copy(node, keysAt + key)
    one.value.copy(node, end - value)
    node.writeUInt16LE(key, at)
    node.writeUInt16LE(one.key.length, at + 2)
    node.writeUInt16LE(value, at + 4)
    node.writeUInt16LE(one.value.length, at + 6)
    key += one.key.length
  }
  if (keysAt + key > end - value) throw new Error('too many files for one node')
  node.writeUInt16LE(key, 44)
  node.writeUInt16LE(end - value - keysAt - key, 46)
  for (const at of [48, 52]) node.writeUInt32LE(0xffff, at)
  node.writeUInt32LE(sorted.length, blockBytes - 16)
  return node
}

const head64 = (kind: number, number: number): Buffer => {
  const key = Buffer.alloc(8)
  key.writeBigUInt64LE((BigInt(kind) << 60n) | BigInt(number))
  return key
}

function named(kind: number, number: number, name: string): Buffer {
  const own = Buffer.from(`${name}\0`)
  const length = Buffer.alloc(2)
  length.writeUInt16LE(own.length)
  return Buffer.concat([head64(kind, number), length, own])
}

function piece(number: number, at: number): Buffer {
  const offset = Buffer.alloc(8)
  offset.writeUInt32LE(at)
  return Buffer.concat([head64(8, number), offset])
}

function pieceValue(bytes: number, block: number): Buffer {
  const value = Buffer.alloc(24)
  value.writeUInt32LE(Math.ceil(bytes / blockBytes) * blockBytes, 0)
  value.writeUInt32LE(block, 8)
  return value
}

const modes = { file: 0o100_644, folder: 0o040_755, link: 0o120_755 }
const letters = { file: 8, folder: 4, link: 10 }

function nameValue(number: number, kind: ApfsFile['kind']): Buffer {
  const value = Buffer.alloc(18)
  value.writeUInt32LE(number, 0)
  value.writeUInt16LE(letters[kind], 16)
  return value
}

function inode(
  number: number,
  parent: number,
  kind: ApfsFile['kind'],
  nlink: number,
  size: number | null,
): Buffer {
  const value = Buffer.alloc(size === null ? 92 : 92 + 4 + 4 + 40)
  value.writeUInt32LE(parent, 0)
  value.writeUInt32LE(number, 8)
  for (const at of [16, 24, 32, 40]) value.writeBigUInt64LE(1_600_000_000_123_456_789n, at)
  value.writeUInt32LE(nlink, 56)
  value.writeUInt32LE(501, 72)
  value.writeUInt32LE(20, 76)
  value.writeUInt16LE(modes[kind], 80)
  if (size === null) return value
  value.writeUInt16LE(1, 92)
  value.writeUInt16LE(40, 94)
  value.writeUInt8(8, 96)
  value.writeUInt8(0x20, 97)
  value.writeUInt16LE(40, 98)
  value.writeUInt32LE(size, 100)
  value.writeUInt32LE(Math.ceil(size / blockBytes) * blockBytes, 108)
  return value
}

function embedded(content: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16LE(2, 0)
  head.writeUInt16LE(content.length, 2)
  return Buffer.concat([head, content])
}

function streamed(number: number, size: number): Buffer {
  const value = Buffer.alloc(4 + 48)
  value.writeUInt16LE(1, 0)
  value.writeUInt16LE(48, 2)
  value.writeUInt32LE(number, 4)
  value.writeUInt32LE(size, 12)
  value.writeUInt32LE(Math.ceil(size / blockBytes) * blockBytes, 20)
  return value
}
