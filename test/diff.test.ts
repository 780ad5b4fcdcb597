// Observations and proofs into steps: every rule of the plan by cases.
import { expect, test } from 'vitest'
import { diff } from '../src/diff.ts'
import { stageNames, type Medium, type StageName } from '../src/model/medium.ts'
import type { Claim, Decision, Observation, Observed, Proof } from '../src/model/stage.ts'
import { together } from '../src/model/proofs.ts'
import { isMet, lane, moved, plan, planExit, wantedStages } from '../src/plan.ts'

const medium: Medium = {
  name: 'cd',
  file: 'media.d/cd.yaml',
  label: null,
  kind: 'optical',
  source: { type: 'image', path: '/cd.iso' },
  target: 'archived',
  hash: 'da69350a5b27adf013e02994611cebc3',
  version: 'v2',
  bytes: 42,
  expect: {},
  exclude: [],
  policy: { rescued: 100, unreadableFiles: 'refuse', partitions: {} },
}

const keep: Decision = { action: 'keep', because: { code: 'present', text: 'there' } }
const run: Decision = { action: 'run', because: { code: 'absent', text: 'not there' } }
const refuse: Decision = { action: 'refuse', because: { code: 'other-rows', text: 'other rows' } }
const saw = (stage: StageName, decision: Decision, of = `of-${stage}`): Observation => ({
  stage,
  seen: {},
  decision,
  of,
})
const blind = (stage: StageName): Observation => ({ stage, unknown: { code: 'unobserved', text: 'no look' } })
const proof = (stage: StageName, more: Partial<Proof> = {}): Proof => ({
  stage,
  of: `of-${stage}`,
  depth: 'counts',
  ok: true,
  checks: [],
  figures: {},
  facts: {},
  content: null,
  run: 'before',
  host: 'h',
  at: '2026-01-01T00:00:00.000Z',
  ...more,
})

/** The actions of all five stages, as `image =, enumerate +`. */
function actions(
  observations: readonly Observation[],
  proofs: readonly Proof[] = [],
  more: { claims?: readonly Claim[]; redo?: ReadonlySet<StageName>; run?: string } = {},
): readonly string[] {
  const observed: Observed = { medium, observations, proofs, claims: more.claims ?? [] }
  const options = {
    wanted: stageNames,
    run: more.run ?? 'now',
    ...(more.redo === undefined ? {} : { redo: more.redo }),
  }
  return diff(observed, options).map(
    ({ stage, action, contradicts }) => `${contradicts === null ? '' : '!'}${stage} ${action}`,
  )
}

const all = (decision: Decision): readonly Observation[] => stageNames.map((stage) => saw(stage, decision))
const allProven = stageNames.map((stage) => proof(stage))

test('what is there and proven of exactly this is kept', () => {
  expect(actions(all(keep), allProven)).toEqual(stageNames.map((stage) => `${stage} keep`))
})

test('the record has an order of its own: a clock that was set back does not make an old proof the last one', () => {
  const failed = proof('copy', { ok: false, at: '2025-12-31T00:00:00.000Z' })
  expect(actions(all(keep), [...allProven, failed])).toContain('!copy run')
  expect(actions(all(keep), [failed, ...allProven])).toContain('copy keep')
})

test('what is there and was never verified is proven, not made again', () => {
  expect(actions(all(keep))).toEqual(stageNames.map((stage) => `${stage} prove`))
})

test('what has changed since its proof is proven again', () => {
  const changed = allProven.map((one) => (one.stage === 'load' ? { ...one, of: 'as it was' } : one))
  expect(actions(all(keep), changed)[2]).toBe('load prove')
})

test('what failed its latest verification is made again, but an image needs a person', () => {
  const failed = (stage: StageName): readonly Proof[] => [
    ...allProven,
    proof(stage, {
      ok: false,
      at: '2026-02-01T00:00:00.000Z',
      checks: [{ name: 'rows', ok: false, expected: '2', actual: '1' }],
    }),
  ]
  expect(actions(all(keep), failed('load'))[2]).toBe('!load run')
  expect(actions(all(keep), failed('image'))[0]).toBe('!image refuse')
})

test('a product that was proven and is gone contradicts its proof', () => {
  const observations = stageNames.map((stage) => saw(stage, stage === 'copy' ? run : keep))
  expect(actions(observations, allProven)[3]).toBe('!copy run')
})

test('a claim over nothing is contradicted and decides nothing', () => {
  const claims: readonly Claim[] = [{ stage: 'copy', text: 'copy_done' }]
  expect(actions(all(run), [], { claims })).toEqual([
    'image run',
    'enumerate run',
    'load run',
    '!copy run',
    'archive run',
  ])
})

test('unknown opens no gate: nothing after it runs, and nothing after it is proven', () => {
  const observations = [
    blind('image'),
    saw('enumerate', run),
    saw('load', keep),
    saw('copy', run),
    saw('archive', run),
  ]
  expect(actions(observations)).toEqual([
    'image unknown',
    'enumerate wait',
    'load wait',
    'copy wait',
    'archive wait',
  ])
})

test('a stage that nobody looked at is unknown', () => {
  expect(actions([saw('image', keep)], allProven)[1]).toBe('enumerate unknown')
})

test('a refusal holds what follows, and what is proven stays shown as kept', () => {
  const observations = [
    saw('image', keep),
    saw('enumerate', keep),
    saw('load', refuse),
    saw('copy', run),
    saw('archive', keep),
  ]
  expect(actions(observations, allProven)).toEqual([
    'image keep',
    'enumerate keep',
    '!load refuse',
    '!copy wait',
    'archive keep',
  ])
})

