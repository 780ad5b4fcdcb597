// Objects, superblocks, nodes and file records of APFS out of bytes. Pure.
// Layout: Apple File System Reference of 2020; little-endian.
import { RunError } from '../../model/errors.ts'

const modulus = 0xffff_ffff
/** Where an object ends to be its own head. */
const headBytes = 32
const treeTailBytes = 40

/** Throws RunError for a block whose sum over all its words is not the one that it begins with. */
export function checked(block: Buffer): Buffer {
  let [low, high] = [0, 0]
  for (let at = 8; at < block.length; at += 4) {
    low = (low + block.readUInt32LE(at)) % modulus
    high = (high + low) % modulus
  }
  const first = modulus - ((low + high) % modulus)
  const second = modulus - ((low + first) % modulus)
  if (block.readUInt32LE(0) === first && block.readUInt32LE(4) === second) return block
  throw new RunError(block.every((byte) => byte === 0) ? 'only zeros are there' : 'its sum is wrong')
}

export const wide = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)

/** When an object was written: the number of the transaction. */
const transactionOf = (block: Buffer): number => wide(block, 16)

export interface Container {
  readonly blockBytes: number
  /** Blocks of the container. */
  readonly blocks: number
  readonly transaction: number
  /** Where superblocks are kept, one behind the other: first block and count. */
  readonly kept: { readonly first: number; readonly blocks: number }
  /** Block of the map from the numbers of volumes to where they are. */
  readonly map: number
  /** Numbers of the volumes. */
  readonly volumes: readonly number[]
}

/** Throws RunError where the superblock makes no sense. */
export function parseContainer(block: Buffer): Container {
  const blockBytes = block.readUInt32LE(36)
  const blocks = wide(block, 40)
  if (
    !Number.isSafeInteger(blocks * blockBytes) ||
    block.toString('latin1', 32, 36) !== 'NXSB' ||
    blockBytes < 4096 ||
    blockBytes > 65_536 ||
    (blockBytes & (blockBytes - 1)) !== 0
  )
    throw new RunError('there is no APFS superblock')
  const most = Math.min(block.readUInt32LE(180), 100)
  return {
    blockBytes,
    blocks,
    transaction: transactionOf(block),
    kept: { first: wide(block, 112), blocks: block.readUInt32LE(104) },
    map: wide(block, 160),
    volumes: Array.from({ length: most }, (_none, index) => wide(block, 184 + index * 8)).filter(
      (oid) => oid > 0,
    ),
  }
}

export interface ApfsHead {
  /** UTF-8. */
  readonly name: Buffer
  readonly map: number
  readonly root: number
  readonly files: number
  readonly folders: number
  readonly links: number
  readonly others: number
  readonly snapshots: number
  readonly isEncrypted: boolean
  /** Of the system itself, with a tree of another form. */
  readonly isSealed: boolean
  /** Names in folders come with a hash. */
  readonly isHashed: boolean
}

export function parseVolumeHead(block: Buffer): ApfsHead {
  if (block.toString('latin1', 32, 36) !== 'APSB') throw new RunError('there is no volume')
  const features = block.readUInt32LE(56)
  const name = block.subarray(704, 960)
  const end = name.indexOf(0)
  return {
    name: name.subarray(0, end === -1 ? name.length : end),
    map: wide(block, 128),
    root: wide(block, 136),
    files: wide(block, 184),
    folders: wide(block, 192),
    links: wide(block, 200),
    others: wide(block, 208),
    snapshots: wide(block, 216),
    isEncrypted: (block.readUInt32LE(264) & 1) === 0,
    isSealed: (features & 0x20) !== 0,
    isHashed: (features & 9) !== 0,
  }
}

export interface ApfsNode {
  /** 0: a leaf. */
  readonly level: number
  readonly records: readonly ApfsRecord[]
}

export interface ApfsRecord {
  readonly key: Buffer
  readonly value: Buffer
}

