// What a run looks like now: the events folded, one after the other, into everything that a screen or a summary shows. Pure.
import type { ExitCode } from './errors.ts'
import type { Event } from './event.ts'
import { stageNames, type KindName, type StageName, type Target } from './medium.ts'
import { newPace, paced, usualFileInBytes, type Pace } from './pace.ts'
import type { Action, Check, Claim, Depth, Lane, Losses, Reason, Step } from './stage.ts'

/** How a stage of a medium stands. `absent`: not wanted of this medium. `proven` only after the proof was stored. */
export type Cell =
  | 'absent'
  | 'waiting'
  | 'running'
  | 'verifying'
  | 'proven'
  | 'refused'
  | 'unknown'
  | 'failed'
  | 'contradicted'

export interface Failure {
  readonly tag: string
  readonly message: string
  readonly hint: string | null
  /** The last lines of the program that failed. */
  readonly stderr: string
}

export interface StageView {
  readonly stage: StageName
  readonly cell: Cell
  /** As planned; what became of it is in `cell`. */
  readonly action: Action | null
  readonly because: Reason | null
  /** Millisecond of its start, of its last sign of life, and of its end; null before. */
  readonly startedMs: number | null
  readonly aliveMs: number | null
  readonly endedMs: number | null
  /** Of the current phase; null before its first report. */
  readonly pace: Pace | null
  /** Bytes that the plan expects it to move; null where it could not say. */
  readonly expected: number | null
  readonly depth: Depth | null
  /** Millisecond of the proof that holds of it, made in this run or before; null where there is none. */
  readonly provenMs: number | null
  readonly durationSec: number | null
  readonly figures: Readonly<Record<string, number>>
  /** Of the last verification, in this run or the one that its proof is of. */
  readonly checks: readonly Check[]
  readonly failedChecks: readonly Check[]
  readonly failure: Failure | null
  readonly lost: Losses | null
  /** The last lines that its programs wrote. */
  readonly lines: readonly string[]
}

export interface MediumView {
  readonly medium: string
  readonly label: string | null
  readonly kind: KindName | null
  readonly hash: string | null
  readonly bytes: number | null
  /** ok, incomplete, corrupt, failed; null where nobody knows. */
  readonly health: string | null
  readonly target: Target | null
  /** The highest stage that held when the plan was made. */
  readonly held: StageName | null
  readonly exclusive: string | null
  readonly claims: readonly Claim[]
  /** The five of them, in order. */
  readonly stages: readonly StageView[]
  /** What a person must do. */
  readonly waitsFor: string | null
  /** Another run that has it, of which no more is known here. */
  readonly heldBy: string | null
}

export interface Told {
  readonly seq: number
  readonly atMs: number
  readonly medium: string | null
  readonly stage: StageName | null
  readonly weight: 'plain' | 'good' | 'doubt' | 'bad'
  readonly text: string
}

export interface RunView {
  readonly run: string
  readonly host: string
  readonly verb: string
  readonly version: string
  /** Times are of the events, in milliseconds since 1970, and never go back. */
  readonly startedMs: number | null
  readonly latestMs: number
  /** In the order of the plan. */
  readonly media: readonly MediumView[]
  readonly places: ReadonlyMap<string, number>
  readonly log: readonly Told[]
  /** What a file of a copy costs beside its bytes, in bytes. */
  readonly fileInBytes: number
  /** What of the store was read back. */
  readonly store: { readonly blobs: number; readonly bytes: number; readonly bad: number }
  readonly stopping: string | null
  readonly finished: {
    readonly exitCode: ExitCode
    readonly durationSec: number
    readonly converged: number
    readonly failed: number
    readonly evidence: string | null
  } | null
}

export const emptyRun: RunView = {
  run: '',
  host: '',
  verb: '',
  version: '',
  startedMs: null,
  latestMs: 0,
  media: [],
  places: new Map(),
  log: [],
  fileInBytes: usualFileInBytes,
  store: { blobs: 0, bytes: 0, bad: 0 },
  stopping: null,
  finished: null,
}

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
      return tell(run, 'plain', event.text)
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
      return tell(run, 'doubt', `${event.lost.files} files could not be read whole`)
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
      const { name, expected, actual } = event.check
      const run = changed(next, event, (stage) => ({
        ...stage,
        cell: 'contradicted',
        failedChecks: [...stage.failedChecks, event.check],
      }))
      return tell(run, 'doubt', `${name}: expected ${expected}, found ${actual}`)
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

