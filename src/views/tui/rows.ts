// The lines of the screen: top, list, what waits for a person, log, keys. Pure; each line fits its width.
import { mainAmount, rate, remaining, share } from '../../model/pace.ts'
import type { Unit } from '../../model/world.ts'
import { stageNames } from '../../model/medium.ts'
import { outlook } from '../../model/outlook.ts'
import {
  current,
  hasWorked,
  isAtWork,
  isConverged,
  isIdle,
  stalledFor,
  type Cell,
  type MediumView,
  type StageView,
  type Told,
} from '../../model/run-view.ts'
import {
  clip,
  clock,
  columns,
  count,
  counted,
  duration,
  pad,
  padLeft,
  percent,
  readable,
  shortRange,
  size,
} from '../format.ts'
import { span, written, type Line, type Span, type Style } from '../paint.ts'
import { stuckAt } from '../summary.ts'
import type { Layout } from './layout.ts'
import type { Picture } from './store.ts'

/** Shape first, colour second; the second shape is for terminals without Unicode. */
const shapes: Readonly<Record<Cell, readonly [string, string, Style]>> = {
  absent: [' ', ' ', 'dim'],
  waiting: ['·', '.', 'dim'],
  running: ['▸', '>', 'busy'],
  verifying: ['◆', 'v', 'busy'],
  proven: ['✓', '=', 'good'],
  refused: ['⊘', 'x', 'doubt'],
  unknown: ['?', '?', 'doubt'],
  failed: ['✗', 'X', 'bad'],
  contradicted: ['!', '!', 'bad'],
}

export const cellSpan = ({ cell }: Pick<StageView, 'cell'>, ascii: boolean): Span => {
  const [shape, plain, style] = shapes[cell]
  return span(style, ascii ? plain : shape)
}

export const cellWords: Readonly<Record<Cell, string>> = {
  absent: 'not wanted',
  waiting: 'waiting',
  running: 'running',
  verifying: 'verifying',
  proven: 'done and proven',
  refused: 'refused',
  unknown: 'could not be observed',
  failed: 'failed',
  contradicted: 'contradicted',
}

/** A bar of exactly `width` columns; full only where `part` is 1. */
export function bar(part: number, width: number, ascii: boolean, style: Style): readonly Span[] {
  const halves = part >= 1 ? width * 2 : Math.min(width * 2 - 1, Math.floor(Math.max(0, part) * width * 2))
  const [full, half] = [Math.floor(halves / 2), halves % 2]
  if (ascii) return [span(style, '#'.repeat(full)), span('dim', '-'.repeat(width - full))]
  return [
    span(style, `${'━'.repeat(full)}${half === 1 ? '╸' : ''}`),
    span('dim', '─'.repeat(width - full - half)),
  ]
}

