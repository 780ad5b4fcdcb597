// The kinds are data; what the pipeline relies on in them is said here.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { kinds } from '../src/kinds/index.ts'
import { kindNames, stageNames } from '../src/model/medium.ts'

const all = Object.values(kinds)
const folder = mkdtempSync(join(tmpdir(), 'ntt-kinds-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('every kind is listed under its own name', () => {
  expect(Object.keys(kinds).toSorted()).toEqual([...kindNames].toSorted())
  expect(Object.entries(kinds).every(([name, kind]) => kind.name === name)).toBe(true)
})

test('all but a directory are imaged; the other stages are every kind’s', () => {
  for (const kind of all) {
    const expected = kind.name === 'directory' ? stageNames.slice(1) : [...stageNames]
    expect(kind.stages).toEqual(expected)
    expect(kind.passes.length > 0).toBe(kind.stages.includes('image'))
  }
})

test('a ladder begins gently: no gentle pass follows a stubborn one, and the first does not scrape', () => {
  for (const { passes } of all) {
    const order = passes.map(({ stubborn }) => stubborn)
    expect(order.lastIndexOf(false)).toBeLessThan(order.includes(true) ? order.indexOf(true) : order.length)
    expect(passes[0]?.options.includes('--no-scrape') ?? true).toBe(true)
    expect(new Set(passes.map(({ name }) => name)).size).toBe(passes.length)
  }
})

test('ddrescue takes the options of every pass', () => {
  const from = join(folder, 'from')
  writeFileSync(from, 'x'.repeat(10_000))
  for (const { name, sectorBytes, passes } of all) {
    for (const pass of passes) {
      const to = join(folder, `${name}-${pass.name}`)
      execFileSync('ddrescue', ['-q', `--sector-size=${sectorBytes}`, ...pass.options, from, to, `${to}.map`])
      expect(readFileSync(to, 'utf8')).toBe('x'.repeat(10_000))
    }
  }
})
