// The index of a directory of NTFS: names out of its root and its blocks. Pure.
import { RunError } from '../../model/errors.ts'
import { faultOf } from '../faults.ts'
import { parseFileName, referenceAt, unprotected, wide, type FileName, type Reference } from './layout.ts'

export interface IndexName extends FileName {
  readonly file: Reference
}

/** What could be read of a list of names, and what is wrong with the rest. */
export interface Names {
  readonly names: readonly IndexName[]
  readonly fault: RunError | null
}

/** From the value of $INDEX_ROOT: the size of a block of the index, whether there are any, and the names in the root itself. */
export function parseIndexRoot(
  value: Buffer,
): Names & { readonly blockBytes: number; readonly isLarge: boolean } {
  const blockBytes = value.length < 32 ? 0 : value.readUInt32LE(8)
  if (blockBytes < 512 || blockBytes > 2 ** 20 || (blockBytes & (blockBytes - 1)) !== 0)
    throw new RunError('the root of its index makes no sense')
  return { blockBytes, isLarge: (value.readUInt8(0x1c) & 1) !== 0, ...namesIn(value, 0x10) }
}

/** From a block of the index. `number`: how it must be numbered. */
export function parseIndexBlock(bytes: Buffer, number: number): Names {
  try {
    const own = unprotected(bytes, 'INDX')
    if (wide(own, 0x10) !== number) throw new RunError('it is another block')
    return namesIn(own, 0x18)
  } catch (error) {
    return { names: [], fault: faultOf(error) }
  }
}

function namesIn(bytes: Buffer, head: number): Names {
  const names: IndexName[] = []
  const end = head + bytes.readUInt32LE(head + 4)
  try {
    for (let at = head + bytes.readUInt32LE(head); ;) {
      if (end > bytes.length || at + 16 > end) throw new RunError('its names have no end')
      const length = bytes.readUInt16LE(at + 8)
      const key = bytes.readUInt16LE(at + 10)
      // The last one has no name.
      if ((bytes.readUInt16LE(at + 12) & 2) !== 0) return { names, fault: null }
      if (length < 16 || (length & 7) !== 0 || at + length > end || 16 + key > length)
        throw new RunError('its names make no sense')
      const name = parseFileName(bytes.subarray(at + 16, at + 16 + key))
      names.push({ ...name, file: referenceAt(bytes, at) })
      at += length
    }
  } catch (error) {
    return { names, fault: faultOf(error) }
  }
}
