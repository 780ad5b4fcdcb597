// What a run looks like now: the events folded, one after the other, into its view. Pure.
import { mismatch } from './check.ts'
import { counted } from './counted.ts'
import type { Event } from './event.ts'
import { stageNames, type StageName } from './medium.ts'
import { newPace, paced } from './pace.ts'
import {
  cellOfAction,
  noStage,
  planned,
  unplanned,
  type Cell,
  type MediumView,
  type RunView,
  type StageView,
  type Told,
} from './run-view.ts'

const logLength = 200
const lineLength = 40

/** The view after one more event. */
export function fold(view: RunView, event: Event): RunView {
  const read = Date.parse(event.ts)
  const nowMs = Number.isNaN(read) ? view.latestMs : Math.max(view.latestMs, read)
  const next: RunView = {
    ...view,
    run: event.run,
    host: event.host,
    startedMs: view.startedMs ?? nowMs,
    latestMs: nowMs,
  }
  const tell = (run: RunView, weight: Told['weight'], text: string): RunView => {
    const medium = 'medium' in event ? event.medium : null
    const stage = 'stage' in event ? event.stage : null
    const told: Told = { seq: event.seq, atMs: nowMs, medium, stage, weight, text }
    return { ...run, log: [...run.log.slice(1 - logLength), told] }
  }
  switch (event.type) {
    case 'run.started':
      return { ...next, verb: event.verb, version: event.version }
    case 'plan.ready':
      return planned({ ...next, fileInBytes: event.fileInBytes ?? next.fileInBytes }, event.lanes)
    case 'step.started': {
      const run = changed(next, event, (stage) => ({
        ...fresh(stage),
        cell: event.action === 'prove' ? 'verifying' : 'running',
        action: event.action,
        because: event.because,
        startedMs: nowMs,
        aliveMs: nowMs,
        expected: stage.expected,
      }))
      return tell(run, 'plain', event.action === 'prove' ? 'verification starts' : 'starts')
    }
    case 'step.progress':
      return changed(next, event, (stage) => {
        const { unit, done, total } = event
        const pace = paced(stage.pace ?? newPace(next.fileInBytes), unit, { done, total }, nowMs)
        // The same figures once more are no sign of life.
        if (pace === stage.pace) return stage
        // What the work itself tells of its size goes before what the plan could know; the witness's is another size.
        const isWork = stage.cell === 'running' || stage.action === 'prove'
        const bytes = isWork && unit === 'bytes' ? (total ?? 0) : 0
        const expected = bytes > (stage.expected ?? 0) ? bytes : stage.expected
        return { ...stage, pace, expected, aliveMs: nowMs }
      })
    case 'step.line': {
      const run = changed(next, event, (stage) => ({
        ...stage,
        aliveMs: nowMs,
        lines: [...stage.lines.slice(1 - lineLength), event.text],
      }))
      return tell(run, event.notable === true ? 'doubt' : 'plain', event.text)
    }
    case 'step.verifying':
      return changed(next, event, (stage) => ({
        ...stage,
        cell: 'verifying',
        aliveMs: nowMs,
        depth: event.depth,
        pace: null,
        checks: [],
      }))
    case 'step.checked':
      return changed(next, event, (stage) => ({
        ...stage,
        aliveMs: nowMs,
        checks: [...stage.checks.slice(1 - lineLength), event.check],
      }))
    case 'step.lost': {
      const run = changed(next, event, (stage) => ({ ...stage, aliveMs: nowMs, lost: event.lost }))
      return tell(run, 'doubt', `${counted(event.lost.files, 'file')} could not be read whole`)
    }
    case 'step.done': {
      const run = changed(next, event, (stage) => ({
        ...stage,
        cell: 'proven',
        aliveMs: nowMs,
        endedMs: nowMs,
        pace: null,
        depth: event.depth,
        provenMs: nowMs,
        durationSec: event.durationSec,
        figures: event.figures,
        failedChecks: [],
        failure: null,
      }))
      const known =
        event.health === undefined
          ? run
          : changedMedium(run, event.medium, (medium) => ({ ...medium, health: event.health ?? null }))
      return tell(known, 'good', event.action === 'run' ? 'is done and proven' : 'is proven')
    }
    case 'step.failed': {
      const { tag, message, hint = null, stderr = '' } = event
      const run = changed(next, event, (stage) => ({
        ...stage,
        cell: cellOfFailure(tag),
        endedMs: nowMs,
        pace: null,
        durationSec: event.durationSec,
        failure: { tag, message, hint, stderr },
      }))
      return tell(run, tag === 'interrupted' ? 'plain' : 'bad', message)
    }
    case 'step.contradicted': {
      const run = changed(next, event, (stage) => ({
        ...stage,
        cell: 'contradicted',
        failedChecks: [...stage.failedChecks, event.check],
      }))
      return tell(run, 'doubt', mismatch(event.check))
    }
    case 'step.held': {
      const run = changed(next, event, (stage) => ({
        ...stage,
        cell: cellOfAction(event.action),
        action: event.action,
        because: event.because,
      }))
      if (event.action === 'keep') return tell(run, 'good', 'is met: somebody else has done it meanwhile')
      return event.action === 'wait' ? run : tell(run, 'doubt', event.because.text)
    }
    case 'medium.waiting': {
      const text = event.text === '' ? null : event.text
      const run = changedMedium(next, event.medium, (medium) => ({ ...medium, waitsFor: text }))
      return text === null ? run : tell(run, 'doubt', text)
    }
    case 'store.read': {
      const { blobs, bytes, bad } = next.store
      const store = { blobs: blobs + event.blobs, bytes: bytes + event.bytes, bad: bad + event.bad }
      return { ...next, store }
    }
    case 'store.bad':
      return tell(next, 'bad', `${event.blob.slice(0, 16)}…: ${event.text}`)
    case 'run.stopping':
      return tell({ ...next, stopping: event.text }, 'doubt', event.text)
    case 'run.finished': {
      const { exitCode, durationSec, converged, failed, evidence } = event
      return { ...next, finished: { exitCode, durationSec, converged, failed, evidence } }
    }
    default:
      return event satisfies never
  }
}

