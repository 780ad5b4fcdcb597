import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Happening } from '../src/model/event.ts'
import { stageNames } from '../src/model/medium.ts'
import { outlook } from '../src/model/outlook.ts'
import { newPace, paced, rate, remaining, share, type Pace } from '../src/model/pace.ts'
import { fold } from '../src/model/progress.ts'
import { emptyRun, isConverged, isStuck, stalledFor, type RunView } from '../src/model/run-view.ts'
import { at, lane, newLane, shortRun, stamped, step, tour } from './views/events.ts'

const folded = (happenings: readonly Happening[], stepMs = 1000): RunView =>
  stamped(happenings, stepMs).reduce(fold, emptyRun)

const cells = (view: RunView, medium: string): string =>
  view.media
    .find((one) => one.medium === medium)
    ?.stages.map(({ cell }) => cell)
    .join(' ') ?? 'no such medium'

const begun = (stage: 'image' | 'copy' = 'image'): readonly Happening[] => [
  { type: 'plan.ready', lanes: [newLane('a')] },
  { type: 'step.started', ...at('a', stage), action: 'run', because: { code: 'absent', text: 'not there' } },
]
const moved = (done: number, total: number | null): Happening => ({
  type: 'step.progress',
  ...at('a', 'image'),
  done,
  total,
  unit: 'bytes',
})

test('what a plan found contradicted is stuck where a person must look, or where it failed in this run', () => {
  const found = (action: 'run' | 'refuse', ...more: readonly Happening[]): boolean => {
    const steps = [step('a', 'image', action, 'failed-proof', 'failed', { contradicts: 'proof' })]
    const view = folded([{ type: 'plan.ready', lanes: [lane('a', 'floppy', 1, 'image', steps)] }, ...more])
    expect(cells(view, 'a')).toMatch(/^contradicted/)
    return view.media.every(isStuck)
  }
  const check = { name: 'read', ok: false, expected: '1 byte', actual: '2 bytes' }
  expect(found('refuse')).toBe(true)
  expect(found('run')).toBe(false)
  expect(found('run', { type: 'step.contradicted', ...at('a', 'image'), check })).toBe(true)
})

test('a plan seeds every cell: met, to do, refused, waiting, contradicted', () => {
  const view = folded([{ type: 'plan.ready', lanes: tour.lanes }])
  expect(cells(view, 'ceh-004')).toBe('proven proven proven proven proven')
  expect(cells(view, 'ceh-002')).toBe('proven waiting waiting waiting waiting')
  expect(cells(view, 'ceh-005')).toBe('refused waiting waiting absent absent')
  expect(cells(view, 'ceh-006')).toBe('proven proven waiting contradicted waiting')
})

test('a run ends with each cell as its last event says', () => {
  const view = folded(shortRun)
  expect(cells(view, 'ceh-001')).toBe('proven proven proven proven proven')
  expect(cells(view, 'ceh-002')).toBe('proven failed waiting waiting waiting')
  expect(cells(view, 'ceh-006')).toBe('proven proven contradicted contradicted waiting')
  expect(view.media.filter(isConverged).map(({ medium }) => medium)).toEqual(['ceh-001', 'ceh-004'])
  expect(view.finished?.exitCode).toBe(3)
})

test('each tag of a failure has its own cell, and an interruption is no failure', () => {
  for (const [tag, cell] of [
    ['verify', 'contradicted'],
    ['observe', 'unknown'],
    ['refused', 'refused'],
    ['interrupted', 'waiting'],
    ['run', 'failed'],
    ['bug', 'failed'],
  ] as const) {
    const failed: Happening = { type: 'step.failed', ...at('a', 'image'), tag, message: 'm', durationSec: 1 }
    expect(cells(folded([...begun(), failed]), 'a').split(' ')[0]).toBe(cell)
  }
})

