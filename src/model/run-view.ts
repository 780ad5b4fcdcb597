// What a screen or a summary shows of a run: a row for each medium, a cell for each of its stages; and what can be asked of them.
import type { ExitCode } from './errors.ts'
import { stageNames, type KindName, type StageName, type Target } from './medium.ts'
import { usualFileInBytes, type Pace } from './pace.ts'
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
  /** What it waits for: another run that holds it. */
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

/** The view with a row for each lane, as planned. */
export function planned(view: RunView, lanes: readonly Lane[]): RunView {
  const media = lanes.map(mediumOf)
  return { ...view, media, places: new Map(media.map(({ medium }, place) => [medium, place])) }
}

/** A stage of which nothing is wanted. */
export const noStage = (stage: StageName): StageView => ({
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

/** A medium that no plan announced. */
export const unplanned = (medium: string): MediumView => ({
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

export function cellOfAction(action: Action): Cell {
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

/** It does not get on by itself. What the plan alone found contradicted, and is about to make or prove again, is not stuck yet. */
export const isStuck = ({ stages }: MediumView): boolean =>
  stages.some(({ cell, action, failedChecks, failure }) => {
    const isDue = (action === 'run' || action === 'prove') && failedChecks.length === 0 && failure === null
    return (
      cell === 'failed' || cell === 'refused' || cell === 'unknown' || (cell === 'contradicted' && !isDue)
    )
  })

/** Something was carried out in this run. */
export const hasWorked = ({ stages }: MediumView): boolean =>
  stages.some(({ startedMs }) => startedMs !== null)

/** Milliseconds without movement after which a stage at work is called stalled. */
const stallMs = 60_000

/** Milliseconds since the last sign of life of a stage at work, once that is too long; null while it moves. */
export function stalledFor(stage: StageView, nowMs: number): number | null {
  if (!isAtWork(stage) || stage.aliveMs === null) return null
  const still = nowMs - stage.aliveMs
  return still >= stallMs ? still : null
}
