// Ranges of an image as sets of bytes: how many, what lies in both, and what is left. A hole has `start: -1` and its length as `end`. Pure.
import type { Range } from './world.ts'

/** How many bytes, those of holes among them. */
export const bytesIn = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, { start, end }) => sum + (start === -1 ? end : end - start), 0)

/** The parts of `ranges` (in any order, holes left out) that lie in `unread` (sorted, apart from one another). */
export function intersect(ranges: readonly Range[], unread: readonly Range[]): readonly Range[] {
  return ranges.flatMap((range) => {
    if (range.start < 0) return []
    const hit: Range[] = []
    for (let at = firstEndingAfter(unread, range.start); at < unread.length; at += 1) {
      const { start, end } = unread[at] ?? { start: Infinity, end: Infinity }
      if (start >= range.end) break
      hit.push({ start: Math.max(start, range.start), end: Math.min(end, range.end) })
    }
    return hit
  })
}

function firstEndingAfter(sorted: readonly Range[], place: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle]?.end ?? 0) > place) high = middle
    else low = middle + 1
  }
  return low
}

/** What is left of a range without the holes, which come in the order of their beginnings. */
export function subtract(range: Range, holes: readonly Range[]): readonly Range[] {
  const left: Range[] = []
  let { start } = range
  for (const hole of holes) {
    if (hole.end <= start || hole.start >= range.end) continue
    if (hole.start > start) left.push({ start, end: hole.start })
    start = hole.end
  }
  if (start < range.end) left.push({ start, end: range.end })
  return left
}

/** Sorted, and without overlaps. */
export function merged(ranges: readonly Range[]): readonly Range[] {
  const found: { start: number; end: number }[] = []
  for (const { start, end } of ranges.toSorted((one, other) => one.start - other.start)) {
    const last = found.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else found.push({ start, end })
  }
  return found
}