test('before an archive is made, load and copy are proven in the same run', () => {
  const observations = stageNames.map((stage) => saw(stage, stage === 'archive' ? run : keep))
  const proofs = allProven.filter(({ stage }) => stage !== 'archive')
  expect(actions(observations, proofs)).toEqual([
    'image keep',
    'enumerate keep',
    'load prove',
    'copy prove',
    'archive run',
  ])
  expect(actions(observations, proofs, { run: 'before' })).toEqual([
    'image keep',
    'enumerate keep',
    'load keep',
    'copy keep',
    'archive run',
  ])
})

test('an image that lives in its archive is restored only where a later stage has to read it', () => {
  const elsewhere: Decision = { ...keep, elsewhere: true }
  const missing = (stage: StageName): readonly Observation[] =>
    stageNames.map((name) => saw(name, name === 'image' ? elsewhere : name === stage ? run : keep))
  expect(actions(missing('copy'), allProven)[0]).toBe('image run')
  expect(actions(missing('load'), allProven)[0]).toBe('image keep')
})

test('what a person asks to be made again is run, and nothing else', () => {
  expect(actions(all(keep), allProven, { redo: new Set<StageName>(['archive']) })).toEqual([
    'image keep',
    'enumerate keep',
    'load prove',
    'copy prove',
    'archive run',
  ])
})

test('rows that are made again on request bring the outcomes with them, whatever is there', () => {
  const redo = new Set<StageName>(['load'])
  const withCopy = (copy: Decision) =>
    actions(
      stageNames.map((stage) => saw(stage, stage === 'copy' ? copy : keep)),
      allProven,
      { redo },
    )
  const expected = ['image keep', 'enumerate keep', 'load run', 'copy run', 'archive keep']
  expect([withCopy(keep), withCopy(refuse)]).toEqual([expected, expected])
})

test('a medium that is not the declared one is refused, one that cannot be seen is unknown', () => {
  for (const action of ['refuse', 'unknown'] as const) {
    const stranger = {
      name: 'cd',
      file: 'media.d/cd.yaml',
      label: null,
      kind: null,
      target: 'archived' as const,
      hash: null,
      because: { code: 'wrong-medium' as const, text: 'HOLIDAY_98' },
      action,
    }
    const steps = diff(
      { medium: stranger, observations: [], proofs: [], claims: [] },
      { wanted: stageNames, run: 'now' },
    )
    expect(steps.map((step) => step.action)).toEqual([action, 'wait', 'wait', 'wait', 'wait'])
  }
})

const planOf = (observations: readonly Observation[], proofs: readonly Proof[] = []) => {
  const observed: Observed = { medium, observations, proofs, claims: [] }
  return plan(
    [lane(observed, diff(observed, { wanted: stageNames, run: 'now' }), null)],
    '2026-01-01T00:00:00.000Z',
  )
}

test('the exit code of a plan is its most serious finding', () => {
  expect(planExit(planOf(all(keep), allProven))).toBe(0)
  expect(planExit(planOf(all(run)))).toBe(2)
  expect(planExit(planOf([blind('image')]))).toBe(5)
  expect(planExit(planOf(all(run), allProven))).toBe(3)
})

test('a lane holds up to its first gap', () => {
  const observations = stageNames.map((stage) => saw(stage, stage === 'load' ? run : keep))
  const [one] = planOf(observations, allProven).lanes
  expect([one?.holds, one === undefined ? null : isMet(one)]).toEqual(['enumerate', false])
})

test('what is only proven again before an archive is made holds, and a lower target is the one that is told', () => {
  const observations = stageNames.map((stage) => saw(stage, stage === 'archive' ? run : keep))
  const proven = allProven.filter(({ stage }) => stage !== 'archive')
  expect(planOf(observations, proven).lanes[0]).toMatchObject({ holds: 'copy', target: 'archived' })
  const observed: Observed = { medium, observations, proofs: proven, claims: [] }
  const wanted = wantedStages(medium, stageNames, 'load')
  expect(lane(observed, diff(observed, { wanted, run: 'now' }), null).target).toBe('loaded')
})

test('what was proven and is not there is told as gone, not as never made', () => {
  const steps = diff(
    { medium, observations: all(run), proofs: [proof('archive')], claims: [] },
    { wanted: stageNames, run: 'now' },
  )
  expect(steps.map(({ because }) => because.code)).toEqual([
    'absent',
    'absent',
    'absent',
    'absent',
    'missing',
  ])
  expect(steps.at(-1)?.because.text).toBe('gone since it was proven, 2026-01-01 00:00:00 UTC')
})

test('a target asks for its stage and all before it that the kind has', () => {
  expect(wantedStages({ target: 'loaded' }, stageNames)).toEqual(['image', 'enumerate', 'load'])
  expect(wantedStages({ target: 'archived' }, ['enumerate', 'load', 'copy', 'archive'], 'load')).toEqual([
    'enumerate',
    'load',
  ])
})

test('a saved plan tells every fact that moved since', () => {
  const saved = planOf(all(keep), allProven)
  expect(moved(saved, saved)).toEqual([])
  const now = planOf([...all(keep).slice(0, 4), saw('archive', run, 'of-nothing')], allProven)
  expect(moved(saved, now)).toEqual([expect.stringContaining('cd archive')])
})

test('proofs together are as deep as the least deep of them and as old as the oldest', () => {
  const [deep, shallow] = [
    { at: '2026-01-02', depth: 'hash' },
    { at: '2026-01-03', depth: 'counts' },
  ] as const
  expect([together([]), together([deep]), together([deep, shallow]), together([shallow, deep])]).toEqual([
    null,
    deep,
    { at: '2026-01-02', depth: 'counts' },
    { at: '2026-01-02', depth: 'counts' },
  ])
})
