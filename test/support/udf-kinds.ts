// Kinds of UDF that no maker here writes, made of a plain volume: its metadata in a file of their own, or by a table of virtual blocks.
import { readFileSync, writeFileSync } from 'node:fs'

const block = 2048

/** The CRC of ECMA-167, bit by bit: nothing of the reader's table. */
function crc(bytes: Buffer): number {
  let value = 0
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit -= 1) {
      const carry = ((value >>> 15) ^ (byte >>> bit)) & 1
      value = ((value << 1) & 0xffff) ^ (carry === 1 ? 0x1021 : 0)
    }
  return value
}

/** Writes tag and sums of a structure anew. */
function seal(bytes: Buffer, id: number, location: number, length = bytes.readUInt16LE(10)): void {
  bytes.writeUInt16LE(id, 0)
  bytes.writeUInt16LE(length, 10)
  bytes.writeUInt16LE(crc(bytes.subarray(16, 16 + length)), 8)
  bytes.writeUInt32LE(location, 12)
  bytes[4] = 0
  bytes[4] = bytes.subarray(0, 16).reduce((sum, byte) => sum + byte, 0) & 0xff
}

/** A volume of UDF 2.01 in blocks of 2048 bytes, and what there is to change of it. */
class Volume {
  readonly image: Buffer
  readonly start: number
  readonly length: number
  /** Where the descriptors of the logical volume stand, in both copies. */
  readonly heads: readonly number[]

  constructor(image: Buffer) {
    this.image = image
    const anchor = image.subarray(256 * block)
    const find = (at: number, id: number): number => {
      const [bytes, first] = [anchor.readUInt32LE(at), anchor.readUInt32LE(at + 4)]
      for (let place = first; place < first + bytes / block; place += 1)
        if (image.readUInt16LE(place * block) === id) return place * block
      throw new Error(`no descriptor ${id}`)
    }
    this.heads = [find(16, 6), find(24, 6)]
    const partition = find(16, 5)
    this.start = image.readUInt32LE(partition + 188)
    this.length = image.readUInt32LE(partition + 192)
  }

  /** Where the descriptors of the partition stand, in both copies. */
  partitions(): readonly number[] {
    return this.heads.map((head) => {
      for (let at = head - 16 * block; at < head + 16 * block; at += block)
        if (at >= 0 && this.image.readUInt16LE(at) === 5) return at
      throw new Error('no descriptor of a partition')
    })
  }

  at(number: number): Buffer {
    return this.image.subarray((this.start + number) * block, (this.start + number + 1) * block)
  }

  /** All file entries that names lead to, with the places of those names; and the descriptor of the file set first. */
  entries(): readonly number[] {
    const set = this.image.readUInt32LE((this.heads[0] ?? 0) + 252)
    const found: number[] = []
    const visit = (entry: number): void => {
      if (found.includes(entry)) return
      found.push(entry)
      if (this.at(entry)[27] !== 4) return
      for (const name of this.names(entry)) visit(name.readUInt32LE(24))
    }
    visit(this.at(set).readUInt32LE(404))
    return found
  }

  /** The names of a directory, as views of the image. A name that straddles two extents is not expected. */
  names(entry: number): readonly Buffer[] {
    const own = this.at(entry)
    const from = 216 + own.readUInt32LE(208)
    const size = Number(own.readBigUInt64LE(56))
    const pieces =
      (own.readUInt16LE(34) & 7) === 3
        ? [own.subarray(from, from + size)]
        : this.allocation(entry).map((place) => {
            const start = (this.start + own.readUInt32LE(place + 4)) * block
            return this.image.subarray(start, start + (own.readUInt32LE(place) & 0x3fffffff))
          })
    return pieces.flatMap((piece) => {
      const names: Buffer[] = []
      for (let at = 0; at + 38 <= piece.length;) {
        const length = (38 + (piece[at + 19] ?? 0) + piece.readUInt16LE(at + 36) + 3) & ~3
        names.push(piece.subarray(at, at + length))
        at += length
      }
      return names
    })
  }

  /** Places of the short allocation descriptors in an entry. */
  allocation(entry: number): readonly number[] {
    const own = this.at(entry)
    if ((own.readUInt16LE(34) & 7) !== 0) return []
    const from = 216 + own.readUInt32LE(208)
    return Array.from({ length: own.readUInt32LE(212) / 8 }, (_none, index) => from + index * 8)
  }

  /** A second map behind the first, and the file set by it. */
  addMap(map: Buffer, setAt: number): void {
    for (const head of this.heads) {
      const own = this.image.subarray(head, head + block)
      map.copy(own, 446)
      own.writeUInt32LE(6 + map.length, 264)
      own.writeUInt32LE(2, 268)
      own.writeUInt32LE(setAt, 252)
      own.writeUInt16LE(1, 256)
      seal(own, 6, own.readUInt32LE(12), 440 + 6 + map.length - 16)
    }
  }
}

function mapOf(kind: string): Buffer {
  const map = Buffer.alloc(64)
  map.set([2, 64], 0)
  map.write(kind, 5, 'latin1')
  map.writeUInt16LE(0x0250, 28)
  map.writeUInt16LE(1, 36)
  return map
}

