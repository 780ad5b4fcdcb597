// The content of a file of btrfs as its extents tell it: pieces in file order, and where they lie in the image.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { faultOf } from '../faults.ts'
import { push } from '../ranges.ts'
import { inlineAt, kinds, parseExtent, type Extent, type TreeTop } from './layout.ts'
import type { BtrfsVolume } from './volume.ts'

export interface FilePiece {
  readonly extent: Extent
  /** Bytes of the file; 0 bytes come never. */
  readonly length: number
  /** Of an inline piece: where what is stored begins in the image. */
  readonly start: number
}

const hole = (length: number): FilePiece => ({
  extent: { type: 'hole', packing: 'none', unpacked: 0, length },
  length,
  start: -1,
})

/** All of a file's pieces, gaps as holes, cut to its size. Throws RunError where one cannot be told. */
export async function* piecesOf(
  volume: BtrfsVolume,
  top: TreeTop,
  ino: bigint,
  size: number,
): AsyncGenerator<FilePiece> {
  let at = 0
  for await (const found of volume.of(top, ino, kinds.extent)) {
    if ('fault' in found) throw found.fault
    const from = Number(found.key.offset)
    if (from >= size) break
    if (from < at) throw new RunError('its pieces lie over one another')
    if (from > at) yield hole(from - at)
    const extent = parseExtent(found.value)
    const length = Math.min(lengthOf(extent), size - from)
    if (length > 0) yield { extent, length, start: found.start + inlineAt }
    at = from + length
  }
  if (at < size) yield hole(size - at)
}

function lengthOf(extent: Extent): number {
  if (extent.type !== 'inline') return extent.length
  return extent.packing === 'none' ? extent.stored.length : extent.unpacked
}

/** Where a content lies; null: it is packed or there are two copies of it, and the reader must be asked. `fault`: why the rest is not known. */
export async function placed(
  volume: BtrfsVolume,
  top: TreeTop,
  ino: bigint,
  size: number,
): Promise<{ readonly extents: readonly Range[] | null; readonly fault: RunError | null }> {
  const extents: { start: number; end: number }[] = []
  let isStream = false
  let fault: RunError | null = null
  try {
    for await (const { extent, length, start } of piecesOf(volume, top, ino, size)) {
      if (extent.type === 'hole') push(extents, { start: -1, end: length })
      else if (extent.packing !== 'none') {
        isStream = true
        if (extent.type === 'regular') volume.copies(extent.at, extent.storedBytes)
      } else if (extent.type === 'inline') push(extents, { start, end: start + length })
      else {
        const [first = 0, second] = volume.copies(extent.at + extent.from, length)
        push(extents, { start: first, end: first + length })
        if (second !== undefined) isStream = true
      }
    }
  } catch (error) {
    fault = faultOf(error)
  }
  return { extents: isStream ? null : extents, fault }
}
