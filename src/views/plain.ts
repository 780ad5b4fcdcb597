// The run as lines, for pipes, logs and people who like lines: one for each change, progress at most every ten seconds.
import type { Event } from '../model/event.ts'
import { fold } from '../model/progress.ts'
import { emptyRun, stalledFor, type RunView, type StageView } from '../model/run-view.ts'
import { instant } from '../model/instant.ts'
import { lineOf } from './event-line.ts'
import { clock, columns, pad, readable } from './format.ts'
import { renderLine, span, type Line, type Manner, type Span } from './paint.ts'
import { progressText } from './progress-text.ts'
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
