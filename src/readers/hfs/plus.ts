// HFS+ and HFSX read from the image itself: names as they are stored, both forks, links, and where each file lies.
//
// The journal is never replayed (it would write). sleuthkit ends with 0 over folders that it could not read, and 7-Zip refuses
// the whole volume for one node of the catalog.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import type { Place, Reader } from '../../model/world.ts'
import { contents } from './content.ts'
import { listCatalog } from './listing.ts'
import { HfsVolume } from './volume.ts'
import { hfsPlusForm, parseHeader, parseWrapper } from './plus-layout.ts'
import { Pages } from '../pages.ts'
import { inBatches, type FsReader } from '../reader.ts'

export const hfsplus: FsReader = {
  name: 'hfsplus',
  reads: ({ type }) => type === 'hfsplus',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents,
}

async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const pages = new Pages(image, start, world)
  const block = await pages.bytes(1024, 512)
  const inside = parseWrapper(block) ?? 0
  const header = parseHeader(inside === 0 ? block : await pages.bytes(inside + 1024, 512))
  const volume = await HfsVolume.open(header, hfsPlusForm, start + inside, pages)
  // The header and its copy are in no file.
  const heads = Math.ceil(1536 / header.blockBytes) + Math.ceil(1024 / header.blockBytes)
  yield* listCatalog(volume, heads, world)
}
