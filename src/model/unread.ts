// What of an image was never read of its medium, as errors for whoever reads there: as they were for the drive.
import { RunError } from './errors.ts'
import { intersect, parseMapfile, unreadRanges } from './mapfile.ts'
import { mapBeside, type FoundImage } from './places.ts'
import type { Place, Range, Reader } from './world.ts'

/** Bytes of an image that are not those of its medium: nobody has read them. */
export class UnreadError extends RunError {
  override readonly tag = 'unread'
  readonly range: Range
  constructor(range: Range) {
    super(`${rangesText([range])} of the image were never read`)
    this.range = range
  }
}

/** What of an image was not read, as the map beside it says: sorted, apart from one another; empty without a map. */
export async function unreadOf(
  { place, stat }: FoundImage,
  world: Pick<Reader, 'text'>,
): Promise<readonly Range[]> {
  const map = await world.text(mapBeside(place))
  return map === null ? [] : unreadRanges(parseMapfile(map), stat.bytes)
}

/** The same world, in which `read` fails with an UnreadError where it comes to one of these ranges of the image. */
export function withReadErrors<World extends Pick<Reader, 'read'>>(
  world: World,
  image: Place,
  unread: readonly Range[],
): World {
  if (unread.length === 0) return world
  async function* read(place: Place, range?: Range): AsyncGenerator<Buffer> {
    const asked = range ?? { start: 0, end: Number.MAX_SAFE_INTEGER }
    const [hit] = place === image ? intersect([asked], unread) : []
    if (hit === undefined) yield* world.read(place, range)
    else {
      if (hit.start > asked.start) yield* world.read(place, { start: asked.start, end: hit.start })
      throw new UnreadError(hit)
    }
  }
  return { ...world, read }
}

/** How many ranges are told; the rest is counted in the bytes. */
const mostTold = 20

/** `1,024 bytes at 4096-5120`. */
export function rangesText(ranges: readonly Range[]): string {
  const told = ranges.slice(0, mostTold).map(({ start, end }) => `${start}-${end}`)
  const more = ranges.length > mostTold ? ', …' : ''
  return `${bytesIn(ranges).toLocaleString('en-US')} bytes at ${told.join(', ')}${more}`
}

export const bytesIn = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, { start, end }) => sum + end - start, 0)
