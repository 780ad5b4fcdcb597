// The ladder's pure parts: which pass comes next, what a device that went is forgiven, which sectors are asked again.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { kinds } from '../../src/kinds/index.ts'
import { parseMapfile, type BlockStatus, type Mapfile } from '../../src/model/mapfile.ts'
import { canaries, forgive, mapText, untried } from '../../src/stages/image/ddrescue.ts'
import {
  nextPass,
  parsePasses,
  passesText,
  withCutShort,
  type EndedPass,
} from '../../src/stages/image/passes.ts'

const { optical } = kinds
const ended = (pass: string, rescued = 99, drive = '/dev/sr0', end: EndedPass['end'] = 'done') => ({
  pass,
  drive,
  rescued,
  total: 100,
  end,
})
const next = (passes: readonly EndedPass[], rescued: number, enough = 100, drive = '/dev/sr0') =>
  nextPass(optical, drive, passes, { rescued, total: 100 }, enough)?.name ?? null

describe('the next pass', () => {
  test('is the first that has not ended on this drive', () => {
    expect(nextPass(optical, '/dev/sr0', [], null, 100)?.name).toBe('sweep')
    expect(next([ended('sweep')], 99)).toBe('scrape')
    expect(next([ended('sweep'), ended('scrape')], 99)).toBe('retry')
    expect(next([ended('sweep'), ended('scrape')], 99, 100, '/dev/sr1')).toBe('sweep')
  })

  test('is none once everything is read, or all passes have ended', () => {
    expect(next([ended('sweep', 100)], 100)).toBeNull()
    expect(
      next(
        optical.passes.map(({ name }) => ended(name)),
        99,
      ),
    ).toBeNull()
  })

  test('is a stubborn one only while less was read than the policy asks for', () => {
    const gentle = [ended('sweep'), ended('scrape')]
    expect(next(gentle, 99, 99)).toBeNull()
    expect(next(gentle, 99, 99.5)).toBe('retry')
    expect(next([ended('sweep')], 99, 50)).toBe('scrape')
  })

  test('is none where a pass left less than its least: more would only wear the medium', () => {
    expect(next([ended('sweep'), ended('scrape', 9)], 9)).toBeNull()
    expect(next([ended('sweep'), ended('scrape', 10)], 10)).toBe('retry')
  })

  test('is told from a log that survives strangers in it', () => {
    const passes = [ended('sweep'), ended('scrape', 5, '/dev/sr1', 'gave-up')]
    expect(parsePasses(passesText(passes))).toEqual(passes)
    expect(parsePasses(`nonsense\n{"pass":1}\n\n${passesText(passes)}{"pass":"cut`)).toEqual(passes)
    expect(parsePasses(null)).toEqual([])
  })
})

describe('a pass that was cut short', () => {
  const told = (passes: readonly EndedPass[], rescued: number) =>
    withCutShort(optical, '/dev/sr0', passes, { rescued, total: 100 })
  test('is the one that came next, once all is read', () => {
    expect(told([], 100)).toEqual([ended('sweep', 100, '/dev/sr0', 'cut-short')])
    expect(told([ended('sweep')], 100)).toEqual([
      ended('sweep'),
      ended('scrape', 100, '/dev/sr0', 'cut-short'),
    ])
  })

  test('is none while something is unread, or where the last pass was told', () => {
    expect(told([ended('sweep')], 99)).toEqual([ended('sweep')])
    expect(told([ended('sweep', 100)], 100)).toEqual([ended('sweep', 100)])
  })
})

const statuses: readonly BlockStatus[] = ['?', '*', '/', '-', '+']
/** A map of 64 sectors, each with its own status. */
const maps = fc
  .array(fc.constantFrom(...statuses), { minLength: 64, maxLength: 64 })
  .map((list) => fromSectors(list))

function fromSectors(list: readonly BlockStatus[]): Mapfile {
  const blocks = list.map((status, at) => ({ start: at * 512, end: (at + 1) * 512, status }))
  return parseMapfile(mapText({ position: 0, phase: '?', blocks }))
}
const sectors = ({ blocks }: Mapfile): BlockStatus[] =>
  blocks.flatMap(({ start, end, status }) => Array.from({ length: (end - start) / 512 }, () => status))

describe('a device that went', () => {
  test('loses nothing that was read, and what failed since is as it was before', () => {
    fc.assert(
      fc.property(maps, maps, (before, after) => {
        const old = sectors(before)
        const kept = sectors(forgive(before, after))
        const expected = sectors(after).map((now, at) =>
          now === '+' ? '+' : old[at] === '+' || old[at] === undefined ? '?' : old[at],
        )
        expect(kept).toEqual(expected)
      }),
    )
  })

  test('leaves a map that ddrescue itself reads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ntt-ladder-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'map')
    fc.assert(
      fc.property(maps, maps, (before, after) => {
        const map = forgive(before, after)
        writeFileSync(path, mapText(map))
        const told = execFileSync('ddrescuelog', ['-t', path], { encoding: 'utf8' })
        expect(/rescued:\s+([\d ]+) B/.exec(told)?.[1]?.replaceAll(' ', '') ?? told).toBe(String(map.rescued))
      }),
      { numRuns: 10 },
    )
  })
})

describe('the sectors that are asked again', () => {
  test('were read, are whole, and are at most three', () => {
    fc.assert(
      fc.property(maps, fc.constantFrom(512, 2048), (map, size) => {
        const read = sectors(map)
        const asked = canaries(map, size)
        expect(asked.length).toBeLessThanOrEqual(3)
        for (const sector of asked) {
          const first = (sector * size) / 512
          expect(read.slice(first, first + size / 512).every((status) => status === '+')).toBe(true)
        }
        if (size === 512) expect(asked.length > 0).toBe(read.includes('+'))
      }),
    )
  })

  test('of a medium of which nothing was read are none', () => {
    expect(canaries(untried(1_000_000), 2048)).toEqual([])
    expect(untried(0).total).toBe(0)
  })
})
