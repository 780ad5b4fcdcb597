// An event as one line of the log, in the vocabulary of the field reports.
import type { Event, Happening } from '../model/event.ts'
import type { StageName } from '../model/medium.ts'

/** How the log calls each stage. */
export const stageWords = {
  image: 'image',
  enumerate: 'enum',
  load: 'load',
  copy: 'copy',
  archive: 'archive',
} as const

/** Members of every line; `prev` is the log's own chain. */
const envelope = ['ts', 'run', 'host', 'pid', 'seq', 'medium', 'medium_hash', 'stage', 'event', 'prev']
/** Names that a figure may not have. */
export const ofSuccess: ReadonlySet<string> = new Set([
  ...envelope,
  'action',
  'depth',
  'duration_sec',
  'health',
])

export type LogLine = Readonly<Record<string, unknown>>

/** The members of one line, in the order in which they are written. Units are in the names. */
export function logLine(event: Event): LogLine {
  const { ts, run, host, pid, seq } = event
  const placed = 'stage' in event ? event : null
  const medium = 'medium' in event ? event.medium : null
  const hash = 'hash' in event ? event.hash : null
  const name = placed === null ? bareNames[event.type as keyof typeof bareNames] : stageEvent(placed)
  return {
    ts,
    run,
    host,
    pid,
    seq,
    medium,
    medium_hash: hash,
    stage: placed?.stage ?? null,
    event: name,
    ...members(event),
  }
}

const bareNames = {
  'run.started': 'run_started',
  'plan.ready': 'plan_ready',
  'medium.waiting': 'medium_waiting',
  'store.read': 'store_read',
  'store.bad': 'store_bad',
  'run.stopping': 'run_stopping',
  'run.finished': 'run_finished',
} as const

const stageVerbs = {
  'step.started': 'start',
  'step.progress': 'progress',
  'step.line': 'line',
  'step.verifying': 'verifying',
  'step.checked': 'checked',
  'step.lost': 'lost',
  'step.done': 'success',
  'step.failed': 'error',
  'step.contradicted': 'verification_failed',
  'step.held': 'held',
} as const

type StageEvent = Extract<Event, { stage: StageName }>
const stageEvent = ({ type, stage }: StageEvent): string => `${stageWords[stage]}_${stageVerbs[type]}`

/** Seconds to the microsecond; a step that took any time at all is never told as 0. */
const seconds = (value: number): number => Math.round(value * 1e6) / 1e6

function members(event: Happening): LogLine {
  switch (event.type) {
    case 'run.started':
      return { verb: event.verb, version: event.version, arguments: event.arguments }
    case 'plan.ready':
      return {
        lanes: event.lanes,
        ...(event.fileInBytes === undefined ? {} : { file_in_bytes: event.fileInBytes }),
      }
    case 'step.started':
      return { action: event.action, code: event.because.code, reason: event.because.text }
    case 'step.progress':
      return {
        unit: event.unit,
        [`${event.unit}_done`]: event.done,
        [`${event.unit}_total`]: event.total,
      }
    case 'step.line':
      return { text: event.text, ...(event.notable === true ? { notable: true } : {}) }
    case 'step.verifying':
      return { depth: event.depth }
    case 'step.checked':
    case 'step.contradicted': {
      const { name, ok, expected, actual } = event.check
      return { check: name, ok, expected, actual }
    }
    case 'step.lost':
      return { files: event.lost.files, bytes: event.lost.bytes, paths: event.lost.paths }
    case 'step.done': {
      const taken = Object.keys(event.figures).find((key) => ofSuccess.has(key))
      if (taken !== undefined) throw new TypeError(`a figure may not be called ${taken}`)
      const { action, depth, durationSec, figures, health } = event
      return {
        action,
        depth,
        duration_sec: seconds(durationSec),
        ...(health === undefined ? {} : { health }),
        ...figures,
      }
    }
    case 'step.failed':
      return {
        tag: event.tag,
        message: event.message,
        ...(event.hint === undefined ? {} : { hint: event.hint }),
        ...(event.status === undefined ? {} : { exit_status: event.status }),
        ...(event.errno === undefined ? {} : { errno: event.errno }),
        ...(event.stderr === undefined ? {} : { stderr_tail: event.stderr }),
        duration_sec: seconds(event.durationSec),
      }
    case 'step.held':
      return { action: event.action, code: event.because.code, reason: event.because.text }
    case 'store.read': {
      const { from, to, blobs, bytes, bad } = event
      return { from, to, blobs, bytes, bad, duration_sec: seconds(event.durationSec) }
    }
    case 'store.bad':
      return { blob: event.blob, text: event.text, media: event.media, paths: event.paths }
    case 'medium.waiting':
    case 'run.stopping':
      return { text: event.text }
    case 'run.finished':
      return {
        exit_code: event.exitCode,
        duration_sec: seconds(event.durationSec),
        converged: event.converged,
        failed: event.failed,
        evidence: event.evidence,
      }
    default:
      return event satisfies never
  }
}

/** JSON that a terminal can be shown: what JSON leaves raw and a terminal obeys (DEL, C1, bidi controls) is escaped too. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** One event as one line, without its newline. */
export const lineText = (event: Event): string => jsonText(logLine(event))
