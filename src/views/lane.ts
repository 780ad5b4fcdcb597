// One medium of a plan as text: where it stands, what is wrong with it, and its steps with their reasons.
import { targetOf } from '../model/medium.ts'
import type { Action, Lane, Step } from '../model/stage.ts'
import { clip, columns, glyph, pad, readable, size, wrap } from './format.ts'
import { span, typed, type Line, type Manner, type Span, type Style } from './paint.ts'

/** Where a medium stands, in one word or two. */
export const standing = ({ hash, holds }: Pick<Lane, 'hash' | 'holds'>): string =>
  hash === null ? 'not seen' : holds === null ? 'new' : targetOf[holds]

interface Widths {
  readonly name: number
  readonly kind: number
  readonly size: number
  readonly standing: number
  readonly target: number
}

const sizeOf = ({ hash, bytes }: Lane): string => (hash === null || bytes === null ? '' : size(bytes))

export function columnWidths(lanes: readonly Lane[], { width }: Manner): Widths {
  const widest = (of: (lane: Lane) => string): number =>
    Math.max(0, ...lanes.map((lane) => columns(of(lane))))
  const [kind, bytes, stands, target] = [
    widest(({ kind }) => kind ?? ''),
    widest(sizeOf),
    widest(standing),
    widest((lane) => lane.target),
  ]
  const room = width - (2 + 3 + kind + 3 + bytes + 3 + stands + 6 + target)
  const name = Math.min(
    Math.max(8, Math.min(40, room)),
    widest(({ medium }) => readable(medium)),
  )
  return { name, kind, size: bytes, standing: stands, target }
}

/** Where reasons begin. */
const indent = 17

export function laneLines(lane: Lane, widths: Widths, manner: Manner, verbose: boolean): readonly Line[] {
  const name = pad(clip(readable(lane.medium), widths.name), widths.name)
  const before = `   ${pad(lane.kind ?? '', widths.kind)}   ${pad(sizeOf(lane), widths.size)}   `
  const stands = pad(standing(lane), widths.standing)
  const way = lane.hash === null ? '' : `   -> ${pad(lane.target, widths.target)}`
  const head: Span[] = ['  ', span('bold', name), before, stands, way]
  const notes = notesOf(lane)
  const used = 2 + columns(name) + columns(before) + columns(stands) + columns(way)
  const beside = notes.length === 1 && used + 3 + columns(notes[0] ?? '') <= manner.width
  const label =
    lane.label !== null && verbose ? [['     ', span('dim', readable(lane.label))] satisfies Line] : []
  return [
    beside ? [...head, '   ', span('bad', notes[0] ?? '')] : head,
    ...label,
    ...(beside ? [] : notes.flatMap((note) => hanging(['     '], 5, note, manner, 'bad'))),
    ...groupSteps(lane.steps, verbose).flatMap((group) =>
      groupLines({ ...group, text: typed(group.text, manner) }, manner),
    ),
  ]
}

/** What is claimed and not so; what was proven once and is not so now. */
function notesOf({ steps, claims }: Lane): readonly string[] {
  const notes = steps.flatMap(({ stage, contradicts }) => {
    if (contradicts === 'proof') return [`! ${stage} was proven before, and is not so now`]
    if (contradicts === 'claim')
      return claims.filter((claim) => claim.stage === stage).map(({ text }) => `! ${readable(text)}`)
    return []
  })
  return [...new Set(notes)]
}

/** Steps that say the same stand in one line: what follows a run, and what waits. */
interface Group {
  readonly steps: readonly Step[]
  readonly text: string
  /** The text names its stages itself. */
  readonly named: boolean
}

const goesWithout = ({ because, contradicts }: Step): boolean =>
  contradicts === null &&
  (because.code === 'follows' || because.code === 'absent' || because.code === 'waits')

function groupSteps(steps: readonly Step[], verbose: boolean): readonly Group[] {
  const groups: Group[] = []
  let running = false
  let from = 0
  while (from < steps.length) {
    const first = steps[from]
    if (first === undefined) break
    const alike = (step: Step): boolean =>
      step.action === first.action &&
      goesWithout(step) &&
      (step.action === 'run' || step.because.text === first.because.text)
    const foldable =
      !verbose && goesWithout(first) && ((first.action === 'run' && running) || first.action === 'wait')
    let to = from + 1
    if (foldable) for (let next = steps[to]; next !== undefined && alike(next); next = steps[to]) to += 1
    const group = steps.slice(from, to)
    const many = group.length > 1
    const names = group.map(({ stage }) => stage).join(', ')
    if (foldable && first.action === 'run') {
      groups.push({ steps: group, text: `${names} ${many ? 'follow' : 'follows'}`, named: true })
    } else if (foldable && many) {
      groups.push({
        steps: group,
        text: `${names} ${first.because.text.replace(/^waits /, 'wait ')}`,
        named: true,
      })
    } else {
      groups.push({ steps: group, text: first.because.text, named: false })
    }
    if (first.action === 'run') running = true
    from = to
  }
  return groups
}

export function styleOf(action: Action, isContradicted: boolean): Style {
  if (isContradicted) return 'bad'
  switch (action) {
    case 'keep':
      return 'good'
    case 'prove':
    case 'run':
      return 'busy'
    case 'refuse':
      return 'bad'
    case 'unknown':
      return 'doubt'
    case 'wait':
      return 'dim'
    default:
      return action satisfies never
  }
}

function groupLines({ steps, text, named }: Group, manner: Manner): readonly Line[] {
  const [first] = steps
  if (first === undefined) return []
  const wrong = first.contradicts !== null
  const style = styleOf(first.action, wrong)
  const mark: Line = [wrong ? span('bad', '  !  ') : '     ', span(style, glyph(first.action)), '  ']
  const phrase = readable(text)
  if (named) return hanging(mark, 8, phrase, manner, first.action === 'wait' ? 'dim' : undefined)
  return hanging([...mark, `${pad(first.stage, 9)}   `], indent + 3, phrase, manner)
}

/** A text after its lead, wrapped to the width with the following lines under its first word. */
function hanging(lead: Line, at: number, text: string, manner: Manner, style?: Style): readonly Line[] {
  return wrap(text, manner.width - at).map((part, place): Line => {
    const words = style === undefined ? part : span(style, part)
    return place === 0 ? [...lead, words] : [' '.repeat(at), words]
  })
}
