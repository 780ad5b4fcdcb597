// HFS, the filesystem of the Macintosh until 1998, read from the image itself: both forks, and where each lies. Names keep their bytes.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import type { Place, Reader } from '../../model/world.ts'
import { contents } from './content.ts'
import { hfsForm, parseMasterBlock } from './layout.ts'
import { listCatalog } from './listing.ts'
import { HfsVolume } from './volume.ts'
import { Pages } from '../pages.ts'
import { inBatches, type FsReader } from '../reader.ts'

export const hfs: FsReader = {
  name: 'hfs',
  reads: ({ type }) => type === 'hfs',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents,
}

async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const pages = new Pages(image, start, world)
  const header = parseMasterBlock(await pages.bytes(1024, 512))
  yield* listCatalog(await HfsVolume.open(header, hfsForm(header), start, pages), 0, world)
}
