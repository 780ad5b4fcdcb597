// Where the content of an inode of xfs lies, and where a link leads.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { forms, type XfsInode } from './layout.ts'
import type { Seal, XfsVolume } from './volume.ts'

const linkSeal: Seal = { sum: 12, place: 40, uuid: 16, owner: 32 }
const linkHead = 56
const linkMagic = 0x58534c4d
/** A symbolic link leads no further than that. */
const mostTarget = 1024

/** Where a content lies, and of a link where it leads. */
interface Content {
  readonly extents: readonly Range[] | null
  readonly target: Buffer | null
  readonly fault: RunError | null
}

/** Of a file or a link; of anything else there is none. What cannot be read is its `fault`, and is not thrown. */
export async function contentOf(inode: XfsInode, volume: XfsVolume, pages: Pages): Promise<Content> {
  const { type, form, size, fork } = inode
  const nowhere = { extents: type === 'f' ? [] : null, target: null }
  try {
    if (type === 'l') {
      if (form !== forms.local)
        return { ...nowhere, target: await targetOf(inode, volume, pages), fault: null }
      if (size > fork.length) throw new RunError('its target is longer than its room')
      return { ...nowhere, target: Buffer.from(fork.subarray(0, size)), fault: null }
    }
    if (type !== 'f') return { ...nowhere, fault: null }
    if (inode.isRealtime) throw new RunError('it is on the realtime device, which is not in this image')
    if (!Number.isSafeInteger(size)) throw new RunError('its size makes no sense')
    const mapped = await volume.map(inode)
    return { extents: volume.ranges(inode, mapped), target: null, fault: mapped.fault }
  } catch (error) {
    return { ...nowhere, fault: faultOf(error) }
  }
}

/** A target in blocks; with version 5 each piece of it begins with a header. */
async function targetOf(inode: XfsInode, volume: XfsVolume, pages: Pages): Promise<Buffer> {
  const { size, ino } = inode
  if (size > mostTarget) throw new RunError('its target is too long')
  const { isSealed } = volume.head
  const { runs, fault } = await volume.map(inode)
  if (fault !== null) throw fault
  const pieces: Buffer[] = []
  let left = size
  for (const run of runs) {
    const block = await pages.all([volume.rangeOf(run)])
    if (isSealed) {
      if (block.readUInt32BE(0) !== linkMagic) throw new RunError('its target is not there')
      volume.expectSealed(block, linkSeal, volume.placeOf(run.block), ino)
    }
    const piece = block.subarray(isSealed ? linkHead : 0).subarray(0, left)
    pieces.push(piece)
    left -= piece.length
  }
  if (left > 0) throw new RunError('a part of its target is not there')
  return Buffer.concat(pieces)
}
