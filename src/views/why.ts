// The facts behind every verdict: expected, found, where, when, how deep; claims beside them, never used.
import { mismatch } from '../model/check.ts'
import type { Check, Lane, Observed, Proof, Step } from '../model/stage.ts'
import { count } from '../model/counted.ts'
import { age, glyph, pad, readable, short, wrap } from './format.ts'
import { instant } from '../model/instant.ts'
import { render, span, typed, type Line, type Manner, type Style } from './paint.ts'
import { styleOf } from './lane.ts'

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
  const stages = lane.steps.flatMap((step) => explain(step, observed, nowMs, manner))
  return render([...head, ...stages], manner)
}

function explain(step: Step, observed: Observed, nowMs: number, manner: Manner): readonly Line[] {
  const observation = observed.observations.find(({ stage }) => stage === step.stage)
  const proofs = observed.proofs.filter(({ stage }) => stage === step.stage)
  const latest = proofs.at(-1)
  const reasons = wrap(
    readable(typed(`${step.because.text}  (${step.because.code})`, manner)),
    manner.width - reasonAt,
  )
  const mark = styleOf(step.action, step.contradicts !== null)
  return [
    [''],
    ...reasons.map((text, place): Line =>
      place > 0
        ? [' '.repeat(reasonAt), text]
        : [
            span(mark, `  ${step.contradicts === null ? ' ' : '!'} ${glyph(step.action)} `),
            span('bold', pad(step.stage, reasonAt - 7)),
            ` ${text}`,
          ],
    ),
    ...(observation !== undefined && 'seen' in observation ? facts(observation.seen, manner) : []),
    ...(latest === undefined ? row('proof', 'none', manner) : proofLines(latest, step, nowMs, manner)),
    ...observed.claims
      .filter(({ stage }) => stage === step.stage)
      .flatMap((claim) => row('claim', `${claim.text}; not used`, manner)),
  ]
}

/** Where reasons begin, and where the facts below them. */
const [reasonAt, factAt] = [17, 21]

/** A fact with its name before it, wrapped below its own first word. */
const row = (name: string, text: string, { width }: Manner, style?: Style): readonly Line[] =>
  wrap(readable(text), width - factAt).map((part, place): Line => [
    span('dim', `        ${pad(place === 0 ? name : '', factAt - 8)}`),
    style === undefined ? part : span(style, part),
  ])

function proofLines(proof: Proof, step: Step, nowMs: number, manner: Manner): readonly Line[] {
  const of = proof.of === step.of ? 'of exactly this' : 'of something that has changed since'
  const figures = Object.entries(proof.figures).map(
    ([name, value]) => `${name} ${value.toLocaleString('en')}`,
  )
  return [
    ...row(
      'proof',
      `${proof.ok ? 'held' : 'FAILED'} at depth ${proof.depth}, ${instant(proof.at)} (${age(proof.at, nowMs)}), run ${proof.run} on ${proof.host}, ${of}`,
      manner,
      proof.ok ? undefined : 'bad',
    ),
    ...proof.checks.flatMap((check, place) =>
      row(place === 0 ? 'checked' : '', checkText(check), manner, check.ok ? undefined : 'bad'),
    ),
    ...(figures.length === 0 ? [] : row('figures', figures.join(', '), manner)),
    ...Object.entries(proof.facts).flatMap(([name, value]) =>
      told(value).flatMap((text, place) => row(place === 0 ? name : '', brief(text), manner)),
    ),
  ]
}

const longestList = 24

/** A list one by one, whatever its members are; what belongs together on one line. */
function told(value: unknown): readonly string[] {
  const members: readonly unknown[] = Array.isArray(value) ? value : [value]
  const rest = members.length - longestList
  return [
    ...(members.length === 0 ? ['none'] : members.slice(0, longestList).map(sentence)),
    ...(rest > 0 ? [`and ${count(rest)} more; --json shows all`] : []),
  ]
}

/** `fs 1, type ext2, bytes 1,048,576`: what is known of one thing. */
const sentence = (value: unknown): string =>
  leaves(value)
    .flatMap(([name, leaf]) => {
      const words = leaf === null || leaf === '' ? '' : worded(name, leaf)
      return words === '' ? [] : [`${name} ${words}`.trim()]
    })
    .join(', ') || 'none'

type Leaf = string | number | boolean | null

/** The values within a value, each with the way to it: `map.total`. */
function leaves(value: unknown, path = ''): readonly (readonly [string, Leaf])[] {
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, member]) =>
      leaves(member, path === '' ? key : `${path}.${key}`),
    )
  return [
    [
      path,
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null,
    ],
  ]
}

/** A value in the words of people: numbers in groups, unless they are a name for something; times as times. */
function worded(path: string, value: Leaf): string {
  const name = path.split('.').at(-1) ?? ''
  if (value === null || value === '') return 'none'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (/^mtime_?ns$/i.test(name) && /^-?[0-9]+$/.test(String(value)))
    return instant(new Date(Number(BigInt(value) / 1_000_000n)).toISOString())
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !/^(ino|fs)$/.test(name))
    return count(value)
  return String(value)
}

/** One fact that was tested: what was found, or that it is not what was expected. */
export const checkText = ({ name, ok, expected, actual }: Check): string =>
  ok ? `ok ${name}: ${brief(actual)}` : mismatch({ name, expected: brief(expected), actual: brief(actual) })

const brief = (text: string): string =>
  /^[0-9a-f]{64}$/.test(text) ? short(text) : text.length > 300 ? `${text.slice(0, 300)}…` : text

/** What was seen, one fact a line: `image.bytes 1,474,560`. */
function facts(seen: unknown, manner: Manner): readonly Line[] {
  const all = leaves(seen)
  const shown = all.slice(0, longestList)
  const rest = all.length - shown.length
  return [
    ...shown.flatMap(([path, value], index) =>
      row(index === 0 ? 'seen' : '', `${path} ${brief(worded(path, value))}`, manner),
    ),
    ...(rest > 0 ? row('', `and ${rest} more facts; --json shows all`, manner) : []),
  ]
}