test('work that has ended is verifying, never proven, until its proof is stored; and its share stays below 1', () => {
  const ended = [...begun(), moved(0, 100), moved(100, 100)]
  const view = folded(ended)
  expect(cells(view, 'a')).toMatch(/^running /)
  const pace = view.media[0]?.stages[0]?.pace
  expect(pace && share(pace)).toBeLessThan(1)
  const verifying = folded([...ended, { type: 'step.verifying', ...at('a', 'image'), depth: 'hash' }])
  expect(cells(verifying, 'a')).toMatch(/^verifying /)
  expect(outlook(verifying, verifying.latestMs).share).toBeLessThan(1)
})

test('nothing that the events say in any order makes a cell proven but a success', () => {
  const others = shortRun.filter(({ type }) => type !== 'step.done' && type !== 'plan.ready')
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...others), { maxLength: 40 }), (happenings) => {
      const view = folded([
        { type: 'plan.ready', lanes: [newLane('ceh-001'), newLane('ceh-006')] },
        ...happenings,
      ])
      expect(view.media.flatMap(({ stages }) => stages).some(({ cell }) => cell === 'proven')).toBe(false)
      const whole = outlook(view, view.latestMs).share
      if (whole !== null) expect(whole).toBeLessThan(1)
    }),
  )
})

test('the view is a function of the events: folding leaves what it was given as it was', () => {
  const events = stamped(shortRun)
  const views = [emptyRun]
  for (const event of events) {
    const before = views.at(-1) ?? emptyRun
    const frozen = structuredClone(before)
    views.push(fold(before, event))
    expect(before).toEqual(frozen)
  }
})

test('there is no share and no remaining time before the total is known', () => {
  const view = folded([
    ...begun(),
    moved(10, null),
    moved(20, null),
    moved(30, null),
    moved(40, null),
    moved(50, null),
  ])
  const pace = view.media[0]?.stages[0]?.pace ?? newPace()
  expect(share(pace)).toBe(null)
  expect(remaining(pace, view.latestMs)).toBe(null)
  expect(rate(pace, view.latestMs)).toBeCloseTo(10)
})

test('a stage without movement for a minute is stalled; the same figures again are no movement, one byte more is', () => {
  const view = folded([...begun(), moved(10, 100), ...Array.from({ length: 70 }, () => moved(10, 100))])
  const stage = view.media[0]?.stages[0]
  expect(stage && stalledFor(stage, view.latestMs)).toBe(70_000)
  const again = stamped([
    ...begun(),
    moved(10, 100),
    ...Array.from({ length: 70 }, () => moved(10, 100)),
    moved(11, 100),
  ]).reduce(fold, emptyRun)
  const alive = again.media[0]?.stages[0]
  expect(alive && stalledFor(alive, again.latestMs + 59_999)).toBe(null)
})

test('a clock that is set back does not make time run backwards', () => {
  const events = stamped([...begun(), moved(0, 100), moved(10, 100)])
  const back = events.map((event, place) =>
    place === 3 ? { ...event, ts: '2001-01-01T00:00:00.000Z' } : event,
  )
  const view = back.reduce(fold, emptyRun)
  expect(view.latestMs).toBe(Date.parse(events[2]?.ts ?? ''))
})

test('an event of a medium that no plan announced makes a row', () => {
  const view = folded([
    { type: 'step.started', ...at('z', 'copy'), action: 'prove', because: { code: 'asked', text: 'verify' } },
  ])
  expect(cells(view, 'z')).toBe('absent absent absent verifying absent')
})

test('however long a phase, an estimate needs no more than a hundred samples', () => {
  let pace = newPace()
  for (let tick = 0; tick < 100_000; tick += 1)
    pace = paced(pace, 'bytes', { done: tick, total: 1e6 }, tick * 100)
  expect(pace.samples.length).toBeLessThanOrEqual(64)
  expect(remaining(pace, 1e7)?.likely).toBeCloseTo(90_000, -2)
})

