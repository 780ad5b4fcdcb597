// What of an image was never read of its medium, as errors for whoever reads there: as they were for the drive.
import { fingerprint } from './canonical.ts'
import { RunError } from './errors.ts'
import { parseMapfile, unreadRanges } from './mapfile.ts'
import type { Medium } from './medium.ts'
import { findImage, mapBeside, type FoundImage } from './places.ts'
import type { RawTail } from './raw/record.ts'
import { bytesIn, intersect } from './ranges.ts'
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

/** Tells apart two states of an image, by what was not read of it: 16 hex digits. */
export const unreadPrint = (unread: readonly Range[]): string => fingerprint(unread).slice(0, 16)

/** Some of the image was not read when it was enumerated, and the map that would tell of that is gone: it is not whole for that. */
export async function hasLostMap(
  { unread }: Pick<RawTail, 'unread'>,
  medium: Pick<Medium, 'hash' | 'source'>,
  world: Pick<Reader, 'stat'>,
): Promise<boolean> {
  if (unread === null || unread === unreadPrint([])) return false
  const image = await findImage(medium, world)
  return image !== null && (await world.stat(mapBeside(image.place))) === null
}

/**
 * Whether an enumeration left something open while bytes of the image were not read: it may find more when the image has been
 * read further. Where it found all names and places, nothing that is read later can change it.
 */
export const mayGrow = ({ unread, counts, volumes }: RawTail): boolean =>
  unread !== null && unread !== unreadPrint([]) && leftOpen({ counts, volumes })

/** Something could not be read, or a volume was not. */
export const leftOpen = ({ counts, volumes }: Pick<RawTail, 'counts' | 'volumes'>): boolean =>
  counts.some(({ errors }) => errors > 0) ||
  volumes.some(({ outcome }) => outcome === 'partial' || outcome === 'unreadable')

/** How many ranges are told; the rest is counted in the bytes. */
const mostTold = 20

/** `1,024 bytes at 4096-5120`. */
export function rangesText(ranges: readonly Range[]): string {
  const told = ranges.slice(0, mostTold).map(({ start, end }) => `${start}-${end}`)
  const more = ranges.length > mostTold ? ', …' : ''
  return `${bytesIn(ranges).toLocaleString('en-US')} bytes at ${told.join(', ')}${more}`
}
