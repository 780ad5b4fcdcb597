// A run that never was, for the screen: media that converge, stall, fail and wait for people, at a speed of one's choice.
import type { Emit } from '../../src/model/event.ts'
import { stageNames } from '../../src/model/medium.ts'
import type { Lane } from '../../src/model/stage.ts'
import { lane, metLane, newLane, step } from '../views/events.ts'

export interface Simulation {
  readonly media: number
  /** Media at work at the same time. */
  readonly width: number
  /** Seconds of a stage, on the average. */
  readonly stageSec: number
  readonly seed?: number
}

export interface Simulated {
  /** Advances the run; `nowMs` is the simulated time. True when it has ended. */
  advance(nowMs: number): boolean
  stop(): void
}

interface Work {
  readonly lane: Lane
  rung: number
  startedMs: number
  takesMs: number
  verifying: boolean
  phaseMs: number
}

const kinds = ['floppy', 'optical', 'disk'] as const
const sizes = { floppy: 1_474_560, optical: 681_984_000, disk: 80_026_361_856, directory: 5_000_000_000 }
const labels = [
  'CEH report CD-ROM',
  'Zip disk, blue',
  'Maxtor 80 GB',
  'Müllers Sicherung',
  '写真 1998',
  'floppy 3 of 12',
]

export function simulate(
  emit: Emit,
  { media, width, stageSec, seed = 7 }: Simulation,
  startMs: number,
): Simulated {
  let state = seed
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
  /** What befalls a step is drawn by its name alone: the clock of whoever drives this does not change it. */
  const drawn = (...words: readonly string[]): number => {
    let hash = seed
    for (const byte of Buffer.from(words.join(' '))) hash = Math.imul(hash ^ byte, 16_777_619) >>> 0
    return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32
  }
  const lanes = Array.from({ length: media }, (_, place): Lane => {
    const name = `ceh-${String(place + 1).padStart(3, '0')}`
    const label = labels[place % labels.length] ?? null
    if (place % 9 === 3) return { ...metLane(name), label }
    if (place % 11 === 5) {
      const refused = step(
        name,
        'image',
        'refuse',
        'wrong-medium',
        `the disc in sr0 is HOLIDAY_98, declared ${name.toUpperCase()}`,
      )
      return lane(name, 'optical', sizes.optical, null, [refused], { label })
    }
    const kind = kinds[place % 3] ?? 'disk'
    return { ...newLane(name, kind, Math.round(sizes[kind] * (0.5 + random()))), label }
  })
  emit({ type: 'run.started', verb: 'apply', version: '0.1.0', arguments: ['apply', '--yes'] })
  emit({ type: 'plan.ready', lanes })
  for (const { medium, hash, steps } of lanes) {
    const [first] = steps
    if (first?.action !== 'refuse') continue
    emit({ type: 'step.held', medium, hash, stage: 'image', action: 'refuse', because: first.because })
    if (medium.endsWith('6'))
      emit({
        type: 'medium.waiting',
        medium,
        hash,
        text: `insert the disc labelled ${medium.toUpperCase()} into sr0`,
      })
  }
  const queue = lanes.filter(({ steps }) => steps.some(({ action }) => action === 'run'))
  const active: Work[] = []
  let [converged, failed, stopping] = [0, 0, false]
  const begin = (work: Work, nowMs: number): void => {
    const stage = stageNames[work.rung]
    if (stage === undefined) return
    Object.assign(work, {
      startedMs: nowMs,
      phaseMs: nowMs,
      verifying: false,
      takesMs: stageSec * 1000 * (0.3 + 1.4 * drawn('takes', work.lane.medium, stage)),
    })
    const at = { medium: work.lane.medium, hash: work.lane.hash, stage }
    emit({ type: 'step.started', ...at, action: 'run', because: { code: 'absent', text: `no ${stage} yet` } })
  }
  const drop = (work: Work): void => {
    active.splice(active.indexOf(work), 1)
  }
  const move = (work: Work, nowMs: number): void => {
    const stage = stageNames[work.rung]
    if (stage === undefined) return
    const at = { medium: work.lane.medium, hash: work.lane.hash, stage }
    const total = work.lane.bytes ?? 0
    const takes = work.verifying ? work.takesMs / 3 : work.takesMs
    const part = Math.min(1, (nowMs - work.phaseMs) / takes)
    const stalls = work.lane.medium.endsWith('7') && stage === 'image' && part > 0.4
    if (!stalls) emit({ type: 'step.progress', ...at, done: Math.floor(part * total), total, unit: 'bytes' })
    if (stage === 'copy')
      emit({ type: 'step.progress', ...at, done: Math.floor(part * 4000), total: 4000, unit: 'files' })
    if (random() < 0.01)
      emit({
        type: 'step.line',
        ...at,
        text: `${stage}: pass ${Math.ceil(random() * 3)}, ${Math.floor(part * total)} bytes`,
      })
    if (part < 1) return
    if (!work.verifying) {
      Object.assign(work, { verifying: true, phaseMs: nowMs })
      emit({ type: 'step.verifying', ...at, depth: stage === 'image' ? 'hash' : 'counts' })
      return
    }
    const durationSec = (nowMs - work.startedMs) / 1000
    if (drawn('fails', work.lane.medium, stage) < 0.04) {
      failed += 1
      const check = { name: 'rows', ok: false, expected: '1161', actual: '0' }
      if (stage === 'load') emit({ type: 'step.contradicted', ...at, check })
      emit({
        type: 'step.failed',
        ...at,
        tag: stage === 'load' ? 'verify' : 'run',
        message:
          stage === 'load'
            ? 'verification failed: rows: expected 1161, found 0'
            : `${stage} ended with exit code 1`,
        hint: `ntt why ${work.lane.medium} ${stage}`,
        status: 1,
        stderr: 'read error at 0x200000\nInput/output error\n',
        durationSec,
      })
      drop(work)
      return
    }
    emit({
      type: 'step.done',
      ...at,
      action: 'run',
      depth: 'counts',
      durationSec,
      figures: { bytes: total },
      ...(stage === 'image' ? { health: drawn('health', work.lane.medium) < 0.1 ? 'incomplete' : 'ok' } : {}),
    })
    work.rung += 1
    if (work.rung < stageNames.length && !stopping) begin(work, nowMs)
    else {
      if (work.rung >= stageNames.length) converged += 1
      drop(work)
    }
  }
  return {
    advance(nowMs) {
      while (active.length < width && queue.length > 0 && !stopping) {
        const next = queue.shift()
        if (next === undefined) break
        const work: Work = {
          lane: next,
          rung: 0,
          startedMs: nowMs,
          takesMs: 0,
          verifying: false,
          phaseMs: nowMs,
        }
        active.push(work)
        begin(work, nowMs)
      }
      for (const work of active.slice()) move(work, nowMs)
      if (active.length > 0 || (queue.length > 0 && !stopping)) return false
      const exitCode = stopping ? 130 : failed > 0 ? 4 : 0
      emit({
        type: 'run.finished',
        exitCode,
        durationSec: (nowMs - startMs) / 1000,
        converged,
        failed,
        evidence: null,
      })
      return true
    },
    stop() {
      if (stopping) return
      stopping = true
      emit({ type: 'run.stopping', text: 'stopping after the running steps' })
    },
  }
}
