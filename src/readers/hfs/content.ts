// The bytes of files of HFS and HFS+: where they lie, or, where Mac OS has compressed them, unpacked by sleuthkit.
import type { Entry, Volume } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Piece, Place, Reader } from '../../model/world.ts'
import { icat } from '../fiwalk/index.ts'
import { forkStep } from './walk.ts'

export async function* contents(
  image: Place,
  { start }: Volume,
  entries: AsyncIterable<Entry>,
  world: Reader,
): AsyncGenerator<Piece<Entry>> {
  for await (const key of entries) {
    const { size, extents, ino } = key
    if (extents !== null) yield { key, size, origin: { type: 'ranges', place: image, ranges: extents } }
    else yield { key, size, origin: { type: 'stream', bytes: unpacked(image, start, ino, world) } }
  }
}

/** A file of which only the name is known is none that sleuthkit could unpack. */
async function* unpacked(image: Place, start: number, ino: bigint, world: Reader): AsyncGenerator<Buffer> {
  if (ino >= forkStep) throw new ObserveError('its record in the catalog cannot be read')
  if (!(await world.has('icat')))
    throw new ObserveError('it is compressed, and icat, which unpacks it, is not installed')
  try {
    yield* world.stream(icat(world.path(image), start, ino))
  } catch (error) {
    if (error instanceof RunError) throw new ObserveError(`icat: ${error.message}`, { cause: error })
    throw error
  }
}
