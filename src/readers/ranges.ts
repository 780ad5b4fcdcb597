// Ranges of an image, one behind the other: cut, split and joined. A hole has `start: -1` and its length as `end`. Pure.
import type { Range } from '../model/world.ts'

/** Bytes `from` to `to` of what several ranges hold, one behind the other. */
export function slice(ranges: readonly Range[], from: number, to: number): readonly Range[] {
  let before = 0
  return ranges.flatMap(({ start, end }) => {
    const [first, last] = [Math.max(from - before, 0), Math.min(to - before, end - start)]
    before += end - start
    return first < last ? [{ start: start + first, end: start + last }] : []
  })
}

/** Where a byte of what several ranges hold lies; null: they hold fewer. */
export const placeIn = (ranges: readonly Range[], at: number): number | null =>
  slice(ranges, at, at + 1)[0]?.start ?? null

/** What several ranges hold, in pieces of so many bytes; the last one may be shorter. */
export function* piecesOf(ranges: readonly Range[], bytes: number): Generator<readonly Range[]> {
  let piece: Range[] = []
  let room = bytes
  for (const { start, end } of ranges) {
    const isHole = start === -1
    const length = isHole ? end : end - start
    for (let done = 0; done < length;) {
      const taken = Math.min(room, length - done)
      piece.push(isHole ? { start, end: taken } : { start: start + done, end: start + done + taken })
      done += taken
      room -= taken
      if (room > 0) continue
      yield piece
      piece = []
      room = bytes
    }
  }
  if (piece.length > 0) yield piece
}

/** Adds a range to those before it; neighbours become one. */
export function push(ranges: { start: number; end: number }[], { start, end }: Range): void {
  const last = ranges.at(-1)
  if (start === -1 && last?.start === -1) last.end += end
  else if (start !== -1 && last !== undefined && last.start !== -1 && last.end === start) last.end = end
  else ranges.push({ start, end })
}