/** The view with a row for each lane, as planned. */
export function planned(view: RunView, lanes: readonly Lane[]): RunView {
  const media = lanes.map(mediumOf)
  return { ...view, media, places: new Map(media.map(({ medium }, place) => [medium, place])) }
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

const noStage = (stage: StageName): StageView => ({
  stage,
  cell: 'absent',
  action: null,
  because: null,
  startedMs: null,
  aliveMs: null,
  endedMs: null,
  pace: null,
  expected: null,
  depth: null,
  provenMs: null,
  durationSec: null,
  figures: {},
  checks: [],
  failedChecks: [],
  failure: null,
  lost: null,
  lines: [],
})

const fresh = ({ stage }: StageView): StageView => noStage(stage)

const unplanned = (medium: string): MediumView => ({
  medium,
  label: null,
  kind: null,
  hash: null,
  bytes: null,
  health: null,
  target: null,
  held: null,
  exclusive: null,
  claims: [],
  stages: stageNames.map(noStage),
  waitsFor: null,
  heldBy: null,
})

const mediumOf = (lane: Lane): MediumView => {
  const { medium, label, kind, hash, bytes, health, target, holds, exclusive, claims } = lane
  const stages = stageNames.map((name): StageView => {
    const step = lane.steps.find(({ stage }) => stage === name)
    if (step === undefined) return noStage(name)
    const { action, because, contradicts, proof } = step
    const cell = contradicts === null ? cellOfAction(action) : 'contradicted'
    return {
      ...noStage(name),
      cell,
      action,
      because,
      depth: proof?.depth ?? null,
      provenMs: proof === null ? null : Date.parse(proof.at),
      expected: expectedOf(step, lane),
    }
  })
  return {
    medium,
    label,
    kind,
    hash,
    bytes,
    health,
    target,
    held: holds,
    exclusive,
    claims,
    stages,
    waitsFor: null,
    heldBy: null,
  }
}

/** A directory tells no size before it was enumerated: nothing is not its size. */
const expectedOf = ({ work }: Step, { bytes }: Lane): number | null => {
  const told = work?.read ?? work?.write ?? bytes
  return told === 0 && bytes === null ? null : told
}

function cellOfAction(action: Action): Cell {
  switch (action) {
    case 'keep':
      return 'proven'
    case 'prove':
    case 'run':
    case 'wait':
      return 'waiting'
    case 'refuse':
      return 'refused'
    case 'unknown':
      return 'unknown'
    default:
      return action satisfies never
  }
}

/** The tags are those of model/errors.ts; anything else failed. */
function cellOfFailure(tag: string): Cell {
  switch (tag) {
    case 'verify':
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

export const isAtWork = ({ cell }: StageView): boolean => cell === 'running' || cell === 'verifying'

/** The stage that a medium is at: the one at work, else the first that did not get through, else none. */
export const current = ({ stages }: MediumView): StageView | null =>
  stages.find(isAtWork) ??
  stages.find(({ cell }) => cell !== 'absent' && cell !== 'proven' && cell !== 'waiting') ??
  null

/** Nothing is wanted of it in this run. */
export const isIdle = ({ stages }: MediumView): boolean => stages.every(({ cell }) => cell === 'absent')

export const isConverged = (medium: MediumView): boolean =>
  !isIdle(medium) && medium.stages.every(({ cell }) => cell === 'proven' || cell === 'absent')

/** Something was carried out in this run. */
export const hasWorked = ({ stages }: MediumView): boolean =>
  stages.some(({ startedMs }) => startedMs !== null)

/** Milliseconds without movement after which a stage at work is called stalled. */
export const stallMs = 60_000

/** Milliseconds since the last sign of life of a stage at work, once that is too long; null while it moves. */
export function stalledFor(stage: StageView, nowMs: number): number | null {
  if (!isAtWork(stage) || stage.aliveMs === null) return null
  const still = nowMs - stage.aliveMs
  return still >= stallMs ? still : null
}
