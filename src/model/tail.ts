// How the enumeration of a medium ended, where it lies.
import type { Medium } from './medium.ts'
import { rawPlace } from './places.ts'
import { readRange } from './range.ts'
import { readTail, type RawTail } from './raw/index.ts'
import type { Reader } from './world.ts'

/** By its ends, without reading what is between them. null: there is none, or it is none. */
export async function tailOf(medium: Pick<Medium, 'hash'>, world: Reader): Promise<RawTail | null> {
  const place = rawPlace(medium)
  const stat = await world.stat(place)
  return stat === null ? null : readTail((start, end) => readRange(world, place, { start, end }), stat.bytes)
}
