// What a file of NTFS is when it is no plain file: links, devices, and content that is kept elsewhere. Pure.
import type { EntryType } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { utf8Of } from '../utf16.ts'

export interface Special {
  readonly type: EntryType
  readonly target: Buffer | null
  readonly rdev: bigint
  /** Why its bytes are not its content; null: they are. */
  readonly elsewhere: string | null
}

const special = (type: EntryType, more: Partial<Special> = {}): Special => ({
  type,
  target: null,
  rdev: 0n,
  elsewhere: null,
  ...more,
})

const offline = 0x0040_1000
const isCloud = (tag: number): boolean => (tag & 0xffff_0fff) >>> 0 === 0x9000_001a

/** From the value of a reparse point (tags: Microsoft's MS-FSCC 2.1.2.1); null: the file is plain nevertheless. */
export function parseReparse(value: Buffer, flags: number): Special | null {
  const tag = value.length < 8 ? 0 : value.readUInt32LE(0)
  switch (tag) {
    case 0xa000_000c:
      return special('l', { target: named(value, 20) })
    case 0xa000_0003:
      return special('l', { target: named(value, 16) })
    case 0xa000_001d:
      return special('l', { target: Buffer.from(value.subarray(12)) })
    case 0x8000_0023:
      return special('s')
    case 0x8000_0024:
      return special('p')
    case 0x8000_0025:
      return special('c')
    case 0x8000_0026:
      return special('b')
    case 0x8000_0017:
      return special('f', { elsewhere: 'it is compressed by Windows itself (WOF), which is not decoded' })
    case 0x8000_0013:
      return special('f', { elsewhere: 'its content is in the store of the deduplication of Windows' })
    case 0xc000_0004:
    case 0x8000_0006:
      return special('f', { elsewhere: 'its content was moved to another medium' })
    default:
      return isCloud(tag) && (flags & offline) !== 0
        ? special('f', { elsewhere: 'its content is in the cloud' })
        : null
  }
}

/** The target of a link as it stands; `from`: where the names are in the value. */
function named(value: Buffer, from: number): Buffer {
  if (value.length < from) throw new RunError('its target makes no sense')
  const at = from + value.readUInt16LE(8)
  const length = value.readUInt16LE(10)
  if (at + length > value.length) throw new RunError('its target makes no sense')
  return utf8Of(value.subarray(at, at + length))
}

/** Content of files with the attribute `system`, as Interix and ntfs-3g write links and devices; null: it is a plain file. */
export function parseInterix(content: Buffer): Special | null {
  switch (content.toString('latin1', 0, 8)) {
    case 'IntxLNK\x01':
      return special('l', { target: utf8Of(content.subarray(8)) })
    case 'IntxCHR\0':
      return content.length === 24 ? special('c', { rdev: deviceIn(content) }) : null
    case 'IntxBLK\0':
      return content.length === 24 ? special('b', { rdev: deviceIn(content) }) : null
    default:
      return null
  }
}

const deviceIn = (content: Buffer): bigint =>
  (BigInt.asUintN(31, content.readBigUInt64LE(8)) << 32n) + BigInt.asUintN(32, content.readBigUInt64LE(16))

/** Longest content that is looked at for an Interix link. */
export const mostInterix = 65_536
