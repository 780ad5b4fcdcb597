// Lines of exactly so many columns: what is too long is cut, and the cut is marked. Pure.
import { clip, columns, pad, readable } from '../format.ts'
import { written, type Line, type Span } from '../paint.ts'

export const wide = (spans: readonly Span[]): number =>
  spans.reduce((sum, one) => sum + columns(typeof one === 'string' ? one : one.text), 0)

/** Left and right of one line; the right one gives way. */
export function spread(left: readonly Span[], right: readonly Span[], width: number): Line {
  const gap = width - wide(left) - wide(right)
  if (gap >= 2) return [...left, ' '.repeat(gap), ...right]
  return fit(left, width)
}

/** A text on one line: of a long path only its last name; the detail has all of it. */
export const brief = (text: string): string =>
  readable(text).replaceAll(/(?<![^\s"'])\/[^\s"':]{8,}\/(?=[^\s/])/g, '…/')

/** What is cut is marked; in ASCII by one character too, so that columns stay columns. */
const cutMark = (ascii: boolean): string => (ascii ? '~' : '…')

/** Text from outside in exactly `width` columns. */
export const column = (text: string, width: number, ascii: boolean): string =>
  pad(clip(written(text, { ascii }), width, cutMark(ascii)), width)

/** A line cut to its width, span by span, as it will be written. */
export function fit(line: Line, width: number, ascii = false): Line {
  let room = width
  return line.flatMap((part): Span[] => {
    const text = written(typeof part === 'string' ? part : part.text, { ascii })
    const kept = clip(text, Math.max(0, room), cutMark(ascii))
    room -= columns(kept)
    if (kept === '') return []
    return [typeof part === 'string' ? kept : { ...part, text: kept }]
  })
}
