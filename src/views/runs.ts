// The runs that the event log tells of, one line each: when, what was typed, how long it took and how it ended.
import type { ExitCode } from '../model/errors.ts'
import { count, counted } from '../model/counted.ts'
import { columns, duration, pad, readable } from './format.ts'
import { instant } from '../model/instant.ts'
import { command, render, span, type Line, type Manner } from './paint.ts'

/** A run as its first and its last event tell of it. */
export interface ToldRun {
  readonly run: string
  readonly host: string
  /** ISO 8601, UTC. */
  readonly started_at: string
  readonly verb: string
  readonly arguments: readonly string[]
  /** null: its end is not told; it is at work, or was killed. */
  readonly ended: {
    readonly exit_code: ExitCode
    readonly duration_sec: number
    readonly converged: number
    readonly failed: number
  } | null
}

const heads = { started: 'started (UTC)', ended: 'ended (exit code)' }

/** `before`: so many older ones are left out. */
export function runsText(runs: readonly ToldRun[], before: number, manner: Manner): string {
  const rows = runs.map(({ run, started_at, verb, arguments: typed, ended }) => ({
    run: readable(run),
    at: instant(started_at),
    typed: readable(`ntt ${(typed.length > 0 ? typed : [verb]).join(' ')}`),
    took: ended === null ? '-' : duration(ended.duration_sec),
    end: endText(ended),
    style: ended === null ? ('doubt' as const) : ended.exit_code === 0 ? ('good' as const) : ('bad' as const),
  }))
  const width = (of: (row: (typeof rows)[number]) => string): number =>
    Math.max(0, ...rows.map((row) => columns(of(row))))
  const [run, took, end] = [
    width((row) => row.run),
    Math.max(
      width((row) => row.took),
      'took'.length,
    ),
    Math.max(
      width((row) => row.end),
      heads.ended.length,
    ),
  ]
  const lines = rows.map((row): Line => [
    span('bold', pad(row.run, run)),
    `  ${row.at}  ${pad(row.took, took)}  `,
    span(row.style, pad(row.end, end)),
    `  ${row.typed}`,
  ])
  const head: Line = [
    span(
      'dim',
      `${pad('run', run)}  ${pad(heads.started, 19)}  ${pad('took', took)}  ${pad(heads.ended, end)}  typed`,
    ),
  ]
  const last = runs.at(-1)
  return render(
    [
      ...(before > 0 ? [[span('dim', `${counted(before, 'older run')}: --all shows them`)]] : []),
      ...(last === undefined ? [] : [head]),
      ...lines,
      ...(last === undefined ? [['No run is told of.']] : []),
      ...(last === undefined
        ? []
        : [
            [],
            [
              `One of them, line by line or on its screen: ${command(`log --run ${last.run}`, manner)}, or --replay.`,
            ],
          ]),
    ],
    manner,
  )
}

function endText(ended: ToldRun['ended']): string {
  if (ended === null) return 'no end told'
  const { exit_code: exit, converged, failed } = ended
  const parts = [
    ...(converged > 0 ? [`${count(converged)} well`] : []),
    ...(failed > 0 ? [`${count(failed)} not`] : []),
  ]
  return `${exit}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`
}
