// xfs read from the image itself: names, nanoseconds, owners, links, and where each file lies.
//
// The log is never replayed (it would write): what is read is the volume as it stands, like the kernel's `norecovery`.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import type { Place, Reader } from '../../model/world.ts'
import { isClean } from './log.ts'
import { XfsVolume } from './volume.ts'
import { XfsWalk } from './walk.ts'
import { hiddenNames, orNothing } from '../faults.ts'
import { Pages } from '../pages.ts'
import { byRanges, inBatches, type FsReader } from '../reader.ts'

export const xfs: FsReader = {
  name: 'xfs',
  reads: ({ type }) => type === 'xfs',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRanges,
}

async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const pages = new Pages(image, start, world)
  const volume = await XfsVolume.open(start, pages)
  if (volume.head.needsRepair) world.line('it says of itself that it needs repair: it is read as it stands')
  const isSettled = await settled(volume, new Pages(image, start, world), world)
  const walk = new XfsWalk(volume, pages)
  yield* walk.all()
  const { usedInodes, ownInodes } = volume.head
  // The counts are true only when it was unmounted.
  if (ownInodes === null || !isSettled) return
  const named = usedInodes - ownInodes
  const lost = named - walk.met.size
  if (lost > 0) world.line(`${lost} of ${named} inodes in use have no name`)
  if (lost > named / 2 && !walk.isBroken)
    yield hiddenNames(Buffer.alloc(0), new RunError(`${lost} of ${named} inodes in use have no name`))
}

/** Whether nothing waits in the log; what is told of it otherwise. */
async function settled(volume: XfsVolume, pages: Pages, world: Reader): Promise<boolean> {
  const { head } = volume
  if (head.logStart === 0) {
    world.line('its log is on another device: it is read as it stands')
    return false
  }
  const clean = await isClean(pages, volume.placeOf(head.logStart), head.logBlocks * head.blockBytes).catch(
    orNothing,
  )
  if (clean === false) world.line('its log was not replayed: it is read as it stands')
  if (clean === null) world.line('its log cannot be read: it is read as it stands')
  return clean === true
}
