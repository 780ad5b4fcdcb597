// Names in the directories of xfs: those in an inode, and those in blocks. Pure.
import type { EntryType } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'

export interface XfsName {
  readonly name: Buffer
  readonly ino: bigint
  /** What the directory says that it is; null where it does not. */
  readonly type: EntryType | null
}

export interface XfsNames {
  readonly names: readonly XfsName[]
  /** Why there may be more. */
  readonly fault: RunError | null
}

const kinds: readonly (EntryType | null)[] = [null, 'f', 'd', 'c', 'b', 'p', 's', 'l']

/** A short directory, whole. `above`: the number of the one that it lies in. Throws RunError where it makes no sense. */
export function parseShort(
  bytes: Buffer,
  hasKinds: boolean,
): { readonly names: readonly XfsName[]; readonly above: bigint } {
  const wrong = new RunError('its list of names makes no sense')
  if (bytes.length < 6) throw wrong
  const isWide = bytes.readUInt8(1) > 0
  const inoBytes = isWide ? 8 : 4
  const inoAt = (at: number): bigint => (isWide ? bytes.readBigUInt64BE(at) : BigInt(bytes.readUInt32BE(at)))
  const names: XfsName[] = []
  let at = 2 + inoBytes
  if (at > bytes.length) throw wrong
  for (let left = bytes.readUInt8(0); left > 0; left -= 1) {
    const length = bytes[at] ?? 0
    const kindAt = at + 3 + length
    const end = kindAt + (hasKinds ? 1 : 0) + inoBytes
    if (length === 0 || end > bytes.length) throw wrong
    const type = hasKinds ? (kinds[bytes.readUInt8(kindAt)] ?? null) : null
    names.push({ name: bytes.subarray(at + 3, kindAt), ino: inoAt(end - inoBytes), type })
    at = end
  }
  if (at !== bytes.length) throw wrong
  return { names, above: inoAt(2) }
}

/** How blocks of directories are made in a filesystem. */
export interface BlockForm {
  readonly isSealed: boolean
  readonly hasKinds: boolean
}

/** Bytes before the first name: with version 5 a checksum, an owner and more. */
const headBytes = ({ isSealed }: BlockForm): number => (isSealed ? 64 : 16)
/** Of a block that is the whole directory, and of one among others. */
const magics = (isSealed: boolean): readonly [whole: number, part: number] =>
  isSealed ? [0x58444233, 0x58444433] : [0x58443242, 0x58443244]

/** The names in one block of a directory, its first `limit` bytes: the rest was not read. */
export function parseBlock(block: Buffer, form: BlockForm, limit: number): XfsNames {
  const names: XfsName[] = []
  const isCut = limit < block.length
  const [whole, part] = magics(form.isSealed)
  const magic = block.readUInt32BE(0)
  let at = headBytes(form)
  if (limit < at) return { names, fault: null }
  if (magic !== whole && magic !== part) return { names, fault: new RunError('a block of it holds no names') }
  const isWhole = magic === whole
  // A block that is the whole directory ends with hashes of its names, and how many those are.
  const hashes = isWhole && !isCut ? block.readUInt32BE(block.length - 8) : 0
  const stale = isWhole && !isCut ? block.readUInt32BE(block.length - 4) : 0
  const end = isCut ? limit : block.length - (isWhole ? 8 + hashes * 8 : 0)
  const broken = isCut ? null : new RunError('the names in a block of it do not follow one another')
  if (end < at) return { names, fault: broken }
  while (at < end) {
    if (at + 8 > end) return { names, fault: broken }
    const isFree = block.readUInt16BE(at) === 0xffff
    const nameBytes = block[at + 8] ?? 0
    const bytes = isFree
      ? block.readUInt16BE(at + 2)
      : Math.ceil((9 + nameBytes + (form.hasKinds ? 1 : 0) + 2) / 8) * 8
    // Each record ends with its own place.
    if (bytes < 8 || bytes % 8 !== 0 || at + bytes > end || block.readUInt16BE(at + bytes - 2) !== at)
      return { names, fault: broken }
    if (!isFree) {
      if (nameBytes === 0) return { names, fault: broken }
      const name = block.subarray(at + 9, at + 9 + nameBytes)
      const type = form.hasKinds ? (kinds[block.readUInt8(at + 9 + nameBytes)] ?? null) : null
      names.push({ name, ino: block.readBigUInt64BE(at), type })
    }
    at += bytes
  }
  if (isWhole && !isCut && hashes - stale !== names.length)
    return { names, fault: new RunError(`it counts ${hashes - stale} names and holds ${names.length}`) }
  return { names, fault: null }
}
