// One measured quantity on its way: how much is done, of what, and what the last minutes say about the rest. Pure.
import type { Unit } from './world.ts'

interface Sample {
  readonly atMs: number
  readonly done: number
}

export interface Gauge {
  readonly unit: Unit
  readonly phase: 'run' | 'verify'
  readonly done: number
  /** null while it is not known. */
  readonly total: number | null
  /** Oldest first, evenly spread over the phase. */
  readonly samples: readonly Sample[]
  /** Least milliseconds between two samples; doubles as the phase grows long. */
  readonly everyMs: number
}

/** As many samples as an estimate needs, and no more, however long it takes. */
const most = 64

export const newGauge = (
  unit: Unit,
  phase: Gauge['phase'],
  done: number,
  total: number | null,
  atMs: number,
): Gauge => ({ unit, phase, done, total, samples: [{ atMs, done }], everyMs: 250 })

/** The gauge after one more report; itself where nothing moved. */
export function grown(gauge: Gauge, done: number, total: number | null, atMs: number): Gauge {
  if (done === gauge.done && total === gauge.total) return gauge
  const last = gauge.samples.at(-1)
  if (last !== undefined && atMs - last.atMs < gauge.everyMs) return { ...gauge, done, total }
  const samples = [...gauge.samples, { atMs, done }]
  if (samples.length <= most) return { ...gauge, done, total, samples }
  const thinned = samples.filter((_, place) => place % 2 === 0)
  return { ...gauge, done, total, samples: thinned, everyMs: gauge.everyMs * 2 }
}

/** Units a second over about the last half minute; null before there is anything to measure. */
export function rate({ samples, done }: Gauge, nowMs: number): number | null {
  const from = samples.findLast(({ atMs }) => nowMs - atMs >= 30_000) ?? samples[0]
  if (from === undefined || nowMs - from.atMs < 500 || done <= from.done) return null
  return ((done - from.done) / (nowMs - from.atMs)) * 1000
}

/** Done of total, 0 to 1; null while the total is not known. Never 1: that is the witness's to say. */
export function share({ done, total }: Gauge): number | null {
  if (total === null || total <= 0) return null
  return Math.min(0.999, Math.max(0, done / total))
}

/** Seconds that are left, as a range; the truth should lie in it. */
export interface Remaining {
  readonly low: number
  readonly high: number
  /** The best single figure. */
  readonly likely: number
}

/**
 * What the phase still needs. A stage may tell several units (files and bytes of a copy): then each file costs something and
 * each byte costs something, as measured between samples. null while a total or a rate is not known.
 */
export function remaining(gauges: readonly Gauge[], nowMs: number): Remaining | null {
  const known = gauges.filter(({ total }) => total !== null)
  const [first] = known
  if (first === undefined) return null
  const singles = known.flatMap((gauge) => {
    const left = alone(gauge, nowMs)
    return left === null ? [] : [left]
  })
  if (singles.length === 0) return null
  const likely = singles.reduce((sum, left) => sum + left, 0) / singles.length
  return { low: Math.min(...singles) * 0.9, high: Math.max(...singles) * 1.1, likely }
}

/** Seconds by the mean rate of the whole phase. */
function alone({ samples, done, total }: Gauge, nowMs: number): number | null {
  const [from] = samples
  if (from === undefined || total === null || done <= from.done || nowMs - from.atMs < 1000) return null
  return ((Math.max(0, total - done) / (done - from.done)) * (nowMs - from.atMs)) / 1000
}
