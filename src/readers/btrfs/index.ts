// btrfs on one device, read from the image itself: names, subvolumes and snapshots, nanoseconds, links, and where each file lies.
//
// The log of what was written last is not replayed (it would write): what is read is the last whole state, like the kernel's
// `rescue=nologreplay`. All subvolumes are read, from the top one down, whichever is mounted by default.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import type { Place, Reader } from '../../model/world.ts'
import { RunError } from '../../model/errors.ts'
import { faultOf, hiddenNames, orNothing } from '../faults.ts'
import { Pages } from '../pages.ts'
import { byRangesOr, inBatches, type FsReader } from '../reader.ts'
import { BtrfsContents } from './content.ts'
import { firstFree, keyAt, kinds, lastFree, parseRoot, trees } from './layout.ts'
import { BtrfsVolume } from './volume.ts'
import { BtrfsWalk } from './walk.ts'

export const btrfs: FsReader = {
  name: 'btrfs',
  reads: ({ type }) => type === 'btrfs',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRangesOr(async (image, place, world) => {
    const contents = new BtrfsContents(await BtrfsVolume.open(place, new Pages(image, place.start, world)))
    return (key) => contents.of(key)
  }),
}

async function* list(image: Place, place: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const volume = await BtrfsVolume.open(place, new Pages(image, place.start, world))
  const { hasLog, bytes, sum } = volume.head
  if (hasLog) world.line('its log was not replayed: it is read as it stood before what was written last')
  if (bytes > place.bytes) world.line(`it has ${bytes} bytes, and its partition ${place.bytes}`)
  if (sum.of === null) world.line(`its checksums (${sum.name}) are not checked`)
  const chosen = await defaultOf(volume).catch(orNothing)
  if (chosen !== null && chosen !== trees.top)
    world.line(`subvolume ${chosen} is mounted by default: all are read, from the top one`)
  const walk = new BtrfsWalk(volume)
  yield* walk.all()
  yield* unnamed(volume, walk, world)
}

const rootsDirectory = 6n
const nameHashed = 84

/** Number of the subvolume that is mounted if nothing else is said; null: it is not told. */
async function defaultOf(volume: BtrfsVolume): Promise<bigint | null> {
  for await (const found of volume.of(volume.head.roots, rootsDirectory, nameHashed)) {
    if ('fault' in found) throw found.fault
    return found.value.length < 17 ? null : keyAt(found.value, 0).id
  }
  return null
}

/** Subvolumes that no directory names. */
async function* unnamed(volume: BtrfsVolume, walk: BtrfsWalk, world: Reader): AsyncGenerator<EntryError> {
  const from = { id: firstFree, kind: kinds.root, offset: 0n }
  const to = { id: lastFree, kind: kinds.root, offset: 0n }
  let deleted = 0
  for await (const found of volume.items(volume.head.roots, from, to)) {
    try {
      if ('fault' in found) throw found.fault
      if (found.key.kind !== kinds.root || walk.met.has(found.key.id)) continue
      if (parseRoot(found.value).refs === 0) deleted += 1
      else if (!walk.isBroken) throw new RunError(`subvolume ${found.key.id} has no name`)
    } catch (error) {
      yield hiddenNames(Buffer.alloc(0), faultOf(error), 'of the list of subvolumes, ')
    }
  }
  if (deleted > 0) world.line(`${deleted} subvolumes that were being deleted are not read`)
}
