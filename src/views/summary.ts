// The end of a run: what converged, what did not and what to do about it, what was lost, and one line over all.
import { mismatch } from '../model/check.ts'
import { targetOf, type StageName } from '../model/medium.ts'
import {
  hasWorked,
  isConverged,
  isIdle,
  type MediumView,
  type RunView,
  type StageView,
} from '../model/run-view.ts'
import { count, counted } from '../model/counted.ts'
import { columns, duration, pad, pathName, readable, size, wrap, wrapParts } from './format.ts'
import { command, render, span, typed, type Line, type Manner, type Span } from './paint.ts'

/** The whole text, ended by a newline. */
export const summaryText = (view: RunView, manner: Manner): string =>
  render(summaryLines(view, manner), manner)

/** So many converged media, and so many losses of one, are named; the rest is counted. */
const [namedConverged, namedLosses] = [100, 10]

function summaryLines(view: RunView, manner: Manner): readonly Line[] {
  const converged = view.media.filter((medium) => isConverged(medium) && hasWorked(medium))
  const open = view.media.filter((medium) => !isConverged(medium) && !isIdle(medium))
  const lost = view.media.filter((medium) => medium.stages.some((stage) => stage.lost !== null))
  const name = Math.min(
    40,
    Math.max(0, ...[...converged, ...open].map(({ medium }) => columns(readable(medium)))),
  )
  const blank: Line = []
  return [
    blank,
    ...convergedLines(converged, name, manner),
    ...open.flatMap((medium) => openLines(medium, name, manner)),
    ...lost.flatMap((medium) => lostLines(medium, manner)),
    ...(converged.length + open.length > 0 ? [blank] : []),
    ...lastLine(view, converged, open, lost),
  ]
}

/** From where to where, as targets: `new -> archived`; of a medium that no plan announced, how much was proven. */
function way({ target, held, stages }: MediumView): string {
  if (target === null) return counted(stages.filter(({ cell }) => cell === 'proven').length, 'product')
  // What lies behind a gap was proven too, and nobody has come so far: an archive whose rows are gone.
  const first = stages.findIndex(({ cell }) => cell === 'proven')
  const gap = stages.findIndex(({ cell }, at) => at > first && cell !== 'proven')
  const top = first === -1 ? undefined : stages.at(gap === -1 ? -1 : gap - 1)
  const [from, to] = [held === null ? 'new' : targetOf[held], top === undefined ? 'new' : targetOf[top.stage]]
  return from === to ? to : `${from} -> ${to}`
}

const took = ({ stages }: MediumView): number =>
  stages.reduce((sum, { durationSec }) => sum + (durationSec ?? 0), 0)

function convergedLines(media: readonly MediumView[], name: number, manner: Manner): readonly Line[] {
  const { width } = manner
  const ways = Math.max(0, ...media.map((medium) => columns(way(medium))))
  const times = Math.max(0, ...media.map((medium) => columns(duration(took(medium)))))
  const at = 2 + 1 + 2 + name + 3 + ways + 3 + times + 3
  const lines = media.slice(0, namedConverged).flatMap((medium): readonly Line[] => {
    const line = `${pad(way(medium), ways)}   ${pad(duration(took(medium)), times)}   `
    const [first = '', ...more] = wrapParts(figuresOf(medium.stages), ', ', width - at - 1)
    return [
      ['  ', span('good', '='), `  ${pad(readable(medium.medium), name)}   ${line}${first}`],
      ...more.map((part): Line => [' '.repeat(at), part]),
    ]
  })
  const rest = media.length - namedConverged
  return rest > 0
    ? [...lines, [span('dim', `     and ${count(rest)} more: ${command('status', manner)}`)]]
    : lines
}

/** The figures that people ask for, each from the first stage that told it in this run. */
function figuresOf(stages: readonly StageView[]): readonly string[] {
  const figure = (stage: StageName, key: string): number | undefined =>
    stages.find((one) => one.stage === stage)?.figures[key]
  const told = [
    [figure('load', 'records') ?? figure('enumerate', 'records'), 'record'] as const,
    [figure('copy', 'files'), 'file'] as const,
    [figure('copy', 'blobs'), 'blob'] as const,
  ].flatMap(([value, noun]) => (value === undefined ? [] : [counted(value, noun)]))
  const archived = figure('archive', 'bytes')
  return [...told, ...(archived === undefined ? [] : [`archive of ${size(archived)}`])]
}

/** The stage at which a medium did not get on: the first that was seen to be false, else the first that has something to say. */
export const stuckAt = ({ stages }: MediumView): StageView | undefined =>
  stages.find(
    ({ cell, failedChecks, failure }) =>
      (cell === 'contradicted' && failedChecks.length > 0) || failure?.tag === 'verify',
  ) ??
  stages.find(({ failure }) => failure !== null && failure.tag !== 'interrupted') ??
  stages.find(
    ({ cell }) => cell === 'refused' || cell === 'unknown' || cell === 'contradicted' || cell === 'failed',
  ) ??
  stages.find(({ cell }) => cell !== 'proven' && cell !== 'absent')

