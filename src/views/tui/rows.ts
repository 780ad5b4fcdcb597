// The lines around the list of media: top, what waits for a person, log, keys. Pure; each line fits its width.
import { share } from '../../model/pace.ts'
import { outlook } from '../../model/outlook.ts'
import {
  current,
  isAtWork,
  isConverged,
  isIdle,
  isStuck,
  stalledFor,
  type MediumView,
  type Told,
} from '../../model/run-view.ts'
import { count } from '../../model/counted.ts'
import { clip, clock, columns, pad, padLeft, percent, readable, shortRange, size } from '../format.ts'
import { span, type Line, type Span, type Style } from '../paint.ts'
import type { Picture } from './store.ts'
import { wide, spread, brief, column, fit } from './fitting.ts'
import { bar, leftWidth } from './medium-row.ts'

/** What run this is, how the media stand, and what the person has asked for. */
export function topLine({ view, look, nowMs, layout, purpose }: Picture): Line {
  const at = (test: (medium: MediumView) => boolean): number => view.media.filter(test).length
  const done = at(isConverged)
  const running = at(({ stages }) => stages.some(isAtWork))
  const stuck = at(isStuck)
  const left: Span[] = [
    span('bold', view.verb === '' ? 'ntt' : `ntt ${view.verb}`),
    // Before its plan a run has nothing to count.
    view.media.length === 0
      ? '  starting'
      : `  ${count(done)} of ${count(at((medium) => !isIdle(medium)))} done`,
    ...(running === 0 ? [] : [span('busy', `  ${count(running)} running`)]),
    ...(stuck === 0 ? [] : [span('bad', `  ${count(stuck)} stuck`)]),
    ...(purpose === 'watch'
      ? []
      : view.finished === null && (view.stopping !== null || look.stops > 0)
        ? [
            span(
              'doubt',
              look.stops > 1 ? '  stopping now' : '  stopping after the running steps; ^C again stops now',
            ),
          ]
        : look.paused
          ? [span('doubt', '  paused after the running steps')]
          : []),
  ]
  const elapsed = view.startedMs === null ? '' : clock((nowMs - view.startedMs) / 1000)
  const full = view.run === '' ? elapsed : `run ${view.run}   ${elapsed}`
  return spread(
    left,
    [span('dim', wide(left) + columns(full) + 2 <= layout.columns ? full : elapsed)],
    layout.columns,
  )
}

/** The whole run: bar, percent where the total is known, bytes, and the time that is left as a range. */
export function totalLine({ view, nowMs, layout, purpose }: Picture, ascii: boolean): Line {
  const isAtRest = view.media.every(({ heldBy, stages }) => heldBy === null && !stages.some(isAtWork))
  // Who only watches has no work of their own that a bar could be of.
  if (purpose === 'watch' && view.run === '' && view.media.length > 0 && isAtRest)
    return [span('dim', clip(' At rest: no run is at work here.', layout.columns))]
  const { share, doneBytes, totalBytes, remaining } = outlook(view, nowMs)
  const done = doneBytes > 0 || totalBytes !== null ? size(doneBytes) : ''
  // Each in its own columns, so that the bar keeps its length while figures come and grow.
  const words = [
    padLeft(share === null ? '' : `${percent(share, 1)} %`, 6),
    totalBytes === null || totalBytes === 0 ? done : padLeft(`${done} of ${size(totalBytes)}`, 16),
    ...(view.finished === null
      ? [padLeft(remaining === null ? '' : `${shortRange(remaining.low, remaining.high)} left`, leftWidth)]
      : []),
  ].join('  ')
  const width = Math.max(0, layout.columns - columns(words) - 1)
  return [' ', ...bar(share ?? 0, width, ascii, share === 1 ? 'good' : 'busy'), words]
}

/** What waits for another run. */
export function personLines({ view, layout }: Picture): readonly Line[] {
  const waiting = view.media.filter(({ waitsFor }) => waitsFor !== null)
  const shown = waiting.slice(0, waiting.length > layout.persons ? layout.persons - 1 : layout.persons)
  const more = waiting.length - shown.length
  return [
    ...shown.map(({ medium, waitsFor }): Line => [
      span('doubt', clip(` ${readable(medium)}: ${readable(waitsFor ?? '')}`, layout.columns)),
    ]),
    ...(more > 0 ? [[span('doubt', ` and ${count(more)} more media wait`)] satisfies Line] : []),
  ]
}

const weights: Readonly<Record<Told['weight'], Style | null>> = {
  plain: null,
  good: 'good',
  doubt: 'doubt',
  bad: 'bad',
}

/** A rule and the last events. */
export function logLines({ view, layout }: Picture, ascii: boolean): readonly Line[] {
  const dash = ascii ? '-' : '─'
  const rule = `${dash.repeat(2)} log `
  const lines = view.log.slice(-layout.log).map(({ atMs, medium, stage, text, weight }): Line => {
    const at = ` ${clock((atMs - (view.startedMs ?? atMs)) / 1000)} `
    const place = medium === null ? '' : `${column(medium, layout.name, ascii)}  ${pad(stage ?? '', 9)}  `
    const words = clip(brief(text), Math.max(0, layout.columns - columns(at) - columns(place)))
    const style = weights[weight]
    return [span('dim', at), place, style === null ? words : span(style, words)]
  })
  const empty = Array.from({ length: Math.max(0, layout.log - lines.length) }, (): Line => [])
  return [[span('dim', rule + dash.repeat(Math.max(0, layout.columns - columns(rule))))], ...lines, ...empty]
}

export function keysLine({ look, layout, purpose }: Picture): Line {
  const steer = purpose === 'watch' ? 'q close' : `${look.paused ? 'p go on' : 'p pause'}   q stop`
  const keys = look.searching
    ? 'type to search   enter keep   esc clear'
    : look.pane === 'detail'
      ? `arrows scroll   esc back   ${steer}   ? help`
      : look.pane === 'help'
        ? 'esc back'
        : `arrows move   enter detail   f filter   / search   ${steer}   ? help`
  return [span('dim', clip(` ${keys}`, layout.columns))]
}

/** For a terminal that is too small for a table. */
export function tinyLines(picture: Picture, ascii: boolean): readonly Line[] {
  const { view, layout } = picture
  const lines: readonly Line[] = [
    topLine(picture),
    totalLine(picture, ascii),
    ...personLines(picture),
    ...view.media
      .filter(({ stages }) => stages.some(isAtWork))
      .map((medium): Line => {
        const stage = current(medium)
        const part = stage?.pace === null || stage === null ? null : share(stage.pace)
        const stalled = stage !== null && stalledFor(stage, picture.nowMs) !== null ? ' stalled' : ''
        return [
          ` ${readable(medium.medium)} ${stage?.cell === 'verifying' ? 'proves ' : ''}${stage?.stage ?? ''}${part === null ? '' : ` ${percent(part, 1)} %`}${stalled}`,
        ]
      }),
  ]
  return lines.slice(0, layout.rows).map((line) => fit(line, layout.columns))
}
