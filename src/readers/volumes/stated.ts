// How large a filesystem says that it is, by its own first sectors: an image that is shorter was cut off.
import type { Place, Range, Reader } from '../../model/world.ts'
import { orNothing } from '../faults.ts'
import { Pages } from '../pages.ts'

interface Statement {
  /** Where it stands, from the beginning of the filesystem, in bytes. */
  readonly at: number
  readonly length: number
  readonly size: (head: Buffer) => number
}

const wide = (value: bigint): number => Number(value)

/** ext keeps the upper half of its count of blocks only where it has the feature `64bit`. */
function extSize(head: Buffer): number {
  const is64 = (head.readUInt32LE(0x60) & 0x80) !== 0
  const blocks = head.readUInt32LE(4) + (is64 ? head.readUInt32LE(0x150) * 2 ** 32 : 0)
  return blocks * 1024 * 2 ** head.readUInt32LE(24)
}

const hfsSize = (head: Buffer): number =>
  head.readUInt16BE(28) * 512 + head.readUInt16BE(18) * head.readUInt32BE(20)

const ext: Statement = { at: 1024, length: 512, size: extSize }

const isPrimary = (head: Buffer): boolean => head.toString('latin1', 0, 6) === '\x01CD001'
const isoSize = (head: Buffer): number => head.readUInt32LE(80) * head.readUInt16LE(128)

/** By the names of blkid. Layouts: the Microsoft specifications of FAT and exFAT, ECMA-119, Apple TN1150, and the Linux sources of the others. */
const statements: Readonly<Record<string, Statement>> = {
  vfat: {
    at: 0,
    length: 512,
    size: (head) => (head.readUInt16LE(19) || head.readUInt32LE(32)) * head.readUInt16LE(11),
  },
  exfat: { at: 0, length: 512, size: (head) => wide(head.readBigUInt64LE(72)) * 2 ** head.readUInt8(108) },
  ntfs: { at: 0, length: 512, size: (head) => wide(head.readBigUInt64LE(40)) * head.readUInt16LE(11) },
  iso9660: { at: 32_768, length: 2048, size: isoSize },
  // A disc of both kinds has it there as well.
  udf: { at: 32_768, length: 2048, size: (head) => (isPrimary(head) ? isoSize(head) : 0) },
  ext2: ext,
  ext3: ext,
  ext4: ext,
  xfs: { at: 0, length: 512, size: (head) => wide(head.readBigUInt64BE(8)) * head.readUInt32BE(4) },
  // Of this device alone.
  btrfs: { at: 65_536, length: 512, size: (head) => wide(head.readBigUInt64LE(0xd1)) },
  hfsplus: {
    at: 1024,
    length: 512,
    // Wrapped in a volume of HFS it begins with the head of that.
    size: (head) =>
      head.toString('latin1', 0, 2) === 'BD' ? hfsSize(head) : head.readUInt32BE(40) * head.readUInt32BE(44),
  },
  hfs: { at: 1024, length: 512, size: hfsSize },
}

/**
 * Why something of a filesystem may be missing, by the size that it states; null where all of it is there, or it states none that
 * can be read.
 */
export async function cutOff(
  image: Place,
  { start, end }: Range,
  type: string | null,
  world: Pick<Reader, 'read'>,
): Promise<string | null> {
  const statement = statements[type ?? '']
  if (statement === undefined) return null
  const head = await new Pages(image, start, world).bytes(statement.at, statement.length).catch(orNothing)
  return cutText(head === null ? 0 : statement.size(head), end - start)
}

/** null: nothing is missing. */
export const cutText = (stated: number, there: number): string | null =>
  stated <= there
    ? null
    : `it states a size of ${stated} bytes, and ${there} are there: the image, or the partition, is cut off`