/** What run this is, how the media stand, and what the person has asked for. */
export function topLine({ view, look, nowMs, layout, purpose }: Picture): Line {
  const at = (test: (medium: MediumView) => boolean): number => view.media.filter(test).length
  const done = at(isConverged)
  const running = at(({ stages }) => stages.some(isAtWork))
  const troubled = at(isStuck)
  const left: Span[] = [
    span('bold', view.verb === '' ? 'ntt' : `ntt ${view.verb}`),
    // Before its plan a run has nothing to count.
    view.media.length === 0
      ? '  starting'
      : `  ${count(done)} of ${count(at((medium) => !isIdle(medium)))} done`,
    ...(running === 0 ? [] : [span('busy', `  ${count(running)} running`)]),
    ...(troubled === 0 ? [] : [span('bad', `  ${count(troubled)} stuck`)]),
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

const isStuck = ({ stages }: MediumView): boolean =>
  stages.some(
    ({ cell, startedMs }) =>
      cell === 'failed' ||
      cell === 'refused' ||
      cell === 'unknown' ||
      (cell === 'contradicted' && startedMs !== null),
  )

/** The whole run: bar, percent where the total is known, bytes, and the time that is left as a range. */
export function totalLine({ view, nowMs, layout }: Picture, ascii: boolean): Line {
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

const shortNames = { image: 'im', enumerate: 'en', load: 'lo', copy: 'co', archive: 'ar' } as const
const longNames = { image: 'image', enumerate: 'enum', load: 'load', copy: 'copy', archive: 'arch' } as const

export function headLine({ view, look, layout }: Picture, from: number, shown: number, total: number): Line {
  const names = layout.cell >= 6 ? longNames : shortNames
  const heads = stageNames.map((name) => pad(names[name], layout.cell)).join('')
  const label = layout.label === 0 ? '' : `${pad('label', layout.label)}  `
  const health = layout.health === 0 ? '' : pad('health', layout.health + 2)
  const left = `  ${pad('medium', layout.name)}  ${label}${health}${heads}`
  const filter = look.filter === 'all' ? '' : `${look.filter}: `
  const range = total === 0 ? 'none' : `${count(from + 1)}–${count(from + shown)} of ${count(total)}`
  const search = look.search === '' && !look.searching ? '' : `/${look.search}${look.searching ? '_' : ''}  `
  const all = total === view.media.length && shown === total ? '' : `${filter}${range}`
  return spread([span('dim', left)], [span('doubt', readable(search)), span('dim', all)], layout.columns)
}

export function mediumLine(
  medium: MediumView,
  marked: boolean,
  nowMs: number,
  layout: Layout,
  ascii: boolean,
): Line {
  const name = column(medium.medium, layout.name, ascii)
  const label = layout.label === 0 ? [] : [span('dim', column(medium.label ?? '', layout.label, ascii)), '  ']
  const cells = medium.stages.flatMap((stage): Span[] => [
    cellSpan(stage, ascii),
    ' '.repeat(layout.cell - 1),
  ])
  return [
    marked ? span('bold', '› ') : '  ',
    marked ? span('bold', name) : name,
    '  ',
    ...label,
    ...(layout.health === 0 ? [] : [healthSpan(medium, layout.health + 2)]),
    ...cells,
    ' ',
    ...tail(medium, layout.rest, nowMs, ascii),
  ]
}

/** By the share of the medium that was read; nothing where nobody knows. */
const healthSpan = ({ health }: MediumView, width: number): Span => {
  const text = pad(readable(health ?? ''), width)
  return health === null || health === 'ok' ? span('dim', text) : span('doubt', text)
}

/** What stands behind the cells: the running stage with its bar, else where the medium stands. */
function tail(medium: MediumView, width: number, nowMs: number, ascii: boolean): readonly Span[] {
  const stage = current(medium)
  if (stage !== null && isAtWork(stage)) return workSpans(stage, width, nowMs, ascii)
  if (medium.waitsFor !== null) return [span('doubt', clip(brief(medium.waitsFor), width))]
  if (medium.heldBy !== null) return [span('busy', clip(`held by ${readable(medium.heldBy)}`, width))]
  if (isConverged(medium)) {
    const took = medium.stages.reduce((sum, { durationSec }) => sum + (durationSec ?? 0), 0)
    const lost = medium.stages.reduce((sum, one) => sum + (one.lost?.files ?? 0), 0)
    const words = hasWorked(medium) ? `done in ${duration(took)}` : 'as declared'
    const losses =
      lost === 0 ? [] : [span('doubt', clip(`, ${count(lost)} files lost`, width - columns(words)))]
    return [span('dim', clip(words, width)), ...losses]
  }
  if (isIdle(medium)) return [span('dim', 'nothing there yet')]
  const stuck = stage === null ? undefined : stuckAt(medium)
  if (stuck === undefined) return []
  const [check] = stuck.failedChecks
  const told =
    stuck.failure?.message ??
    (check !== undefined
      ? `${check.name}: expected ${check.expected}, found ${check.actual}`
      : stuck.cell === 'contradicted' && stuck.because !== null
        ? `contradicted: ${stuck.because.text}`
        : stuck.because?.text)
  const style: Style = stuck.cell === 'failed' || stuck.cell === 'contradicted' ? 'bad' : 'doubt'
  return [span(style, clip(brief(told ?? cellWords[stuck.cell]), width))]
}

/** Columns of: the stage's word (short where there is little room), percent, rate, remaining. */
const [shortWidth, wordWidth, percentWidth, rateWidth, leftWidth] = [13, 18, 6, 11, 16]

function workSpans(stage: StageView, width: number, nowMs: number, ascii: boolean): readonly Span[] {
  const { pace } = stage
  const isShort = width < 64
  const name = isShort && stage.cell === 'verifying' ? longNames[stage.stage] : stage.stage
  const word = pad(stage.cell === 'verifying' ? `verify ${name}` : name, isShort ? shortWidth : wordWidth)
  const main = pace === null ? null : mainAmount(pace)
  const part = pace === null ? null : share(pace)
  // What tells nothing of itself is at least seen to last.
  const lasts = stage.startedMs === null ? '' : clock((nowMs - stage.startedMs) / 1000)
  const told =
    main === null ? lasts : part === null ? amountText(main.done, main.unit) : `${percent(part, 1)} %`
  const percents = padLeft(told, Math.max(percentWidth, columns(told) + 2))
  const still = stalledFor(stage, nowMs)
  const speed = pace === null || main === null ? null : rate(pace, nowMs)
  const left = pace === null ? null : remaining(pace, nowMs)
  const rates =
    main === null || speed === null ? '' : `${amountText(speed, main.unit === 'bytes' ? 'bytes' : null)}/s`
  const lefts = left === null ? '' : `${shortRange(left.low, left.high)} left`
  const behind =
    still === null
      ? padLeft(rates, rateWidth) + padLeft(lefts, leftWidth)
      : `  stalled for ${duration(still / 1000)}`
  // The words behind the bar come first; a bar needs six columns to say anything.
  const room = width - columns(word) - columns(percents)
  const words =
    room - columns(behind) >= 6 || still !== null
      ? clip(behind, room)
      : room >= rateWidth + 6
        ? padLeft(rates, rateWidth)
        : ''
  const length = Math.max(0, room - columns(words))
  const style = still === null ? 'busy' : 'doubt'
  return [
    span(still === null ? (stage.cell === 'verifying' ? 'busy' : 'bold') : 'doubt', word),
    ...(part === null ? [' '.repeat(length)] : bar(part, length, ascii, style)),
    percents,
    still === null ? words : span('doubt', words),
  ]
}

const amountText = (value: number, unit: Unit | null): string =>
  unit === 'bytes'
    ? size(value)
    : unit === null
      ? count(Math.round(value))
      : counted(Math.round(value), unit.slice(0, -1))

/** What waits for a person's hands. */
export function personLines({ view, layout }: Picture): readonly Line[] {
  const waiting = view.media.filter(({ waitsFor }) => waitsFor !== null)
  const shown = waiting.slice(0, waiting.length > layout.persons ? layout.persons - 1 : layout.persons)
  const more = waiting.length - shown.length
  return [
    ...shown.map(({ medium, waitsFor }): Line => [
      span('doubt', clip(` ${readable(medium)}: ${readable(waitsFor ?? '')}`, layout.columns)),
    ]),
    ...(more > 0 ? [[span('doubt', ` and ${count(more)} more media wait for you`)] satisfies Line] : []),
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
  const rule = `${ascii ? '-' : '─'.repeat(2)} log `
  const lines = view.log.slice(-layout.log).map(({ atMs, medium, stage, text, weight }): Line => {
    const at = ` ${clock((atMs - (view.startedMs ?? atMs)) / 1000)} `
    const place = medium === null ? '' : `${column(medium, layout.name, ascii)}  ${pad(stage ?? '', 9)}  `
    const words = clip(brief(text), Math.max(0, layout.columns - columns(at) - columns(place)))
    const style = weights[weight]
    return [span('dim', at), place, style === null ? words : span(style, words)]
  })
  const empty = Array.from({ length: Math.max(0, layout.log - lines.length) }, (): Line => [])
  return [
    [span('dim', pad(rule, 0) + (ascii ? '-' : '─').repeat(Math.max(0, layout.columns - columns(rule))))],
    ...lines,
    ...empty,
  ]
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

const wide = (spans: readonly Span[]): number =>
  spans.reduce((sum, one) => sum + columns(typeof one === 'string' ? one : one.text), 0)

/** Left and right of one line; the right one gives way. */
export function spread(left: readonly Span[], right: readonly Span[], width: number): Line {
  const gap = width - wide(left) - wide(right)
  if (gap >= 2) return [...left, ' '.repeat(gap), ...right]
  return fit(left, width)
}

/** A text on one line: of a long path only its last name; the detail has all of it. */
const brief = (text: string): string =>
  readable(text).replaceAll(/(?<![^\s"'])\/[^\s"':]{8,}\/(?=[^\s/])/g, '…/')

/** What is cut is marked; in ASCII by one character too, so that columns stay columns. */
const cutMark = (ascii: boolean): string => (ascii ? '~' : '…')

/** Text from outside in exactly `width` columns. */
const column = (text: string, width: number, ascii: boolean): string =>
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
