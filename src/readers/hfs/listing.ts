// A volume of HFS or HFS+ listed: down its folders, then through all of its catalog, then held against its own counts.
import type { Entry, EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import type { Reader } from '../../model/world.ts'
import { missingNames } from '../faults.ts'
import { HfsLost } from './lost.ts'
import type { HfsVolume } from './volume.ts'
import { HfsWalk } from './walk.ts'

/** `heads`: blocks in use that are in no fork. */
export async function* listCatalog(
  volume: HfsVolume,
  heads: number,
  world: Pick<Reader, 'line'>,
): AsyncGenerator<Entry | EntryError> {
  const { header, catalog, attributes } = volume
  if (!header.isClean) world.line('it was not unmounted: it is read as it stands, its journal not replayed')
  const walk = new HfsWalk(volume)
  yield* walk.all()
  const lost = new HfsLost(volume, walk)
  yield* lost.all()
  if (lost.found > 0) world.line(`${lost.found} names were found by looking through the whole catalog`)
  if (walk.entries === 0 && walk.isBroken) throw new RunError('the catalog cannot be read')
  const missing = catalog.stated - lost.records
  if (missing > 0 && !walk.isBroken) {
    const message = `${missing} of ${catalog.stated} records of the catalog are not there: names are missing`
    yield missingNames(Buffer.alloc(0), message)
  }
  if (attributes !== null && attributes.stated > 0)
    world.line(`${attributes.stated} extended attributes are not told`)
  const used = header.blocks - header.freeBlocks
  const free = used - walk.claims.blocks - heads
  if (free > 0) world.line(`${free} of ${used} blocks in use belong to no file`)
}
