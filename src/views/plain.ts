// The run as lines, for pipes, logs and people who like lines: one for each change, progress at most every ten seconds.
import type { Event } from '../model/event.ts'
import { fold } from '../model/progress.ts'
import { emptyRun, stalledFor, type RunView, type StageView } from '../model/run-view.ts'
import { mainAmount, rate, remaining, type Remaining } from '../model/pace.ts'
import { count, counted } from '../model/counted.ts'
import {
  clock,
  columns,
  pathName,
  duration,
  instant,
  pad,
  percent,
  readable,
  roughly,
  size,
} from './format.ts'
import { renderLine, span, typed, type Line, type Manner, type Span } from './paint.ts'
import { summaryText } from './summary.ts'

export interface PlainOptions {
  readonly manner: Manner
  readonly write: (text: string) => void
  /** Lines that programs write, and each check. */
  readonly verbose?: boolean
  /** Nothing but failures and the summary. */
  readonly quiet?: boolean
  /** The date and time of each line, and where each run begins, for a log of many runs. */
  readonly dated?: boolean
}

const everyMs = 10_000
const stalledEveryMs = 300_000

export interface PlainReader {
  /** One more event; the summary is written when the run has finished. */
  read(event: Event): void
  /** To be called every few seconds: what does not move sends no events, and is told as stalled here. */
  tick(nowMs: number): void
}

/** One run as it has been told so far; a log may hold several, also interleaved. */
interface Telling {
  view: RunView
  /** Width of the longest name. */
  name: number
  /** When progress, and when a stall, of a medium's stage was last told. */
  readonly progressMs: Map<string, number>
  readonly stalledMs: Map<string, number>
}

/** A reader of the stream that writes lines as things happen. */
export function openPlain({
  manner,
  write,
  verbose = false,
  quiet = false,
  dated = false,
}: PlainOptions): PlainReader {
  const runs = new Map<string, Telling>()
  const tellingOf = (run: string): Telling => {
    const known = runs.get(run)
    if (known !== undefined) return known
    const fresh: Telling = { view: emptyRun, name: 0, progressMs: new Map(), stalledMs: new Map() }
    runs.set(run, fresh)
    return fresh
  }
  const say = ({ view, name }: Telling, nowMs: number, at: Place, line: Line | null): void => {
    if (line === null) return
    const when = dated
      ? instant(new Date(nowMs).toISOString())
      : `[${clock((nowMs - (view.startedMs ?? nowMs)) / 1000)}]`
    write(`${renderLine([span('dim', `${when} `), ...placeOf(at, name), ...line], manner)}\n`)
  }
  const progress = (telling: Telling, at: Place): void => {
    const { view, progressMs } = telling
    const key = `${at.medium ?? ''}/${at.stage ?? ''}`
    const stage = stageOf(view, at)
    if (stage === null || quiet) return
    // The first report counts from the step's start, so that short steps stay silent.
    if (view.latestMs - (progressMs.get(key) ?? stage.startedMs ?? view.latestMs) < everyMs) return
    progressMs.set(key, view.latestMs)
    say(telling, view.latestMs, at, [progressText(stage, view.latestMs)])
  }
  return {
    read(event) {
      const telling = tellingOf(event.run)
      telling.view = fold(telling.view, event)
      const { view } = telling
      if (event.type === 'plan.ready') {
        telling.name = Math.min(32, Math.max(0, ...view.media.map(({ medium }) => columns(readable(medium)))))
      }
      if (event.type === 'run.finished') {
        runs.delete(event.run)
        if (view.media.length > 0) write(summaryText(view, manner))
      } else if (event.type === 'step.progress') progress(telling, placed(event))
      else if (!quiet || isLoud(event))
        say(telling, view.latestMs, placed(event), lineOf(event, verbose, dated, manner))
    },
    tick(nowMs) {
      for (const telling of runs.values()) {
        for (const { medium, stages } of telling.view.media) {
          for (const stage of stages) {
            if (stalledFor(stage, nowMs) === null) continue
            const key = `${medium}/${stage.stage}`
            if (nowMs - (telling.stalledMs.get(key) ?? 0) < stalledEveryMs) continue
            telling.stalledMs.set(key, nowMs)
            say(telling, nowMs, { medium, stage: stage.stage }, [span('doubt', progressText(stage, nowMs))])
          }
        }
      }
    },
  }
}

const isLoud = ({ type }: Event): boolean =>
  type === 'step.failed' || type === 'step.contradicted' || type === 'store.bad' || type === 'run.stopping'

interface Place {
  readonly medium: string | null
  readonly stage: string | null
}

const placed = (event: Event): Place => ({
  medium: 'medium' in event ? event.medium : null,
  stage: 'stage' in event ? event.stage : null,
})

function stageOf(view: RunView, { medium, stage }: Place): StageView | null {
  const found = view.media[view.places.get(medium ?? '') ?? -1]
  return found?.stages.find((one) => one.stage === stage) ?? null
}

const placeOf = ({ medium, stage }: Place, name: number): readonly Span[] =>
  medium === null ? [] : [span('bold', pad(readable(medium), name)), `  ${pad(stage ?? '', 9)}  `]