function openLines(medium: MediumView, name: number, manner: Manner): readonly Line[] {
  const stage = stuckAt(medium)
  if (stage === undefined) return []
  const [mark, word] = markOf(stage)
  const head: readonly Span[] = [
    '  ',
    mark,
    `  ${pad(readable(medium.medium), name)}   ${pad(stage.stage, 9)}   `,
  ]
  const at = 2 + 1 + 2 + name + 3 + 9 + 3
  const reasons = wrap(readable(typed(reasonOf(stage, word), manner)), manner.width - at)
  return [
    ...reasons.map((text, place): Line => (place === 0 ? [...head, text] : [' '.repeat(at), text])),
    [' '.repeat(at), span('dim', 'next: '), nextCommand(medium, stage, manner)],
  ]
}

function markOf({ cell }: StageView): readonly [Span, string] {
  switch (cell) {
    case 'contradicted':
      return [span('bad', '!'), 'contradicted']
    case 'refused':
      return [span('bad', 'x'), 'refused']
    case 'unknown':
      return [span('doubt', '?'), 'could not be observed']
    case 'failed':
      return [span('bad', 'x'), 'failed']
    case 'absent':
    case 'waiting':
    case 'running':
    case 'verifying':
    case 'proven':
      return [span('dim', '|'), 'not started']
    default:
      return cell satisfies never
  }
}

function reasonOf({ failure, failedChecks, because, startedMs, cell }: StageView, word: string): string {
  if (failure !== null && failure.tag === 'interrupted') return 'interrupted'
  if (failure !== null) return failure.message
  const [check] = failedChecks
  if (check !== undefined) return mismatch(check)
  if (startedMs !== null && (cell === 'running' || cell === 'verifying')) return 'broken off'
  if (cell === 'waiting' && because?.code !== 'waits') return 'not started'
  return because?.text ?? word
}

/** A command that does something about it; what the failure itself advises, where it advises a command. */
function nextCommand(
  { medium }: MediumView,
  { failure, cell, stage, because }: StageView,
  manner: Manner,
): string {
  const name = readable(medium)
  const hint = failure?.hint ?? null
  if (hint !== null) return readable(typed(hint, manner))
  // Where another disc lies in the drive, or none, its reason says what to do once the right one is in.
  const isAwaited = because?.code === 'wrong-medium' || because?.code === 'source-away'
  const advised = isAwaited ? /`ntt ([^`]+)`/.exec(because.text)?.[1] : undefined
  if ((cell === 'refused' || cell === 'unknown') && advised !== undefined)
    return command(readable(advised), manner)
  switch (cell) {
    case 'refused':
    case 'contradicted':
      return command(`why ${name} ${stage}`, manner)
    case 'unknown':
      return command('doctor', manner)
    case 'failed':
      return command(`log ${name}`, manner)
    case 'absent':
    case 'waiting':
    case 'running':
    case 'verifying':
    case 'proven':
      return command(`apply ${name}`, manner)
    default:
      return cell satisfies never
  }
}

function lostLines({ medium, stages }: MediumView, manner: Manner): readonly Line[] {
  return stages.flatMap(({ lost }) => {
    if (lost === null) return []
    const paths = lost.paths.slice(0, namedLosses)
    const more = lost.files - paths.length
    return [
      [
        '  ',
        span('doubt', '-'),
        `  ${readable(medium)}: ${counted(lost.files, 'file')} lost in whole or in part, ${size(lost.bytes)}`,
      ] satisfies Line,
      ...paths.map((path): Line => [`        ${pathName(path)}`]),
      ...(more > 0
        ? [
            [
              span(
                'dim',
                `        and ${count(more)} more: ${command(`why ${readable(medium)} copy`, manner)}`,
              ),
            ] satisfies Line,
          ]
        : []),
    ]
  })
}

function lastLine(
  view: RunView,
  converged: readonly MediumView[],
  open: readonly MediumView[],
  lost: readonly MediumView[],
): readonly Line[] {
  const stuck = open.map((medium) => stuckAt(medium))
  const failed = stuck.filter((stage) => stage?.cell === 'failed' || stage?.cell === 'contradicted').length
  const persons = stuck.filter((stage) => stage?.cell === 'refused' || stage?.cell === 'unknown').length
  const left = open.length - failed - persons
  const empty = view.media.filter(isIdle).length
  const before = view.media.length - converged.length - open.length - empty
  const parts = [
    `${count(converged.length)} ${view.verb === 'verify' ? 'verified' : 'converged'}`,
    ...(before === 0 ? [] : [`${count(before)} met before`]),
    ...(empty === 0 ? [] : [`${count(empty)} with nothing there yet`]),
    ...(failed === 0 ? [] : [`${count(failed)} failed`]),
    ...(persons === 0 ? [] : [`${count(persons)} ${persons === 1 ? 'needs' : 'need'} you`]),
    ...(left === 0 ? [] : [`${count(left)} not finished`]),
    ...(lost.length === 0 ? [] : [`${count(lost.length)} with losses`]),
  ]
  const seconds = view.finished?.durationSec ?? (view.latestMs - (view.startedMs ?? view.latestMs)) / 1000
  const end =
    view.finished === null ? 'Not finished' : view.finished.exitCode === 130 ? 'Interrupted' : 'Finished'
  const style = failed > 0 ? 'bad' : persons + left > 0 ? 'doubt' : 'good'
  const seal = view.finished?.evidence ?? null
  return [
    [span(style, `${end} in ${duration(seconds)}: ${parts.join(', ')}.`)],
    ...(seal === null ? [] : [[span('dim', `Evidence ${seal}`)]]),
  ]
}
