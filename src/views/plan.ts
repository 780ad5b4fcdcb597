// A plan as text: every step with its reason, what is as declared in one line, and what it would come to.
import type { Estimate } from '../model/estimate.ts'
import { together } from '../model/proofs.ts'
import type { Action, Lane, Plan, Step } from '../model/stage.ts'
import { isMet, todo } from '../plan.ts'
import { count, counted } from '../model/counted.ts'
import { columns, duration, glyph, readable, roughly, size, wrap, wrapParts } from './format.ts'
import { instant } from '../model/instant.ts'
import { command, render, span, typed, type Line, type Manner } from './paint.ts'
import { standing, columnWidths, laneLines } from './lane.ts'
import { toldOnce } from './told-once.ts'

export interface PlanOptions {
  readonly manner: Manner
  /** Unfold everything: met media, steps that follow, long lists. */
  readonly verbose?: boolean
  /** Seconds that the look took; left out where the plan was not just made. */
  readonly tookSec?: number
  /** What the whole comes to; null where nothing is known to guess from. */
  readonly estimate?: Estimate | null
  /** Sentences about what the plan does not show. */
  readonly beside?: readonly string[]
  /** At most so many media are shown one by one when not verbose. */
  readonly most?: number
}

/** The whole text, ended by a newline. */
export function planText(plan: Plan, options: PlanOptions): string {
  return render(planLines(plan, options), options.manner)
}

function planLines(plan: Plan, options: PlanOptions): readonly Line[] {
  const { manner, verbose = false, tookSec, beside = [], most = 40 } = options
  const met = plan.lanes.filter(isMet)
  const open = verbose ? plan.lanes : plan.lanes.filter((lane) => !isMet(lane))
  const { shown, folded } = foldLong(open, verbose ? Number.POSITIVE_INFINITY : most)
  const widths = columnWidths(shown, manner)
  const looked: Line[] =
    tookSec === undefined
      ? []
      : [
          [
            `Observed ${counted(plan.lanes.length, 'medium', 'media')} in ${duration(tookSec)}. Nothing was written.`,
          ],
        ]
  const once = toldOnce()
  const lanes = shown.flatMap((lane) => laneLines(heldOnce(lane, once), widths, manner, verbose))
  const rest: Line[] = [
    ...folded,
    ...(verbose || met.length === 0 || met.length === plan.lanes.length ? [] : [metLine(met)]),
  ]
  const blank: Line = []
  return [
    ...looked,
    ...(looked.length > 0 ? [blank] : []),
    ...lanes,
    ...rest,
    ...(lanes.length + rest.length > 0 ? [blank] : []),
    ...legend(shown, met, verbose, manner),
    ...summary(plan, options),
    ...beside.flatMap((text) => wrap(text, manner.width).map((part): Line => [part])),
  ]
}

/** One line for each medium that a person must look at, for who was shown no plan. */
export function heldText({ lanes }: Pick<Plan, 'lanes'>, manner: Manner): string {
  const once = toldOnce()
  const held = lanes.flatMap(({ steps }) => steps.filter(isHeld).slice(0, 1))
  return render(
    held.map(({ medium, stage, because }): Line => [
      `${readable(medium)} ${stage}: ${readable(typed(once(medium, because.text), manner))}`,
    ]),
    manner,
  )
}

const isHeld = ({ action }: Step): boolean => action === 'refuse' || action === 'unknown'
const needsPerson = ({ steps }: Lane): boolean => steps.some(isHeld)

/** Those are shown each in a line of its own; others may be folded, and would be told by nobody. */
const heldOnce = (lane: Lane, once: ReturnType<typeof toldOnce>): Lane => ({
  ...lane,
  steps: lane.steps.map((step) =>
    isHeld(step)
      ? { ...step, because: { ...step.because, text: once(lane.medium, step.because.text) } }
      : step,
  ),
})
const contradicted = ({ steps }: Lane): boolean => steps.some(({ contradicts }) => contradicts !== null)

/** A long list shows all that a person must look at and the first of the others; the rest is counted by where it stands. */
function foldLong(open: readonly Lane[], most: number): { shown: readonly Lane[]; folded: readonly Line[] } {
  if (open.length <= most) return { shown: open, folded: [] }
  const urgent = open.filter((lane) => needsPerson(lane) || contradicted(lane)).slice(0, most)
  const others = open.filter((lane) => !urgent.includes(lane))
  const room = Math.max(0, most - urgent.length)
  const kept = new Set([...urgent, ...others.slice(0, room)])
  const groups = Map.groupBy(
    open.filter((lane) => !kept.has(lane)),
    (lane) => `${standing(lane)} -> ${lane.target}`,
  )
  const folded = [...groups].map(([way, lanes]): Line => [
    '  ',
    span('dim', `… and ${counted(lanes.length, 'more medium', 'more media')}, ${way}`),
    ...(lanes.some(contradicted) ? [span('bad', ' (some contradicted)')] : []),
  ])
  return {
    shown: open.filter((lane) => kept.has(lane)),
    folded: [...folded, [span('dim', '  (-v shows them all)')]],
  }
}

