// ISO 9660 read from the image itself: RockRidge, Joliet or plain, with the place of every file; no root, no tool.
//
// The order of preference is the kernel's: RockRidge, else Joliet, else plain names. What only the other side names is listed as
// well: files that were hidden from the one, or whose directory can no longer be read.
import { counted } from '../../model/counted.ts'
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import type { Place, Reader } from '../../model/world.ts'
import { bootImages } from './el-torito.ts'
import { findTrees } from './trees.ts'
import { Named } from './named.ts'
import { Walk } from './walk.ts'
import { Pages } from '../pages.ts'
import { byRanges, type FsReader } from '../reader.ts'
import { sessionOf } from '../volumes/sessions.ts'

export const iso9660: FsReader = {
  name: 'iso9660',
  // Of a disc that is UDF as well, the ISO 9660 side.
  reads: ({ type }) => type === 'iso9660' || type === 'udf',
  version: () => Promise.resolve('2'),
  list,
  contents: byRanges,
}

async function* list(
  image: Place,
  volume: Volume,
  world: Reader,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const pages = new Pages(image, volume.start, world)
  const { main, other, isUnsure } = await findTrees(pages, sessionOf(volume))
  if (isUnsure) {
    const message = 'whether the disc has RockRidge was never read: it may hold other names than these'
    yield [{ error: 'EIO', path: Buffer.alloc(0), message }]
  }
  const named = new Named()
  yield* new Walk(main, volume.start, pages, named).all()
  for (const { start, end } of await bootImages(pages, sessionOf(volume)))
    if (!named.has(start / main.blockBytes))
      world.line(
        `a boot image of ${end - start} bytes or more at byte ${volume.start + start} is no file of it`,
      )
  if (other === null) return
  const side = other.side === 'joliet' ? 'Joliet' : 'plain'
  // The second side only for what the first does not name.
  let only = 0
  let missed = 0
  for await (const batch of new Walk(other, volume.start, pages, new Named()).all()) {
    const more = batch.filter((found) => 'type' in found && found.type === 'f' && named.isNews(found))
    only += more.length
    missed += batch.filter((found) => 'error' in found).length
    if (more.length > 0) yield more
  }
  if (missed > 0) world.line(`${missed} directories of the ${side} side could not be read whole`)
  if (only > 0)
    world.line(
      `${counted(only, 'file is', 'files are')} named only on the ${side} side, and listed by that name`,
    )
}
