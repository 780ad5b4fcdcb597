// The benchmark: its arithmetic is right, and it starts. Nothing here asserts a time.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { bars, passes } from '../bench/bars.ts'
import { median, pairedRatio } from '../bench/figures.ts'
import { interleave } from '../bench/measure.ts'
import { seeded } from '../bench/data/random.ts'
import { text, type Report } from '../bench/report.ts'

test('a median is the middle, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([10, 1, 2, 4])).toBe(3)
  expect(median([7])).toBe(7)
  expect(median([])).toBeNaN()
})

test('a ratio is the median of the rounds, not the ratio of the medians', () => {
  // Round 2 was disturbed for both.
  const { median: ratio, least, most, rounds } = pairedRatio([1, 30, 3], [2, 40, 3])
  expect({ ratio, least, most, rounds }).toEqual({ ratio: 0.75, least: 0.5, most: 1, rounds: 3 })
  expect(pairedRatio([1, 30, 3], [2, 40, 3]).median).not.toBe(median([1, 30, 3]) / median([2, 40, 3]))
})

test('rounds that do not pair up, or figures that are none, give no ratio', () => {
  expect(() => pairedRatio([1, 2], [1])).toThrow('2 rounds cannot be paired with 1')
  expect(() => pairedRatio([], [])).toThrow('0 rounds')
  expect(() => pairedRatio([1], [0])).toThrow('round 1')
  expect(() => pairedRatio([Number.NaN], [1])).toThrow('round 1')
})

test('every contender runs once in a round, and each takes its turn to be the first', async () => {
  const turns: string[] = []
  const contender = (name: string) => ({
    name,
    async run() {
      turns.push(name)
      return { seconds: 1, cpuSeconds: 0, peakBytes: 0, treeBytes: 0 }
    },
  })
  const series = await interleave([contender('a'), contender('b'), contender('c')], 3, () => undefined)
  expect(turns.join('')).toBe('abcbcacab')
  expect(series.map(({ name, samples }) => [name, samples.length])).toEqual([
    ['a', 3],
    ['b', 3],
    ['c', 3],
  ])
})

test('a bar is met on its own side of the limit, and not by what was not measured', () => {
  const [most, least] = [bars['copy/small/cp'], bars['load/older/small']]
  expect([most, least].map((bar) => passes(bar, bar.limit))).toEqual([true, true])
  expect(passes(most, most.limit + 0.01)).toBe(false)
  expect(passes(least, least.limit - 0.01)).toBe(false)
  expect(passes(least, undefined)).toBeNull()
  expect(passes(most, Number.NaN)).toBeNull()
})

test('the report names every bar of its sections, and tells those that were missed or not measured', () => {
  const report: Report = {
    at: '2026-01-01',
    quick: true,
    rounds: 3,
    machine: {
      cores: 2,
      together: 1.3,
      processor: 'x',
      memoryBytes: 1,
      kernel: '6',
      loadAtStart: 0,
      node: 'v24',
      commit: 'abc',
      filesystems: {},
      peers: {},
    },
    findings: [
      { section: 'archive', tables: [], notes: [], bars: { 'archive/time': 1.1, 'archive/size': 1.2 } },
    ],
  }
  const told = text(report)
  for (const { section, says } of Object.values(bars)) {
    if (section === 'archive') expect(told).toContain(says)
  }
  expect(told).toContain('1 bars met, 1 missed, 2 not measured')
})

test('data is the same on every machine: the generator gives the numbers that it gave once', () => {
  const random = seeded('ntt')
  expect([random.between(0, 999), random.between(0, 999), random.between(0, 999)]).toMatchInlineSnapshot(`
    [
      248,
      314,
      663,
    ]
  `)
  expect(seeded('ntt').next()).toBe(seeded('ntt').next())
  expect(seeded('ntt').next()).not.toBe(seeded('other').next())
})

test('the benchmark starts, and says what it can do', async () => {
  const main = join(import.meta.dirname, '../bench/main.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [main, '--help'])
  expect(stdout).toContain('load, copy, enumerate, archive, plan, media')
})