const metLine = (met: readonly Lane[]): Line => {
  const [only] = met
  const text =
    met.length === 1 && only !== undefined
      ? `${only.medium} is as declared`
      : `${count(met.length)} media are as declared`
  return ['  ', span('good', '='), `  ${text}`]
}

const meanings: readonly (readonly [Action, string])[] = [
  ['keep', 'keep'],
  ['prove', 'verify'],
  ['run', 'make'],
  ['refuse', 'refused, look at it'],
  ['unknown', 'could not be observed'],
  ['wait', 'waits'],
]

/** Only the glyphs that occur. */
function legend(
  shown: readonly Lane[],
  met: readonly Lane[],
  verbose: boolean,
  { width }: Manner,
): readonly Line[] {
  if (shown.length === 0) return []
  const steps = shown.flatMap((lane) => lane.steps)
  const occurring = meanings.filter(
    ([action]) =>
      steps.some((step) => step.action === action) || (action === 'keep' && met.length > 0 && !verbose),
  )
  const keys = occurring.map(([action, text]) => `${glyph(action)} ${text}`)
  if (steps.some(({ contradicts }) => contradicts !== null)) keys.push('! contradicts a proof or a claim')
  return wrapParts(keys, '   ', width).map((part) => [span('dim', part)])
}

function summary(plan: Plan, { manner, estimate = null }: PlanOptions): readonly Line[] {
  const met = plan.lanes.filter(isMet)
  const persons = plan.lanes.filter(needsPerson)
  const converge = plan.lanes.filter((lane) => !isMet(lane) && !needsPerson(lane))
  if (plan.lanes.length === 0)
    return [['No media are declared: ntt add SOURCE writes the first file of media.d.']]
  if (met.length === plan.lanes.length) {
    const text = `No changes. ${met.length === 1 ? '1 medium is' : `${count(met.length)} media are`} as declared${howKnown(met)}.`
    return wrap(text, manner.width).map((part): Line => [part])
  }
  const parts = [
    ...(converge.length === 0 ? [] : [`${counted(converge.length, 'medium', 'media')} to converge`]),
    ...(met.length === 0 ? [] : [`${count(met.length)} met`]),
    ...(persons.length === 0
      ? []
      : [`${count(persons.length)} ${persons.length === 1 ? 'needs' : 'need'} you`]),
  ]
  const nothing = plan.lanes.every((lane) => todo(lane).length === 0)
  const head = `${nothing ? 'Nothing can be done' : 'Plan'}: ${parts.join(', ')}.`
  const cost = nothing || estimate === null ? '' : estimateText(estimate)
  const together = columns(head) + 3 + columns(cost) <= manner.width
  const wrong = plan.lanes.filter(contradicted)
  return [
    cost === '' ? [head] : together ? [head, '   ', cost] : [head],
    ...(cost === '' || together ? [] : [[cost] satisfies Line]),
    ...contradictions(wrong, manner),
  ]
}

/** `about 225 MB to read, 158 MB to write, about 3 s`. */
function estimateText({ read, write, seconds, measured }: Estimate): string {
  const moved = [
    ...(read > 0 ? [`${size(read)} to read`] : []),
    ...(write > 0 ? [`${size(write)} to write`] : []),
  ]
  const time =
    seconds === null
      ? []
      : [`about ${roughly(seconds)}${measured ? '' : ' (a guess: too little was measured yet)'}`]
  const about = moved.length === 0 ? '' : `about ${moved.join(', ')}`
  return [...(about === '' ? [] : [about]), ...time].join(', ')
}

function contradictions(wrong: readonly Lane[], manner: Manner): readonly Line[] {
  if (wrong.length === 0) return []
  const steps = wrong.flatMap((lane) => lane.steps.filter(({ contradicts }) => contradicts !== null))
  const proofs = steps.filter(({ contradicts }) => contradicts === 'proof').length
  const claims = steps.length - proofs
  const told = [
    ...(claims === 0 ? [] : [counted(claims, 'claim')]),
    ...(proofs === 0 ? [] : [counted(proofs, 'proof')]),
  ].join(' and ')
  const names = wrong.slice(0, 5).map(({ medium }) => readable(medium))
  const more = wrong.length > names.length ? `, and ${count(wrong.length - names.length)} more` : ''
  const line = `${told} contradicted (${names.join(', ')}${more}): ${command(`why ${names[0] ?? ''}`, manner)}`
  return wrap(line, manner.width).map((part): Line => [span('bad', part)])
}

/** How deep and how long ago what is met was proven, over all of it. */
function howKnown(met: readonly Lane[]): string {
  const known = together(met.flatMap(({ steps }) => steps.flatMap(({ proof }) => proof ?? [])))
  return known === null ? '' : ` (proofs at depth ${known.depth}, the oldest of ${instant(known.at)} UTC)`
}