/** Sizes of the real files under a folder, in the order of their names. */
function sizesUnder(folder: string): readonly number[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => statSync(path).size)
}

/** A copy on a machine where each file and each byte has its price, with noise; asked at a tenth of the bytes. */
function askedAtTenth(sizes: readonly number[], perFile: number, perByte: number, noise: () => number) {
  const [bytes, files] = [sizes.reduce((a, b) => a + b, 0), sizes.length]
  let pace: Pace = newPace()
  let [now, done, count, told] = [0, 0, 0, 0]
  let asked: { atSec: number; likely: number; low: number; high: number } | null = null
  const report = (): void => {
    if (now - told < 0.1) return
    told = now
    pace = paced(pace, 'bytes', { done, total: bytes }, now * 1000)
    pace = paced(pace, 'files', { done: count, total: files }, now * 1000)
    if (asked !== null || done < bytes / 10) return
    const left = remaining(pace, now * 1000)
    if (left !== null)
      asked = { atSec: now, likely: left.likely, low: left.low, high: left.high ?? Number.POSITIVE_INFINITY }
  }
  report()
  for (const size of sizes) {
    now += perFile * noise()
    for (let rest = size; rest > 0; rest -= 262_144) {
      now += Math.min(rest, 262_144) * perByte * noise()
      done += Math.min(rest, 262_144)
      report()
    }
    count += 1
    report()
  }
  if (asked === null) return null
  const { atSec, likely, low, high } = asked as { atSec: number; likely: number; low: number; high: number }
  return { ratio: likely / (now - atSec), within: low <= now - atSec && now - atSec <= high, seconds: now }
}

/** Repeatable noise: half to twice the price, now and then ten times. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    const even = state / 2 ** 31
    return even > 0.995 ? 10 : 0.5 + even * 1.5
  }
}

test('where files and bytes have fixed prices, with noise, the estimate after a tenth of real sizes is within a fifth, in eight of ten', () => {
  const all = sizesUnder(join(import.meta.dirname, '../node_modules'))
  const trees = Array.from({ length: 10 }, (_, part) =>
    all.filter((_size, place) => Math.floor((place * 10) / all.length) === part),
  )
  const machines = [
    [5e-3, 2e-8],
    [1e-2, 2.5e-7],
    [2e-3, 5e-8],
    [2e-2, 1e-7],
  ] as const
  const runs = trees.flatMap((sizes, tree) =>
    machines.flatMap(([perFile, perByte], machine) => {
      const run = askedAtTenth(sizes, perFile, perByte, seeded(tree * 10 + machine + 1))
      return run === null || run.seconds < 5 ? [] : [run]
    }),
  )
  const good = runs.filter(({ ratio }) => ratio > 0.8 && ratio < 1.2).length
  expect(runs.length).toBeGreaterThan(20)
  expect(good / runs.length).toBeGreaterThanOrEqual(0.8)
  expect(runs.filter(({ within }) => within).length / runs.length).toBeGreaterThanOrEqual(0.8)
})

interface Recorded {
  readonly name: string
  readonly files: number
  readonly bytes: number
  /** Millisecond at which the work had ended and the witness began. */
  readonly endMs: number
  readonly told: readonly (readonly [ms: number, unit: 'f' | 'b', done: number])[]
}

