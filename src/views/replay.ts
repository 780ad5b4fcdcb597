// A line of the log as the event that it was, so that a run can be watched again.
import { ObserveError, exitCodes, type ExitCode } from '../model/errors.ts'
import type { Event, Happening } from '../model/event.ts'
import { stageNames } from '../model/medium.ts'
import { reasonCodes, type Check, type Lane, type ReasonCode } from '../model/stage.ts'
import { ofSuccess, stageWords } from './jsonl.ts'

const codes = Object.keys(reasonCodes) as readonly ReasonCode[]
const exits = Object.keys(exitCodes).map(Number) as readonly number[] as readonly ExitCode[]
const depths = ['counts', 'hash'] as const
const actions = ['keep', 'prove', 'run', 'refuse', 'unknown', 'wait'] as const
const units = ['bytes', 'files', 'records', 'rows'] as const

/** The event of a line of the log. Throws ObserveError where it is none (a torn last line, another program's line). */
export function parseLine(text: string): Event {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch (error) {
    throw new ObserveError('a line of the event log is not JSON', { cause: error })
  }
  if (typeof line !== 'object' || line === null)
    throw new ObserveError('a line of the event log is no object')
  const read = new Members(line)
  const { ts, run, host } = { ts: read.text('ts'), run: read.text('run'), host: read.text('host') }
  return { ...happeningOf(read), ts, run, host, pid: read.number('pid'), seq: read.number('seq') }
}

function happeningOf(line: Members): Happening {
  const name = line.text('event')
  switch (name) {
    case 'run_started':
      return {
        type: 'run.started',
        verb: line.text('verb'),
        version: line.text('version'),
        arguments: line.texts('arguments'),
      }
    case 'plan_ready':
      return {
        type: 'plan.ready',
        lanes: line.lanes(),
        ...(line.has('file_in_bytes') ? { fileInBytes: line.number('file_in_bytes') } : {}),
      }
    case 'medium_waiting': {
      const hash = line.textOrNull('medium_hash')
      return { type: 'medium.waiting', medium: line.text('medium'), hash, text: line.text('text') }
    }
    case 'store_read':
      return {
        type: 'store.read',
        from: line.text('from'),
        to: line.text('to'),
        blobs: line.number('blobs'),
        bytes: line.number('bytes'),
        bad: line.number('bad'),
        durationSec: line.number('duration_sec'),
      }
    case 'store_bad':
      return {
        type: 'store.bad',
        blob: line.text('blob'),
        text: line.text('text'),
        media: line.texts('media'),
        paths: line.texts('paths'),
      }
    case 'run_stopping':
      return { type: 'run.stopping', text: line.text('text') }
    case 'run_finished':
      return {
        type: 'run.finished',
        exitCode: line.one('exit_code', exits),
        durationSec: line.number('duration_sec'),
        converged: line.number('converged'),
        failed: line.number('failed'),
        // Runs were not always sealed.
        evidence: line.has('evidence') ? line.textOrNull('evidence') : null,
      }
    default:
      return stageHappening(name, line)
  }
}

