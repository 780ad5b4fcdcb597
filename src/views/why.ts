// The facts behind every verdict: expected, found, where, when, how deep; claims beside them, never used.
import type { Check, Lane, Observed, Proof, Step } from '../model/stage.ts'
import { age, glyph, instant, pad, short } from './format.ts'
import { render, span, type Line, type Manner } from './paint.ts'

/** What `why` tells of one medium. */
export interface Explanation {
  readonly lane: Lane
  readonly observed: Observed
}

export function whyText({ lane, observed }: Explanation, nowMs: number, manner: Manner): string {
  const known = observed.medium.hash === null ? null : observed.medium
  const head: Line[] = [
    [span('bold', lane.medium), lane.label === null ? '' : `  ${lane.label}`],
    [`  declared    ${observed.medium.file}: ${lane.target}`],
    [`  identity    ${known === null ? 'not known' : `${known.hash} (${known.version})`}`],
    ...(known === null ? [] : [[`  source      ${known.source.type} ${known.source.path}`]]),
  ]
  const stages = lane.steps.flatMap((step) => explain(step, observed, nowMs))
  return render([...head, ...stages], manner)
}

function explain(step: Step, observed: Observed, nowMs: number): readonly Line[] {
  const observation = observed.observations.find(({ stage }) => stage === step.stage)
  const proofs = observed.proofs.filter(({ stage }) => stage === step.stage)
  const latest = proofs.at(-1)
  return [
    [''],
    [
      `  ${step.contradicts === null ? ' ' : '!'} ${glyph(step.action)} `,
      span('bold', pad(step.stage, 10)),
      ` ${step.because.text}  (${step.because.code})`,
    ],
    ...(observation !== undefined && 'seen' in observation ? facts(observation.seen) : []),
    ...(latest === undefined ? [[row('proof', 'none')]] : proofLines(latest, step, nowMs)),
    ...observed.claims
      .filter(({ stage }) => stage === step.stage)
      .map((claim) => [row('claim', `${claim.text}; not used`)]),
  ]
}

const row = (name: string, text: string): string => `        ${pad(name, 12)} ${text}`

function proofLines(proof: Proof, step: Step, nowMs: number): readonly Line[] {
  const of = proof.of === step.of ? 'of exactly this' : 'of something that has changed since'
  const figures = Object.entries(proof.figures).map(
    ([name, value]) => `${name} ${value.toLocaleString('en')}`,
  )
  return [
    [
      row(
        'proof',
        `${proof.ok ? 'held' : 'FAILED'} at depth ${proof.depth}, ${instant(proof.at)} (${age(proof.at, nowMs)}), run ${proof.run} on ${proof.host}, ${of}`,
      ),
    ],
    ...(figures.length === 0 ? [] : [[row('', figures.join(', '))]]),
    ...proof.checks.map((check): Line => [
      row('', ''),
      check.ok ? checkText(check) : span('bad', checkText(check)),
    ]),
    ...Object.entries(proof.facts).map(([name, value]): Line => [
      row('', `${name}: ${brief(typeof value === 'string' ? value : JSON.stringify(value))}`),
    ]),
  ]
}

/** One fact that was tested: what was found, or that it is not what was expected. */
export const checkText = ({ name, ok, expected, actual }: Check): string =>
  ok ? `ok ${name}: ${brief(actual)}` : `${name}: expected ${brief(expected)}, found ${brief(actual)}`

const brief = (text: string): string =>
  /^[0-9a-f]{64}$/.test(text) ? short(text) : text.length > 300 ? `${text.slice(0, 300)}…` : text

/** What was seen, one fact a line: `image.bytes 42`. */
function facts(seen: unknown): readonly Line[] {
  const told: [string, string][] = []
  const visit = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) visit(member, path === '' ? key : `${path}.${key}`)
    } else {
      told.push([path, String(value)])
    }
  }
  visit(seen, '')
  const shown = told.slice(0, 24)
  const rest = told.length - shown.length
  return [
    ...shown.map(([name, value], index): Line => [row(index === 0 ? 'seen' : '', `${name} ${brief(value)}`)]),
    ...(rest > 0 ? [[row('', `and ${rest} more facts; --json shows all`)]] : []),
  ]
}