function changedMedium(view: RunView, name: string, change: (medium: MediumView) => MediumView): RunView {
  const place = view.places.get(name)
  // An event of a medium that no plan announced (verify, or the tail of a log) makes its own row.
  if (place === undefined) {
    const places = new Map(view.places).set(name, view.media.length)
    return { ...view, places, media: [...view.media, change(unplanned(name))] }
  }
  const known = view.media[place]
  if (known === undefined) return view
  const next = change(known)
  return next === known ? view : { ...view, media: view.media.with(place, next) }
}

interface At {
  readonly medium: string
  readonly hash: string | null
  readonly stage: StageName
}

const changed = (view: RunView, at: At, change: (stage: StageView) => StageView): RunView =>
  changedMedium(view, at.medium, (medium) => {
    const place = stageNames.indexOf(at.stage)
    const known = medium.stages[place]
    if (known === undefined) return medium
    const next = change(known)
    if (next === known) return medium
    const waitsFor = next.cell === 'running' ? null : medium.waitsFor
    return { ...medium, hash: at.hash ?? medium.hash, waitsFor, stages: medium.stages.with(place, next) }
  })

const fresh = ({ stage }: StageView): StageView => noStage(stage)

/** By the tag of an NttError: what says that a product is not what it is called contradicts; anything else failed. */
function cellOfFailure(tag: string): Cell {
  switch (tag) {
    case 'verify':
    case 'raw':
    case 'mapfile':
      return 'contradicted'
    case 'observe':
      return 'unknown'
    case 'refused':
      return 'refused'
    case 'interrupted':
      return 'waiting'
    default:
      return 'failed'
  }
}
