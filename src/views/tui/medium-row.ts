// A medium's row on the screen: its cells, and what its stage at work does. Pure; each line fits its width.
import { mismatch } from '../../model/check.ts'
import { mainAmount, rate, remaining, share } from '../../model/pace.ts'
import type { Unit } from '../../model/world.ts'
import { stageNames } from '../../model/medium.ts'
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
} from '../../model/run-view.ts'
import { count, counted } from '../../model/counted.ts'
import {
  clip,
  clock,
  columns,
  duration,
  pad,
  padLeft,
  percent,
  readable,
  shortRange,
  size,
} from '../format.ts'
import { span, type Line, type Span, type Style } from '../paint.ts'
import { stuckAt } from '../summary.ts'
import type { Layout } from './layout.ts'
import type { Picture } from './store.ts'
import { spread, brief, column } from './fitting.ts'

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
      lost === 0 ? [] : [span('doubt', clip(`, ${counted(lost, 'file')} lost`, width - columns(words)))]
    return [span('dim', clip(words, width)), ...losses]
  }
  if (isIdle(medium)) return [span('dim', 'nothing there yet')]
  const stuck = stage === null ? undefined : stuckAt(medium)
  if (stuck === undefined) return []
  const [check] = stuck.failedChecks
  const told =
    stuck.failure?.message ??
    (check !== undefined
      ? mismatch(check)
      : stuck.cell === 'contradicted' && stuck.because !== null
        ? `contradicted: ${stuck.because.text}`
        : stuck.because?.text)
  const style: Style = stuck.cell === 'failed' || stuck.cell === 'contradicted' ? 'bad' : 'doubt'
  return [span(style, clip(brief(told ?? cellWords[stuck.cell]), width))]
}

/** Columns of: the stage's word (short where there is little room), percent, rate. */
const [shortWidth, wordWidth, percentWidth, rateWidth] = [13, 18, 6, 11]
/** And of the remaining time, there and in the line over all. */
export const leftWidth = 16

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
