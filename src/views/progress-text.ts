// How far a stage at work is, in words: amount, rate, and the time that is left.
import { counted } from '../model/counted.ts'
import { mainAmount, rate, remaining, type Remaining } from '../model/pace.ts'
import { stalledFor, type StageView } from '../model/run-view.ts'
import { duration, percent, roughly, size } from './format.ts'

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
function rangeText({ low, high }: Pick<Remaining, 'low' | 'high'>): string {
  const from = roughly(low)
  if (high === null) return `${from} or more`
  const to = roughly(high)
  if (from === to) return from
  const [value = '', unit, ...more] = from.split(' ')
  return more.length === 0 && to.endsWith(` ${unit ?? ''}`) && to.split(' ').length === 2
    ? `${value} to ${to}`
    : `${from} to ${to}`
}