/** What one event says; null for those that say nothing in this form. */
function lineOf(event: Event, verbose: boolean, dated: boolean, manner: Manner): Line | null {
  switch (event.type) {
    case 'run.started':
      return dated
        ? [
            span('bold', `run ${readable(event.run)}`),
            readable(` on ${event.host}: ntt ${event.arguments.join(' ')}`),
          ]
        : null
    case 'plan.ready':
    case 'step.progress':
    case 'run.finished':
      return null
    case 'step.started':
      return [
        event.action === 'prove' ? 'verifying: ' : 'starts: ',
        readable(typed(event.because.text, manner)),
      ]
    case 'step.verifying':
      return verbose ? [span('dim', `verifying at depth ${event.depth}`)] : null
    case 'step.line':
      if (event.notable === true) return [readable(event.text)]
      return verbose ? [span('dim', `| ${readable(event.text)}`)] : null
    case 'step.checked':
      return verbose
        ? [`${event.check.ok ? 'ok' : 'not ok'}: ${event.check.name} ${readable(event.check.actual)}`]
        : null
    case 'step.lost':
      return [
        span(
          'doubt',
          `${counted(event.lost.files, 'file')} lost in whole or in part, ${size(event.lost.bytes)}`,
        ),
      ]
    case 'step.done': {
      const word = event.action === 'run' ? 'done and proven' : 'proven'
      const figures = figuresText(event.figures)
      return [span('good', word), ` in ${duration(event.durationSec)}${figures === '' ? '' : `: ${figures}`}`]
    }
    case 'step.failed': {
      const hint = event.hint === undefined ? '' : `   next: ${readable(typed(event.hint, manner))}`
      const word = event.tag === 'interrupted' ? span('doubt', 'interrupted: ') : span('bad', 'failed: ')
      return [word, `${readable(event.message)}${hint}`]
    }
    case 'step.contradicted': {
      const { name, expected, actual } = event.check
      return [span('bad', 'contradicted: '), readable(`${name}: expected ${expected}, found ${actual}`)]
    }
    case 'step.held':
      if (event.action === 'keep')
        return [span('good', 'met meanwhile: '), readable(typed(event.because.text, manner))]
      return event.action === 'wait'
        ? [span('dim', readable(typed(event.because.text, manner)))]
        : [
            span('doubt', event.action === 'refuse' ? 'refused: ' : 'unknown: '),
            readable(typed(event.because.text, manner)),
          ]
    case 'medium.waiting':
      return event.text === '' ? null : [span('doubt', 'waiting for you: '), readable(event.text)]
    case 'store.read':
      return [`store: ${counted(event.blobs, 'content')}, ${size(event.bytes)} read back`]
    case 'store.bad':
      return [span('bad', `store: ${event.blob} ${readable(event.text)}`), holders(event)]
    case 'run.stopping':
      return [span('doubt', readable(event.text))]
    default:
      return event satisfies never
  }
}

const pathsOfBad = 3

/** Whose content it is: by paths, as far as they are known, else by names of media. */
function holders({ media, paths }: Extract<Event, { type: 'store.bad' }>): string {
  const named =
    paths.length > 0 ? paths.map((path) => pathName(Buffer.from(path, 'latin1'))) : media.map(readable)
  const rest = named.length - pathsOfBad
  if (named.length === 0) return ''
  return ` (of ${named.slice(0, pathsOfBad).join(', ')}${rest > 0 ? `, and ${count(rest)} more media` : ''})`
}

/** `records 1,161, bytes 1.4 MB`, in the order in which the stage gave them. */
const figuresText = (figures: Readonly<Record<string, number>>): string =>
  Object.entries(figures)
    // What there is none of is not worth its words on a line.
    .filter(([, value]) => value !== 0)
    .map(([name, value]) =>
      name.endsWith('bytes') ? `${readable(name)} ${size(value)}` : `${readable(name)} ${count(value)}`,
    )
    .join(', ')
    .replaceAll('_', ' ')

/** `verifying 43 % of 67 MB, 4.6 MB/s, 6 to 9 s left`. */
export function progressText(stage: StageView, nowMs: number): string {
  const word = stage.cell === 'verifying' ? 'verifying ' : ''
  const { pace } = stage
  const main = pace === null ? null : mainAmount(pace)
  const still = stalledFor(stage, nowMs)
  const stalled = still === null ? '' : `, stalled: no movement for ${duration(still / 1000)}`
  if (pace === null || main === null) return `${word === '' ? 'at work' : word.trim()}${stalled}`
  const amount = (value: number): string =>
    main.unit === 'bytes' ? size(value) : counted(Math.round(value), main.unit.slice(0, -1))
  const done =
    main.total === null
      ? `${word}${amount(main.done)}`
      : `${word}${Math.min(99, percent(main.done, main.total))} % of ${amount(main.total)}`
  if (still !== null) return `${done}${stalled}`
  const speed = rate(pace, nowMs)
  const left = remaining(pace, nowMs)
  return [
    done,
    ...(speed === null ? [] : [`${amount(speed)}/s`]),
    ...(left === null ? [] : [`${rangeText(left)} left`]),
  ].join(', ')
}

/** Two durations as one range; equal ends are told once, an open end as `or more`. */
export function rangeText({ low, high }: Pick<Remaining, 'low' | 'high'>): string {
  const from = roughly(low)
  if (high === null) return `${from} or more`
  const to = roughly(high)
  if (from === to) return from
  const [value = '', unit, ...more] = from.split(' ')
  return more.length === 0 && to.endsWith(` ${unit ?? ''}`) && to.split(' ').length === 2
    ? `${value} to ${to}`
    : `${from} to ${to}`
}
