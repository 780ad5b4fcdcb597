// One medium in full: what is known of each stage and why, its losses, and the last that its programs said. Pure.
import { isAtWork, stalledFor, type MediumView, type StageView } from '../../model/progress.ts'
import { count, counted, duration, pad, pathName, readable, readableLines, size, wrap } from '../format.ts'
import { span, type Line } from '../paint.ts'
import { progressText } from '../plain.ts'
import { cellSpan, cellWords } from './rows.ts'

export function detailLines(
  medium: MediumView,
  nowMs: number,
  width: number,
  ascii: boolean,
): readonly Line[] {
  const about = [
    medium.kind,
    medium.bytes === null ? null : size(medium.bytes),
    medium.hash,
    medium.exclusive === null ? null : `in ${medium.exclusive}`,
    medium.health === null ? null : `health ${medium.health}`,
    medium.target === null ? null : `to be ${medium.target}`,
  ].filter((part) => part !== null)
  const label = medium.label === null ? '' : `  ${medium.label}`
  return [
    [span('bold', ` ${readable(medium.medium)}`), readable(label)],
    [span('dim', ` ${readable(about.join('   '))}`)],
    ...(medium.waitsFor === null ? [] : [[span('doubt', ` ${readable(medium.waitsFor)}`)] satisfies Line]),
    ...(medium.heldBy === null ? [] : [[span('busy', ` held by ${readable(medium.heldBy)}`)] satisfies Line]),
    ...medium.claims.map(({ text }): Line => [
      span('dim', ` ${readable(text)} (claims are shown, never used)`),
    ]),
    [],
    ...medium.stages.flatMap((stage) =>
      stage.cell === 'absent' ? [] : stageLines(stage, nowMs, width, ascii),
    ),
  ]
}

/** Where the words of a stage begin. */
const indent = 16

function stageLines(stage: StageView, nowMs: number, width: number, ascii: boolean): readonly Line[] {
  const under = (text: string, style?: 'dim' | 'doubt' | 'bad'): readonly Line[] =>
    wrap(readable(text), width - indent).map((part): Line => [
      ' '.repeat(indent),
      style === undefined ? part : span(style, part),
    ])
  const { failure, lost, because, durationSec, depth } = stage
  const figures = Object.entries(stage.figures).map(([name, value]) =>
    name.endsWith('bytes') ? `${name} ${count(value)} (${size(value)})` : `${name} ${count(value)}`,
  )
  const known = [
    cellWords[stage.cell],
    ...(depth === null ? [] : [`depth ${depth}`]),
    ...(durationSec === null ? [] : [duration(durationSec)]),
  ].join(', ')
  return [
    ['  ', cellSpan(stage, ascii), `  ${pad(stage.stage, indent - 5)}`, span('bold', known)],
    ...(isAtWork(stage)
      ? under(progressText(stage, nowMs), stalledFor(stage, nowMs) === null ? undefined : 'doubt')
      : []),
    ...(because === null ? [] : under(because.text, 'dim')),
    ...(figures.length === 0 ? [] : under(figures.join(', '))),
    ...stage.failedChecks.flatMap(({ name, expected, actual }) =>
      under(`${name}: expected ${expected}, found ${actual}`, 'bad'),
    ),
    ...(failure === null ? [] : under(failure.message, 'bad')),
    ...(failure?.hint === null || failure === null ? [] : under(`next: ${failure.hint}`)),
    ...(failure === null || failure.stderr === ''
      ? []
      : readableLines(failure.stderr)
          .slice(-8)
          .flatMap((line) => under(`| ${line}`, 'dim'))),
    ...(lost === null
      ? []
      : [
          ...under(`${counted(lost.files, 'file')} lost in whole or in part, ${size(lost.bytes)}`, 'doubt'),
          ...lost.paths.slice(0, 20).flatMap((path) => under(`  ${pathName(path)}`)),
        ]),
    ...(isAtWork(stage) || failure !== null
      ? stage.lines.slice(-5).flatMap((line) => under(`| ${line}`, 'dim'))
      : []),
  ]
}

export const helpLines = (ascii: boolean): readonly Line[] => [
  [span('bold', ' Signs')],
  ...signs.map(([cell, words]): Line => ['   ', cellSpan({ cell }, ascii), `  ${words}`]),
  [],
  [span('bold', ' Keys')],
  ['   arrows, page keys   move          esc   let the list follow the work'],
  ['   enter   one medium in full        f     all, running, waiting, failed'],
  ['   /       search names and labels   p     pause after the running steps'],
  ['   q, ^C   stop after the running steps; ^C again stops now'],
  ['   Running again is always safe; nothing ever needs unlocking.'],
]

const signs = [
  ['proven', 'done and proven: a separate reading agreed'],
  ['running', 'running'],
  ['verifying', 'verifying: the work has ended, the witness looks'],
  ['waiting', 'waiting'],
  ['refused', 'refused: going on could destroy something; a person must look'],
  ['unknown', 'could not be observed, which is neither there nor missing'],
  ['failed', 'failed'],
  ['contradicted', 'contradicted: a proof or a claim says so, reality does not'],
] as const