function stageHappening(name: string, line: Members): Happening {
  const cut = name.indexOf('_')
  const stage = stageNames.find((one) => stageWords[one] === name.slice(0, cut))
  if (stage === undefined) throw new ObserveError(`the event log knows no event ${JSON.stringify(name)}`)
  const at = { medium: line.text('medium'), hash: line.textOrNull('medium_hash'), stage }
  const because = () => ({ code: line.one('code', codes), text: line.text('reason') })
  switch (name.slice(cut + 1)) {
    case 'start':
      return { type: 'step.started', ...at, action: line.one('action', actions), because: because() }
    case 'progress': {
      const unit = line.one('unit', units)
      return {
        type: 'step.progress',
        ...at,
        unit,
        done: line.number(`${unit}_done`),
        total: line.numberOrNull(`${unit}_total`),
      }
    }
    case 'line':
      return {
        type: 'step.line',
        ...at,
        text: line.text('text'),
        ...(line.has('notable') ? { notable: true } : {}),
      }
    case 'verifying':
      return { type: 'step.verifying', ...at, depth: line.one('depth', depths) }
    case 'checked':
      return { type: 'step.checked', ...at, check: line.check() }
    case 'verification_failed':
      return { type: 'step.contradicted', ...at, check: line.check() }
    case 'lost':
      return {
        type: 'step.lost',
        ...at,
        lost: { files: line.number('files'), bytes: line.number('bytes'), paths: line.texts('paths') },
      }
    case 'success': {
      const health = line.maybe('health')
      return {
        type: 'step.done',
        ...at,
        action: line.one('action', ['run', 'prove', 'keep']),
        depth: line.textOrNull('depth') === null ? null : line.one('depth', depths),
        durationSec: line.number('duration_sec'),
        figures: line.figures(),
        ...(health === undefined ? {} : { health }),
      }
    }
    case 'error': {
      const [hint, errno, stderr] = [line.maybe('hint'), line.maybe('errno'), line.maybe('stderr_tail')]
      const status = line.has('exit_status') ? line.number('exit_status') : undefined
      return {
        type: 'step.failed',
        ...at,
        tag: line.text('tag'),
        message: line.text('message'),
        ...(hint === undefined ? {} : { hint }),
        ...(status === undefined ? {} : { status }),
        ...(errno === undefined ? {} : { errno }),
        ...(stderr === undefined ? {} : { stderr }),
        durationSec: line.number('duration_sec'),
      }
    }
    case 'held':
      return {
        type: 'step.held',
        ...at,
        action: line.one('action', ['keep', 'refuse', 'unknown', 'wait']),
        because: because(),
      }
    default:
      throw new ObserveError(`the event log knows no event ${JSON.stringify(name)}`)
  }
}

/** The members of a parsed line, each asked for by its name and type. */
class Members {
  readonly #line: Readonly<Record<string, unknown>>
  constructor(line: object) {
    this.#line = { ...line }
  }
  #of(key: string, type: 'string' | 'number' | 'boolean'): unknown {
    const value = this.#line[key]
    if (typeof value !== type) throw new ObserveError(`a line of the event log has no ${type} ${key}`)
    return value
  }
  text(key: string): string {
    return String(this.#of(key, 'string'))
  }
  textOrNull(key: string): string | null {
    return this.#line[key] === null ? null : this.text(key)
  }
  number(key: string): number {
    return Number(this.#of(key, 'number'))
  }
  numberOrNull(key: string): number | null {
    return this.#line[key] === null ? null : this.number(key)
  }
  has(key: string): boolean {
    return this.#line[key] !== undefined
  }
  maybe(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined
  }
  /** One value of a closed list. */
  one<Value>(key: string, of: readonly Value[]): Value {
    const found = of.find((value) => value === this.#line[key])
    if (found === undefined) throw new ObserveError(`a line of the event log has an unknown ${key}`)
    return found
  }
  texts(key: string): readonly string[] {
    const value = this.#line[key]
    if (!Array.isArray(value)) throw new ObserveError(`a line of the event log has no list ${key}`)
    return value.map(String)
  }
  check(): Check {
    const ok = this.#of('ok', 'boolean') === true
    return { name: this.text('check'), ok, expected: this.text('expected'), actual: this.text('actual') }
  }
  figures(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Object.entries(this.#line).flatMap(([key, value]) =>
        typeof value === 'number' && !ofSuccess.has(key) ? [[key, value]] : [],
      ),
    )
  }
  lanes(): readonly Lane[] {
    const value = this.#line['lanes']
    if (!Array.isArray(value)) throw new ObserveError('a line of the event log has no list lanes')
    for (const lane of value) {
      if (typeof lane?.medium !== 'string' || !Array.isArray(lane.steps)) {
        throw new ObserveError('a plan of the event log holds something that is no lane')
      }
    }
    return value as readonly Lane[]
  }
}
