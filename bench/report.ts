// What was measured, as a table for people and as JSON for comparisons.
import {
  bars,
  passes,
  value,
  type BarName,
  type Measured,
  type Measurements,
  type SectionName,
} from './bars.ts'
import { median, type Sample, type Series } from './figures.ts'
import type { Machine } from './machine.ts'

/** What a section found. */
export interface Findings {
  readonly section: SectionName
  /** Contenders by data set. */
  readonly tables: readonly { readonly title: string; readonly series: readonly Series[] }[]
  readonly bars: Measurements
  /** Figures that are no bars, and conditions that must be known. */
  readonly notes: readonly string[]
}

export interface Report {
  readonly at: string
  readonly quick: boolean
  readonly rounds: number
  readonly machine: Machine
  readonly findings: readonly Findings[]
}

const columns = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const mib = (bytes: number): string => (bytes > 0 ? `${Math.round(bytes / 2 ** 20)} MiB` : '-')
const time = (seconds: number): string =>
  seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`

/** Medians of every contender. */
function contenders(series: readonly Series[]): string {
  const [first] = series
  const base = first === undefined ? Number.NaN : median(first.samples.map(({ seconds }) => seconds))
  const rows = series.map(({ name, samples }) => {
    const of = (figure: keyof Sample): number => median(samples.map((sample) => sample[figure]))
    const all = samples.map(({ seconds }) => seconds)
    return [
      name,
      time(of('seconds')),
      `${time(Math.min(...all))} .. ${time(Math.max(...all))}`,
      `${(base / of('seconds')).toFixed(2)}`,
      time(of('cpuSeconds')),
      mib(of('peakBytes')),
      mib(of('treeBytes')),
    ]
  })
  return columns([['', 'median', 'range', 'ntt / it', 'CPU', 'peak', 'with children'], ...rows])
}

const figure = (measured: number, unit: string): string =>
  unit === 'x' ? measured.toFixed(2) : `${measured < 10 ? measured.toFixed(2) : Math.round(measured)} ${unit}`

function barRow(name: BarName, measured: Measured | undefined): readonly string[] {
  const bar = bars[name]
  const met = passes(bar, measured)
  const limit = `${bar.must} ${figure(bar.limit, bar.unit)}`
  if (measured === undefined) return [bar.says, limit, '-', '', 'not measured']
  const spread =
    typeof measured === 'number'
      ? ''
      : `${figure(measured.least, bar.unit)} .. ${figure(measured.most, bar.unit)} of ${measured.rounds}`
  const verdict = met === null ? 'not measured' : met ? 'pass' : 'MISS'
  return [bar.says, limit, figure(value(measured), bar.unit), spread, verdict]
}

/** The whole report as text. */
export function text(report: Report): string {
  const { machine, findings } = report
  const parts = [
    `${report.quick ? 'Quick' : 'Full'} run of ${report.at}, ${report.rounds} rounds, commit ${machine.commit}`,
    `${machine.cores} x ${machine.processor} (at once they do ${machine.together.toFixed(2)} times the work of one), ${mib(machine.memoryBytes)}, Linux ${machine.kernel}, Node ${machine.node}, load at start ${machine.loadAtStart.toFixed(1)}`,
    ...Object.entries(machine.filesystems).map(([name, filesystem]) => `${name}: ${filesystem}`),
  ]
  for (const { section, tables, notes, bars: measured } of findings) {
    parts.push('', `== ${section} ==`)
    for (const { title, series } of tables) parts.push('', title, contenders(series))
    if (notes.length > 0) parts.push('', ...notes.map((note) => `- ${note}`))
    const names = (Object.keys(bars) as BarName[]).filter((name) => bars[name].section === section)
    const rows = names.map((name) => barRow(name, measured[name]))
    parts.push('', columns([['bar', 'must be', 'is', 'range', ''], ...rows]))
  }
  const all = findings.flatMap(({ bars: measured, section }) =>
    (Object.keys(bars) as BarName[])
      .filter((name) => bars[name].section === section)
      .map((name) => passes(bars[name], measured[name])),
  )
  const count = (of: boolean | null): number => all.filter((one) => one === of).length
  parts.push('', `${count(true)} bars met, ${count(false)} missed, ${count(null)} not measured`, '')
  return parts.join('\n')
}