/** Makes the entry of a file of the volume's own of another one's. */
function fileEntry(
  bytes: Buffer,
  type: number,
  extents: readonly (readonly [first: number, bytes: number])[],
  location: number,
): void {
  const size = BigInt(extents.reduce((sum, [, length]) => sum + length, 0))
  bytes[27] = type
  bytes.writeUInt16LE(0x20, 34)
  bytes.writeBigUInt64LE(size, 56)
  bytes.writeBigUInt64LE(size, 64)
  bytes.writeUInt32LE(0, 208)
  bytes.writeUInt32LE(extents.length * 8, 212)
  for (const [index, [first, length]] of extents.entries()) {
    bytes.writeUInt32LE(length, 216 + index * 8)
    bytes.writeUInt32LE(first, 220 + index * 8)
  }
  seal(bytes, 266, location, 216 + extents.length * 8 - 16)
}

/** Every address of names and entries through `move`, and by the second map. */
function readdress(volume: Volume, move: (number: number) => number, moveData: boolean): void {
  const set = volume.image.readUInt32LE((volume.heads[0] ?? 0) + 252)
  const entries = volume.entries()
  const names = entries.flatMap((entry) =>
    volume.at(entry)[27] === 4 ? volume.names(entry).map((name) => ({ name, entry })) : [],
  )
  for (const { name } of names) {
    name.writeUInt32LE(move(name.readUInt32LE(24)), 24)
    name.writeUInt16LE(1, 28)
  }
  for (const { name } of names) {
    const place = name.readUInt32LE(12)
    seal(name, 257, move(place))
  }
  for (const entry of entries) {
    const own = volume.at(entry)
    if (moveData)
      for (const place of volume.allocation(entry))
        if (own.readUInt32LE(place) >>> 30 === 0)
          own.writeUInt32LE(move(own.readUInt32LE(place + 4)), place + 4)
    seal(own, own.readUInt16LE(0), move(entry))
  }
  const head = volume.at(set)
  head.writeUInt32LE(move(head.readUInt32LE(404)), 404)
  head.writeUInt16LE(1, 408)
  seal(head, 256, move(set))
}

/** The same files, with all that names them in a file of metadata (UDF 2.50), and a mirror of its entry. */
export function withMetadata(from: string, to: string): { readonly main: number; readonly mirror: number } {
  const volume = new Volume(Buffer.from(readFileSync(from)))
  const first = volume.image.readUInt32LE((volume.heads[0] ?? 0) + 252)
  const [main, mirror] = [volume.length - 1, volume.length - 2]
  const half = 64
  const extents = [
    [first, half * block],
    [first + half, (mirror - first - half) * block],
  ] as const
  for (const [at, type] of [
    [main, 250],
    [mirror, 251],
  ] as const) {
    const bytes = Buffer.alloc(block)
    volume.at(volume.entries()[0] ?? 0).copy(bytes, 0, 0, 216)
    fileEntry(bytes, type, extents, at)
    bytes.copy(volume.at(at))
  }
  readdress(volume, (number) => number - first, true)
  const map = mapOf('*UDF Metadata Partition')
  map.writeUInt32LE(main, 40)
  map.writeUInt32LE(mirror, 44)
  map.writeUInt32LE(0xffffffff, 48)
  map.writeUInt32LE(32, 52)
  map.writeUInt16LE(1, 56)
  volume.addMap(map, 0)
  writeFileSync(to, volume.image)
  return { main: (volume.start + main) * block, mirror: (volume.start + mirror) * block }
}

/** The same files, each entry by a number that a table at the very end stands for (UDF 2.00 on media that are written once). */
export function withVirtualTable(from: string, to: string): void {
  const volume = new Volume(Buffer.from(readFileSync(from)))
  const set = volume.image.readUInt32LE((volume.heads[0] ?? 0) + 252)
  const blocks = volume.image.length / block
  const behind = blocks - volume.start
  const own = [set, ...volume.entries()]
  // Every block stands for itself, so that contents stay where they are; entries are told by numbers after those.
  const table = Buffer.alloc(152 + (behind + own.length) * 4)
  table.writeUInt16LE(152, 0)
  table.writeUInt32LE(0xffffffff, 132)
  table.writeUInt16LE(0x0200, 144)
  for (let number = 0; number < behind; number += 1) table.writeUInt32LE(number, 152 + number * 4)
  for (const [index, number] of own.entries()) table.writeUInt32LE(number, 152 + (behind + index) * 4)
  const move = (number: number): number => {
    const index = own.indexOf(number)
    return index === -1 ? number : behind + index
  }
  readdress(volume, move, false)
  volume.addMap(mapOf('*UDF Virtual Partition'), behind)
  const tableBlocks = Math.ceil(table.length / block)
  const whole = Buffer.concat([volume.image, Buffer.alloc((tableBlocks + 1) * block)])
  table.copy(whole, volume.image.length)
  const grown = new Volume(whole)
  for (const place of grown.partitions()) {
    const bytes = whole.subarray(place, place + block)
    // The kernel does not go beyond this with numbers either.
    bytes.writeUInt32LE(behind + Math.max(tableBlocks + 1, own.length), 192)
    seal(bytes, 5, bytes.readUInt32LE(12))
  }
  const entry = Buffer.alloc(block)
  grown.at(own[1] ?? 0).copy(entry, 0, 0, 216)
  fileEntry(entry, 248, [[behind, table.length]], behind + tableBlocks)
  entry.copy(whole, whole.length - block)
  writeFileSync(to, whole)
}
