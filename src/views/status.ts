// One line a medium: what holds, how it is known, how the medium is, and what it waits for.
import { targetOf } from '../model/medium.ts'
import type { Lane } from '../model/stage.ts'
import { counted } from '../model/counted.ts'
import { age, clip, pad, readable, wrap } from './format.ts'
import { render, span, typed, type Line, type Manner } from './paint.ts'
import { toldOnce } from './told-once.ts'

/** What a status line tells beside the lane. */
export interface Standing {
  readonly lane: Lane
  /** From the map of the image, as last proven; null where nobody knows. */
  readonly health: string | null
  /** The proofs of what holds, together: as deep as the least deep, as old as the oldest; as `plan` tells them. */
  readonly proven: { readonly at: string; readonly depth: string } | null
}

/** How far it holds, in the words of `target`. */
export const reached = (lane: Lane): string => (lane.holds === null ? 'new' : targetOf[lane.holds])

/** What the medium waits for, in a few words; empty where it is as declared. */
export function waitsFor({ steps }: Lane): string {
  const held = steps.find(({ action }) => action === 'refuse' || action === 'unknown')
  if (held !== undefined) return `${held.stage}: ${held.because.text}`
  const next = steps.find(({ action }) => action === 'run' || action === 'prove')
  return next === undefined
    ? ''
    : `${next.action === 'run' ? 'ntt apply' : 'to be proven'}: ${next.stage}, ${next.because.text}`
}

export function statusText(standings: readonly Standing[], nowMs: number, manner: Manner): string {
  const once = toldOnce()
  const rows = standings.map(({ lane, health, proven }) => {
    const contradicted = lane.steps.some(({ contradicts }) => contradicts !== null)
    return {
      name: lane.medium,
      reached: `${reached(lane)}${contradicted ? ' !' : ''}`,
      target: lane.target,
      known: proven === null ? 'not proven' : `${proven.depth}, ${age(proven.at, nowMs)}`,
      health: health ?? '-',
      waits: once(lane.medium, waitsFor(lane)),
      met: lane.steps.every(({ action }) => action === 'keep'),
      contradicted,
    }
  })
  const width = (of: (row: (typeof rows)[number]) => string, head: string): number =>
    Math.max(head.length, ...rows.map((row) => of(row).length))
  const columns = {
    name: Math.min(
      32,
      width((row) => row.name, 'medium'),
    ),
    reached: width((row) => row.reached, 'holds'),
    target: width((row) => row.target, 'declared'),
    known: width((row) => row.known, 'proven'),
    health: width((row) => row.health, 'health'),
  }
  const head: Line = [
    span(
      'dim',
      `${pad('medium', columns.name)}  ${pad('holds', columns.reached)}  ${pad('declared', columns.target)}  ${pad('proven', columns.known)}  ${pad('health', columns.health)}  waits for`,
    ),
  ]
  const at = Object.values(columns).reduce((sum, one) => sum + one + 2, 0)
  // Where the last column has no room for words they stand on the line below.
  const beside = manner.width - at >= 24
  const waitsAt = beside ? at : 4
  const lines = rows.flatMap((row): readonly Line[] => {
    const waits = row.waits === '' ? [] : wrap(readable(typed(row.waits, manner)), manner.width - waitsAt)
    const [first = '', ...more] = beside ? waits : ['', ...waits]
    return [
      [
        `${pad(clip(readable(row.name), columns.name), columns.name)}  `,
        span(row.contradicted ? 'bad' : row.met ? 'good' : 'busy', pad(row.reached, columns.reached)),
        `  ${pad(row.target, columns.target)}  ${pad(row.known, columns.known)}  ${pad(row.health, columns.health)}  ${first}`,
      ],
      ...more.map((part): Line => [' '.repeat(waitsAt), part]),
    ]
  })
  const met = rows.filter((row) => row.met).length
  const summary: Line = [`${counted(rows.length, 'medium', 'media')}, ${met} as declared`]
  return render([head, ...lines, [''], summary], manner)
}
