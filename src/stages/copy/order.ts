// Contents in the order of the medium: a head that moves forward reads many times as fast as one that jumps.
import type { Entry } from '../../model/entry.ts'
import type { Piece } from '../../model/world.ts'

const window = 2000

/** Contents that are read from an image, in the order in which they lie there, as far as a window reaches. */
export async function* inMediumOrder(pieces: AsyncIterable<Piece<Entry>>): AsyncGenerator<Piece<Entry>> {
  let held: { readonly start: number; readonly piece: Piece<Entry> }[] = []
  const ordered = (): readonly Piece<Entry>[] => {
    const sorted = held.toSorted((one, other) => one.start - other.start).map(({ piece }) => piece)
    held = []
    return sorted
  }
  for await (const piece of pieces) {
    const { origin } = piece
    // A stream must be used before the next one is asked for, and live files have no known place.
    if (origin.type !== 'ranges') {
      yield* ordered()
      yield piece
      continue
    }
    held.push({ start: origin.ranges.find(({ start }) => start >= 0)?.start ?? 0, piece })
    if (held.length >= window) yield* ordered()
  }
  yield* ordered()
}
