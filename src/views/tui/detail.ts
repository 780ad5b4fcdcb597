// One medium in full, in the words of `ntt why`: each stage with its reason, proof, checks, losses, and the last that its programs said. Pure.
import type { Check, Claim } from '../../model/stage.ts'
import { isAtWork, stalledFor, type MediumView, type StageView } from '../../model/run-view.ts'
import { count, counted } from '../../model/counted.ts'
import { age, duration, pad, pathName, readable, readableLines, size, wrap } from '../format.ts'
import { instant } from '../../model/instant.ts'
import { span, type Line, type Style } from '../paint.ts'
import { progressText } from '../progress-text.ts'
import { checkText } from '../why.ts'
import { cellSpan, cellWords } from './medium-row.ts'

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
  const wanted = medium.stages.filter(({ cell }) => cell !== 'absent')
  const claimsOf = ({ stage }: StageView): readonly Claim[] =>
    medium.claims.filter((claim) => claim.stage === stage)
  return [
    [span('bold', ` ${readable(medium.medium)}`), readable(label)],
    [span('dim', ` ${readable(about.join('   '))}`)],
    ...(medium.waitsFor === null ? [] : [[span('doubt', ` ${readable(medium.waitsFor)}`)] satisfies Line]),
    ...(medium.heldBy === null ? [] : [[span('busy', ` held by ${readable(medium.heldBy)}`)] satisfies Line]),
    ...wanted.flatMap((stage) => [[], ...stageLines(stage, claimsOf(stage), nowMs, width, ascii)]),
  ]
}

/** Where the names of the facts begin, and their words. */
const [nameAt, wordsAt] = [5, 16]

function stageLines(
  stage: StageView,
  claims: readonly Claim[],
  nowMs: number,
  width: number,
  ascii: boolean,
): readonly Line[] {
  const { failure, lost, because, durationSec, depth, provenMs } = stage
  const fact = (name: string, texts: readonly string[], style?: Style): readonly Line[] =>
    texts
      .flatMap((text) => wrap(readable(text), width - wordsAt))
      .map((part, place): Line => [
        span('dim', `${' '.repeat(nameAt)}${pad(place === 0 ? name : '', wordsAt - nameAt)}`),
        style === undefined ? part : span(style, part),
      ])
  const figures = Object.entries(stage.figures).map(([key, value]) => {
    const name = key.replaceAll('_', ' ')
    return key.endsWith('bytes') ? `${name} ${count(value)} (${size(value)})` : `${name} ${count(value)}`
  })
  const took = durationSec === null ? '' : ` in ${duration(durationSec)}`
  const iso = provenMs === null ? null : new Date(provenMs).toISOString()
  const stalled = isAtWork(stage) && stalledFor(stage, nowMs) !== null
  const shown = lost?.paths.slice(0, 20) ?? []
  const [held, broken] = [stage.checks.filter(({ ok }) => ok), failedOf(stage)]
  return [
    [
      '  ',
      cellSpan(stage, ascii),
      `  ${pad(stage.stage, wordsAt - nameAt)}`,
      span('bold', cellWords[stage.cell] + took),
    ],
    ...(isAtWork(stage) ? fact('now', [progressText(stage, nowMs)], stalled ? 'doubt' : undefined) : []),
    // Why it was to be done is not how it is any more.
    ...(because === null ? [] : fact(stage.endedMs === null ? 'why' : 'was', [because.text])),
    ...(iso === null || depth === null
      ? []
      : fact('proof', [`held at depth ${depth}, ${instant(iso)} (${age(iso, nowMs)})`])),
    ...fact('not so', broken.map(checkText), 'bad'),
    ...fact('checked', held.map(checkText)),
    ...(figures.length === 0 ? [] : fact('figures', [figures.join(', ')])),
    ...fact(
      'claim',
      claims.map(({ text }) => `${text}; not used`),
    ),
    ...(failure === null ? [] : fact('failed', [failure.message], 'bad')),
    ...(failure?.hint === null || failure === null ? [] : fact('next', [failure.hint])),
    ...(lost === null
      ? []
      : [
          ...fact(
            'lost',
            [`${counted(lost.files, 'file')} in whole or in part, ${size(lost.bytes)}`],
            'doubt',
          ),
          ...fact('', shown.map(pathName)),
          ...(lost.files > shown.length
            ? fact('', [`and ${count(lost.files - shown.length)} more`], 'dim')
            : []),
        ]),
    ...fact('said', lastSaid(stage), 'dim'),
  ]
}

/** The checks that did not hold; each once, though it was told as a check and as a contradiction. */
const failedOf = ({ checks, failedChecks }: StageView): readonly Check[] => [
  ...failedChecks,
  ...checks.filter(({ ok, name }) => !ok && failedChecks.every((one) => one.name !== name)),
]

/** Of a stage at work or in trouble: the last lines that its programs wrote. */
function lastSaid(stage: StageView): readonly string[] {
  const { failure, lines } = stage
  if (failure !== null && failure.stderr !== '') return readableLines(failure.stderr).slice(-8)
  return isAtWork(stage) || failure !== null ? lines.slice(-8) : []
}

export const helpLines = (ascii: boolean): readonly Line[] => [
  [span('bold', ' Signs')],
  ...signs.map(([cell, words]): Line => ['   ', cellSpan({ cell }, ascii), `  ${words}`]),
  [],
  [' Bytes on the second line: each step counts what it goes through,'],
  [' so a medium counts once a step; the plan tells what is read and written.'],
  [],
  [span('bold', ' Keys')],
  ['   arrows, page keys   move          esc   let the list follow the work'],
  ['   enter   one medium in full        f     all, running, waiting, stuck'],
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