/** Real copies of `ntt apply` into a fresh store on ext4 with a journal, on a machine with much else to do: copy_progress of its log. */
const recorded = readFileSync(join(import.meta.dirname, 'copies.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded)

test.each(recorded)(
  'recorded, $name: from a tenth to a fifth the truth lies in the range, and the middle is less than half off',
  ({ files, bytes, endMs, told }) => {
    let pace = newPace()
    let asked = 0
    for (const [ms, unit, done] of told) {
      pace =
        unit === 'f'
          ? paced(pace, 'files', { done, total: files }, ms)
          : paced(pace, 'bytes', { done, total: bytes }, ms)
      const part = share(pace) ?? 0
      if (unit === 'f' || part < 0.1 || part > 0.2) continue
      asked += 1
      const left = remaining(pace, ms)
      const truth = (endMs - ms) / 1000
      expect(left?.low).toBeLessThan(truth)
      expect(left?.high).toBeGreaterThan(truth)
      expect(left?.likely).toBeGreaterThan(truth / 1.5)
      expect(left?.likely).toBeLessThan(truth * 1.5)
    }
    expect(asked).toBeGreaterThan(2)
  },
)

test('the whole run has a percentage only when every size is known, and ends at 1 only when all is proven', () => {
  const unknown = folded([{ type: 'plan.ready', lanes: [newLane('a'), { ...newLane('b'), bytes: null }] }])
  expect(outlook(unknown, unknown.latestMs).share).toBe(null)
  const done = stageNames.map((stage): Happening => ({
    type: 'step.done',
    ...at('a', stage),
    action: 'run',
    depth: 'counts',
    durationSec: 2,
    figures: {},
  }))
  const lanes = [{ type: 'plan.ready', lanes: [newLane('a'), newLane('b')] }] as const
  const half = folded([...lanes, ...done])
  expect(outlook(half, half.latestMs).share).toBeCloseTo(0.5)
  // One lane is through: what its stages took is the measure for the other.
  expect(outlook(half, half.latestMs).remaining?.likely).toBeCloseTo(10, 0)
  const both = folded([...lanes, ...done, ...done.map((one) => ({ ...one, medium: 'b' }) as Happening)])
  expect(outlook(both, both.latestMs)).toMatchObject({ share: 1, remaining: null })
})

test('of a directory the whole is known once it was enumerated, and no stage that begins makes it less than it was', () => {
  const box = newLane('a', 'directory', 0)
  const steps = box.steps.map((step) => (step.stage === 'archive' ? { ...step, work: { read: 0 } } : step))
  const done = (stage: 'enumerate' | 'load' | 'copy'): Happening => ({
    type: 'step.done',
    ...at('a', stage),
    action: 'run',
    depth: 'counts',
    durationSec: 1,
    figures: { bytes: 1000 },
  })
  const before: readonly Happening[] = [
    { type: 'plan.ready', lanes: [{ ...box, bytes: null, steps: steps.slice(1) }] },
  ]
  const wholeOf = (more: readonly Happening[]) => {
    const view = folded([...before, ...more])
    return outlook(view, view.latestMs)
  }
  expect(wholeOf([]).totalBytes).toBe(null)
  const enumerated = [done('enumerate'), done('load')]
  expect(wholeOf(enumerated)).toMatchObject({ totalBytes: 2000, doneBytes: 0 })
  expect(wholeOf([...enumerated, done('copy')]).share).toBe(0.5)
  const archiving: readonly Happening[] = [
    ...enumerated,
    done('copy'),
    { type: 'step.started', ...at('a', 'archive'), action: 'run', because: { code: 'absent', text: 'none' } },
    { type: 'step.progress', ...at('a', 'archive'), done: 0, total: 1200, unit: 'bytes' },
  ]
  // The work tells its own size, which is more than the plan could know.
  expect(wholeOf(archiving)).toMatchObject({ totalBytes: 2200, doneBytes: 1000 })
})

test('what a drive gives at once from its caches does not count: a tenth into the copy the rest is known', () => {
  // 40 MB at once, then 8 MB a second, of 400 MB.
  let pace = newPace()
  const total = 400e6
  pace = paced(pace, 'files', { done: 0, total: 0 }, 0)
  for (let ms = 0; ms <= 2000; ms += 250)
    pace = paced(pace, 'bytes', { done: ms === 0 ? 0 : 40e6 + (ms / 1000) * 8e6, total }, ms)
  const truth = (total - 40e6 - 16e6) / 8e6
  expect((remaining(pace, 2000)?.likely ?? 0) / truth).toBeCloseTo(1, 1)
})
