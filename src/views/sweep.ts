// The end of a verification by a budget: what was read, what is too large for it, and how much is covered.
import type { SweepEnd } from '../model/sweep-end.ts'
import { coverageText, type Covered } from './coverage.ts'
import { count, counted } from '../model/counted.ts'
import { size, wrap } from './format.ts'
import { command, render, span, type Line, type Manner } from './paint.ts'

export function sweepText(
  { exit, products, blobs, bad, bytes, putOff, isUnfinished }: SweepEnd,
  covered: Covered,
  { maxAgeMs, nowMs }: { readonly maxAgeMs: number; readonly nowMs: number },
  manner: Manner,
): string {
  const what =
    products + blobs + bad === 0 && exit === 0
      ? 'Nothing was due.'
      : `Proven: ${counted(products, 'product')}, ${counted(blobs, 'content')}, ${size(bytes)} read${bad === 0 ? '' : `; ${counted(bad, 'content is', 'contents are')} not as known`}${isUnfinished ? '; the budget is used up' : '; nothing else is due'}.`
  const lines: Line[] = [
    [''],
    [span(exit === 0 ? 'good' : 'bad', what)],
    ...(exit === 3
      ? [
          [
            span(
              'bad',
              `Something is not as it was proven: ${command('plan', manner)} shows what would mend it.`,
            ),
          ] as const,
        ]
      : []),
    ...putOff
      .slice(0, 10)
      .map((text): Line => [span('doubt', `Put off, it needs more than this budget: ${text}`)]),
    ...(putOff.length > 10 ? [[`and ${count(putOff.length - 10)} more`] as const] : []),
    ...wrap(coverageText(covered, maxAgeMs, nowMs), manner.width).map((part): Line => [part]),
  ]
  return render(lines, manner)
}
