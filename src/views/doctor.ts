// What the doctor found, as text: area by area, then each problem with its fix.
import { counted } from '../model/counted.ts'
import { columns, pad, readable, wrap } from './format.ts'
import { render, span, type Line, type Manner, type Style } from './paint.ts'

export const areas = ['ntt', 'tools', 'database', 'roots', 'media', 'rights', 'settings'] as const
export type Area = (typeof areas)[number]

/** `note`: works, and could be better. `problem`: stops something. `unknown`: could not be looked at. */
export type Condition = 'good' | 'note' | 'problem' | 'unknown'

export interface Finding {
  readonly area: Area
  readonly name: string
  readonly condition: Condition
  /** What is so; without what to do about it. */
  readonly text: string
  /** What to do: a sentence, or commands on lines of their own. */
  readonly fix?: string
}

const titles: Readonly<Record<Area, string>> = {
  ntt: 'ntt',
  tools: 'Tools',
  database: 'Database',
  roots: 'Roots',
  media: 'media.d',
  rights: 'Rights',
  settings: 'Settings, and where each comes from',
}

const marks: Readonly<Record<Condition, readonly [glyph: string, style: Style]>> = {
  good: ['=', 'good'],
  note: ['.', 'dim'],
  problem: ['x', 'bad'],
  unknown: ['?', 'doubt'],
}

/** The whole examination; what stands in the way comes last, where one looks first. */
export function doctorText(findings: readonly Finding[], manner: Manner): string {
  const shown = areas.flatMap((area): readonly Line[] => {
    const here = findings.filter((finding) => finding.area === area)
    return here.length === 0 ? [] : [[span('bold', titles[area])], ...table(here, manner), []]
  })
  const bad = findings.filter(({ condition }) => condition === 'problem' || condition === 'unknown')
  const notes = findings.filter(({ condition, fix }) => condition === 'note' && fix !== undefined)
  const verdict = bad.length === 0 ? 'Nothing stands in the way.' : `${counted(bad.length, 'problem')}:`
  return render(
    [
      ...shown,
      ...(notes.length === 0 ? [] : [[span('bold', 'Could be better:')], ...fixLines(notes, manner), []]),
      [span(bad.length === 0 ? 'good' : 'bad', verdict)],
      ...fixLines(bad, manner),
    ],
    manner,
  )
}

function table(findings: readonly Finding[], { width }: Manner): readonly Line[] {
  const names = Math.max(...findings.map(({ name }) => columns(readable(name))))
  const left = names + 8
  return findings.flatMap(({ name, condition, text }): readonly Line[] => {
    const [glyph, style] = marks[condition]
    const [first = '', ...rest] = wrap(readable(text), Math.max(20, width - left))
    return [
      ['  ', span(style, glyph), `  ${pad(readable(name), names)}  ${first}`],
      ...rest.map((line): Line => [`${' '.repeat(names + 7)}${line}`]),
    ]
  })
}

/** What it is about, then the way out, once for all that it mends; commands keep their lines. */
function fixLines(findings: readonly Finding[], { width }: Manner): readonly Line[] {
  const room = Math.min(width, 100)
  const groups = Map.groupBy(findings, ({ fix }) => fix ?? '')
  return [...groups].flatMap(([fix, group]): readonly Line[] => [
    ...group.flatMap(({ name, text }) =>
      wrap(`${readable(name)}: ${readable(text)}`, room - 2).map((line): Line => [`  ${line}`]),
    ),
    ...fix
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line): readonly Line[] =>
        line.startsWith('    ')
          ? [[`    ${readable(line)}`]]
          : wrap(readable(line), room - 4).map((part): Line => [`    ${part}`]),
      ),
  ])
}