/** A node of a tree. `valueBytes`: of values in a leaf whose records all have one length. */
export function parseNode(block: Buffer, valueBytes: number): ApfsNode {
  const [flags, level, count] = [block.readUInt16LE(32), block.readUInt16LE(34), block.readUInt32LE(36)]
  const table = headBytes + 24 + block.readUInt16LE(40)
  const keys = table + block.readUInt16LE(42)
  const end = block.length - ((flags & 1) === 0 ? 0 : treeTailBytes)
  const isFixed = (flags & 4) !== 0
  if (keys > end || table + count * (isFixed ? 4 : 8) > keys) throw new RunError('a node makes no sense')
  const records: ApfsRecord[] = []
  for (let index = 0; index < count; index += 1) {
    const at = table + index * (isFixed ? 4 : 8)
    const keyAt = keys + block.readUInt16LE(at)
    const keyLength = isFixed ? 16 : block.readUInt16LE(at + 2)
    const back = block.readUInt16LE(at + (isFixed ? 2 : 4))
    const length = isFixed ? (level === 0 ? valueBytes : 8) : block.readUInt16LE(at + 6)
    const valueAt = back === 0xffff ? end : end - back
    const valueEnd = back === 0xffff ? end : valueAt + length
    if (keyLength < 8 || keyAt + keyLength > end || valueAt < keys || valueEnd > end)
      throw new RunError('a record of a node makes no sense')
    records.push({ key: block.subarray(keyAt, keyAt + keyLength), value: block.subarray(valueAt, valueEnd) })
  }
  return { level, records }
}

/** Kinds of records of the file tree that names and contents come from. */
export const kinds = { inode: 3, attribute: 4, extent: 8, name: 9 } as const

/** The number of the object that a record is about, and its kind. */
export function keyOf(key: Buffer): { readonly number: number; readonly kind: number } {
  const high = key.readUInt32LE(4)
  return { number: (high & 0x0fff_ffff) * 2 ** 32 + key.readUInt32LE(0), kind: high >>> 28 }
}

export interface ApfsInode {
  /** Under this number the pieces of its content are. */
  readonly content: number
  readonly mtimeNs: bigint
  readonly nlink: number
  readonly isCompressed: boolean
  readonly uid: number
  readonly gid: number
  readonly mode: number
  /** Bytes of content. */
  readonly size: number
  readonly rdev: bigint
}

/** Throws RunError where it makes no sense. */
export function parseInode(value: Buffer): ApfsInode {
  if (value.length < 92) throw new RunError('an inode makes no sense')
  const stream = fieldOf(value, 8)
  const device = fieldOf(value, 14)
  const number = device === null ? 0 : device.readUInt32LE(0)
  return {
    content: wide(value, 8),
    mtimeNs: BigInt.asIntN(64, value.readBigUInt64LE(24)),
    nlink: Math.max(1, value.readInt32LE(56)),
    isCompressed: (value.readUInt32LE(68) & 0x20) !== 0,
    uid: value.readUInt32LE(72),
    gid: value.readUInt32LE(76),
    mode: value.readUInt16LE(80),
    size: stream === null ? 0 : wide(stream, 0),
    rdev: (BigInt(number >>> 24) << 32n) + BigInt(number & 0xff_ffff),
  }
}

/** One of the fields behind an inode; null: it has none of that type. */
function fieldOf(value: Buffer, wanted: number): Buffer | null {
  if (value.length < 96) return null
  const count = value.readUInt16LE(92)
  let at = 96 + count * 4
  for (let index = 0; index < count && 100 + index * 4 <= value.length; index += 1) {
    const length = value.readUInt16LE(98 + index * 4)
    if (at + length > value.length) return null
    if (value[96 + index * 4] === wanted) return length < 4 ? null : value.subarray(at, at + length)
    at += Math.ceil(length / 8) * 8
  }
  return null
}

/** The name in a key: its length with the zero behind it, perhaps in one word with a hash. */
export function nameOf(key: Buffer, isHashed: boolean): Buffer {
  const at = isHashed ? 12 : 10
  const length = key.length < at ? 0 : isHashed ? key.readUInt32LE(8) & 0x3ff : key.readUInt16LE(8)
  if (length === 0 || at + length > key.length) throw new RunError('a name makes no sense')
  return key.subarray(at, at + length - 1)
}
