// The run as a whole: bytes done of all bytes to do, and the time that is left by what this run has measured. Pure.
import { prices, remaining, share, type Remaining } from './pace.ts'
import { isAtWork, type MediumView, type RunView, type StageView } from './run-view.ts'
import type { StageName } from './medium.ts'

export interface Outlook {
  /** Bytes that the steps of this run are about; null where a medium's size is not known. */
  readonly totalBytes: number | null
  readonly doneBytes: number
  /** 0 to 1; null while the total is not known. 1 only when every step was proven. */
  readonly share: number | null
  readonly remaining: Remaining | null
}

/** A step that this run carried out, carries out, or still may. */
interface Job {
  readonly stage: StageView
  readonly bytes: number | null
  /** 0 to 1; 1 only when proven. */
  readonly done: number
}

export function outlook(view: RunView, nowMs: number): Outlook {
  const lanes = view.media.map(jobsOf)
  const jobs = lanes.flat()
  const totalBytes = jobs.reduce<number | null>(
    (sum, { bytes }) => (sum === null || bytes === null ? null : sum + bytes),
    0,
  )
  const doneBytes = jobs.reduce((sum, { bytes, done }) => sum + (bytes ?? 0) * done, 0)
  const whole = jobs.length > 0 && jobs.every(({ done }) => done === 1)
  const known = totalBytes === null || totalBytes === 0 ? null : Math.min(0.999, doneBytes / totalBytes)
  return {
    totalBytes,
    doneBytes,
    share: whole ? 1 : known,
    remaining: view.finished === null ? left(lanes, view, nowMs) : null,
  }
}

/** Where a lane has broken off, its later steps will not come in this run. */
function jobsOf({ bytes, stages }: MediumView): readonly Job[] {
  const jobs: Job[] = []
  for (const stage of stages) {
    if (stage.cell === 'refused' || stage.cell === 'unknown' || stage.cell === 'failed') break
    if (stage.cell === 'contradicted' && stage.startedMs !== null) break
    const due = stage.action === 'run' || stage.action === 'prove'
    if (!due) continue
    const done = stage.cell === 'proven' ? 1 : isAtWork(stage) ? progressOf(stage) : 0
    jobs.push({ stage, bytes: stage.expected ?? bytes ?? learned(stage, stages), done })
  }
  return jobs
}

/** A directory has no size before it was enumerated; to enumerate and to load it moves none of its content. */
const learned = ({ stage }: StageView, stages: readonly StageView[]): number | null =>
  stage === 'enumerate' || stage === 'load'
    ? 0
    : (stages.find((one) => one.stage === 'enumerate')?.figures['bytes'] ?? null)

/** The witness's part counts as the last tenth, so that verifying is not told as done. */
function progressOf({ pace, cell, action }: StageView): number {
  const part = pace === null ? 0 : (share(pace) ?? 0)
  if (action !== 'run') return part
  return cell === 'verifying' ? 0.9 + 0.1 * part : 0.9 * part
}

function left(lanes: readonly (readonly Job[])[], view: RunView, nowMs: number): Remaining | null {
  const speeds = measured(lanes, nowMs)
  let [low, likely, high, longest] = [0, 0, 0, 0]
  let [open, busySec, known] = [false, 0, true]
  for (const lane of lanes) {
    let ofLane = 0
    for (const job of lane) {
      busySec +=
        job.stage.durationSec ?? (isAtWork(job.stage) ? (nowMs - (job.stage.startedMs ?? nowMs)) / 1000 : 0)
      if (job.done === 1) continue
      open = true
      const cost = costOf(job, speeds, nowMs)
      if (cost === null || cost.high === null) known = false
      low += cost?.low ?? 0
      likely += cost?.likely ?? 0
      high += cost?.high ?? 0
      ofLane += cost?.likely ?? 0
    }
    longest = Math.max(longest, ofLane)
  }
  if (!open || likely === 0) return null
  const elapsed = (nowMs - (view.startedMs ?? nowMs)) / 1000
  // Media that were at work at the same time, on the average so far.
  const width = Math.max(1, elapsed > 0 ? busySec / elapsed : 1)
  return {
    low: low / width,
    likely: Math.max(longest, likely / width),
    high: known ? Math.max(longest * 1.1, high / width) : null,
  }
}

function costOf({ stage, bytes, done }: Job, speeds: Speeds, nowMs: number): Remaining | null {
  const own = stage.pace === null || !isAtWork(stage) ? null : remaining(stage.pace, nowMs)
  // The witness of a step at work is still to come: what it takes is in the whole step's price only.
  const price = speeds.get(stage.stage)
  if (price === undefined || bytes === null) return own
  const seconds = (price.perStep + price.perByte * bytes) * (1 - done)
  if (own !== null && own.likely >= seconds) return own
  return { low: seconds * 0.7, likely: seconds, high: seconds * 1.4 }
}

/** What a step of a stage costs, and each byte of its medium. */
interface Price {
  readonly perStep: number
  readonly perByte: number
}
type Speeds = ReadonlyMap<StageName, Price>

/** Prices over the steps that this run has finished, and over those at work that have come some way. */
function measured(lanes: readonly (readonly Job[])[], nowMs: number): Speeds {
  const told = lanes.flat().flatMap(({ stage, bytes, done }) => {
    if (bytes === null || done < 0.05) return []
    const seconds = stage.durationSec ?? (nowMs - (stage.startedMs ?? nowMs)) / 1000
    return seconds <= 0 ? [] : [{ name: stage.stage, stretch: { seconds: seconds / done, work: [1, bytes] } }]
  })
  return new Map(
    [...Map.groupBy(told, ({ name }) => name)].flatMap(([name, steps]) => {
      const fitted = prices(steps.map(({ stretch }) => stretch))
      return fitted === null ? [] : [[name, { perStep: fitted[0] ?? 0, perByte: fitted[1] ?? 0 }] as const]
    }),
  )
}
