// Filesystems on raw CD images: readers of ours, over sectors taken out of their frames.
import { isEntry, type Entry, type EntryError, type Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { bytesIn } from '../../model/ranges.ts'
import type { Piece, Place, Range, Reader } from '../../model/world.ts'
import { findFraming, placesOf, sectorBytes, sectorsOf, type Framing } from './frames.ts'
import { missingContent, unobtainable } from '../faults.ts'
import { inSectors } from './sectors.ts'
import type { FsReader } from '../reader.ts'

/** How volumes on raw CD images are found. */
export const cdScheme = 'cd'

/** The same reader for raw CD images: `extents` are places in the image, from the first byte of data to the last, headers included. */
export const onRawCd = (reader: FsReader): FsReader => ({
  name: `cd-${reader.name}`,
  reads: (volume) => volume.scheme === cdScheme && reader.reads(volume),
  version: (world, volume) => reader.version(world, volume),
  async *list(image, volume, world) {
    const framing = await needFraming(image, world)
    const last = framing.stretches.reduce((most, one) => Math.max(most, one.sector + one.frames), 0)
    const whole: Volume = { ...volume, start: 0, bytes: last * sectorBytes }
    for await (const batch of reader.list(image, whole, inSectors(world, image, framing)))
      yield batch.flatMap((found) => (isEntry(found) ? placed(found, framing) : [found]))
  },
  async *contents(image, _volume, entries, world) {
    const framing = await needFraming(image, world)
    const sectors = inSectors(world, image, framing)
    for await (const key of entries) {
      const ranges = (key.extents ?? []).map((range) => logical(range, framing))
      const bytes = read(image, ranges, sectors)
      yield { key, size: key.size, origin: { type: 'stream', bytes } } satisfies Piece<Entry>
    }
  },
})

const isHole = ({ start }: Range): boolean => start === -1

const logical = (range: Range, framing: Framing): Range => (isHole(range) ? range : sectorsOf(framing, range))

function* zeros(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(Math.min(bytes, 1 << 20))
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left)
}

/** An entry with its places in the image, and an error where some of its sectors are not there. */
function placed(entry: Entry, framing: Framing): readonly (Entry | EntryError)[] {
  if (entry.extents === null) return [entry]
  const extents = entry.extents.flatMap((range) => (isHole(range) ? [range] : placesOf(framing, range)))
  const asked = bytesIn(entry.extents)
  const given = bytesIn(extents.map((range) => logical(range, framing)))
  const message = `only ${given} of ${asked} bytes are in the image`
  return [{ ...entry, extents }, ...(given === asked ? [] : [missingContent(entry.path, message)])]
}

async function* read(
  image: Place,
  ranges: readonly Range[],
  world: Pick<Reader, 'read'>,
): AsyncGenerator<Buffer> {
  try {
    for (const range of ranges) {
      if (isHole(range)) yield* zeros(range.end)
      else yield* world.read(image, range)
    }
  } catch (error) {
    throw unobtainable(error)
  }
}

async function needFraming(image: Place, world: Reader): Promise<Framing> {
  const stat = await world.stat(image)
  const framing = stat === null ? null : await findFraming(image, stat.bytes, world)
  if (framing === null) throw new RunError('there are no frames of a CD in the image any more')
  return framing
}
