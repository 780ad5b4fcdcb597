// NTFS read from the image itself: names by the indexes and, where these are damaged, by the file table; streams, links, holes.
//
// The journal is never replayed (it would write). sleuthkit and 7-Zip end with 0 over directories that they could not read,
// and 7-Zip fails on some sparse files.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import type { Place, Reader } from '../../model/world.ts'
import { countBits } from '../volumes/claims.ts'
import { orNothing } from '../faults.ts'
import { contentOf } from './content.ts'
import { attributes, unprotected } from './layout.ts'
import { NtfsLost } from './lost.ts'
import { NtfsVolume, streamOf, type Stream } from './volume.ts'
import { NtfsWalk } from './walk.ts'
import { Pages } from '../pages.ts'
import { byRangesOr, inBatches, type FsReader } from '../reader.ts'

export const ntfs: FsReader = {
  name: 'ntfs',
  reads: ({ type }) => type === 'ntfs',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRangesOr(async (image, { start }, world) => {
    const volume = await NtfsVolume.open(start, new Pages(image, start, world))
    return (key) => contentOf(volume, key)
  }),
}

const [logRecord, volumeRecord, bitmapRecord] = [2, 3, 6]

async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const volume = await NtfsVolume.open(start, new Pages(image, start, world))
  if (!(await isClean(volume)))
    world.line('it was not unmounted: it is read as it stands, its journal not replayed')
  const walk = new NtfsWalk(volume)
  yield* walk.all()
  const lost = new NtfsLost(volume, walk)
  yield* lost.all()
  if (lost.found > 0)
    world.line(`${lost.found} names are those of the file table: no directory could tell them`)
  if (walk.entries === 0 && walk.unread.size + walk.broken.size > 0)
    throw new RunError('the root directory cannot be read')
  const used = await usedClusters(volume)
  const free = used === null ? 0 : used - walk.claims.blocks
  if (free > 0) world.line(`${free} of ${used} clusters in use belong to no file`)
}

/** Neither marked as dirty, nor with a journal that is open. */
async function isClean(volume: NtfsVolume): Promise<boolean> {
  const own = await streamAt(volume, volumeRecord, attributes.volume)
  if (
    own?.value !== undefined &&
    own.value !== null &&
    own.value.length >= 12 &&
    (own.value.readUInt16LE(10) & 1) !== 0
  )
    return false
  const log = (await streamAt(volume, logRecord, attributes.data))?.extents?.[0]
  if (log === undefined || log.start === -1) return true
  const page = await volume.pages
    .all([{ start: log.start, end: Math.min(log.end, log.start + 4096) }])
    .catch(orNothing)
  const head = page?.toString('latin1', 0, 4) === 'RSTR' ? restartOf(page) : null
  // Nobody has it open, or who had it has closed the volume.
  return head === null || head.readUInt16LE(12) === 0xffff || (head.readUInt16LE(14) & 2) !== 0
}

/** The area of a restart page that says who has the journal open; null: it makes no sense. */
function restartOf(page: Buffer): Buffer | null {
  try {
    const own = unprotected(page, 'RSTR')
    const at = own.readUInt16LE(0x18)
    return at + 16 <= own.length ? own.subarray(at) : null
  } catch (error) {
    return orNothing(error)
  }
}

async function streamAt(volume: NtfsVolume, number: number, type: number): Promise<Stream | undefined> {
  const file = await volume.file(number).catch(orNothing)
  return file === null ? undefined : streamOf(file, type, '')
}

/** Clusters in use, as the volume itself says; null: it cannot be read. */
async function usedClusters(volume: NtfsVolume): Promise<number | null> {
  const bitmap = await streamAt(volume, bitmapRecord, attributes.data)
  const { clusters } = volume.layout
  if (bitmap?.extents === null || bitmap === undefined || bitmap.size * 8 < clusters) return null
  let used = 0
  let left = clusters
  for (const { start, end } of bitmap.extents) {
    if (start === -1) return null
    for (let at = start; at < end && left > 0; at += step) {
      const bytes = await volume.pages.all([{ start: at, end: Math.min(end, at + step) }]).catch(orNothing)
      if (bytes === null) return null
      // The bits behind the last cluster are set, and mean nothing.
      const whole = Math.min(bytes.length, left >>> 3)
      used += countBits(bytes.subarray(0, whole))
      left -= whole * 8
      if (left < 8) {
        used += countBits(Buffer.from([(bytes[whole] ?? 0) & ((1 << left) - 1)]))
        left = 0
      }
    }
  }
  return used
}

const step = 65_536
