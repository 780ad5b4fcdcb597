// ddrescue's mapfile: what it says in bytes, what it may not say, and what follows for the health of a medium.
import { intersect } from '../src/model/ranges.ts'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  covers,
  healthOf,
  MapfileError,
  parseMapfile,
  unreadRanges,
  type BlockStatus,
} from '../src/model/mapfile.ts'

const text = (blocks: readonly (readonly [number, number, string])[], status = '0x00000000 + 1'): string =>
  [
    '# Mapfile. Created by GNU ddrescue version 1.27',
    '# current_pos  current_status  current_pass',
    status,
    ...blocks.map(([start, size, sign]) => `0x${start.toString(16)}  0x${size.toString(16)}  ${sign}`),
    '',
  ].join('\n')

describe('a mapfile', () => {
  test('of the real ddrescue says what was read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ntt-map-'))
    try {
      writeFileSync(join(folder, 'source'), Buffer.alloc(3_000_000, 7))
      execFileSync('ddrescue', ['--input-position=2000000', '--size=500000', 'source', 'image', 'map'], {
        cwd: folder,
        stdio: 'ignore',
      })
      const map = parseMapfile(readFileSync(join(folder, 'map'), 'utf8'))
      expect(map).toMatchObject({ phase: '+', pass: 1, start: 0, end: 3_000_000, total: 3_000_000 })
      expect(map).toMatchObject({ rescued: 500_000, untried: 2_500_000, bad: 0, pending: 0 })
      expect(unreadRanges(map, 3_000_000)).toEqual([
        { start: 0, end: 2_000_000 },
        { start: 2_500_000, end: 3_000_000 },
      ])
      expect(covers(map, 3_000_000)).toBe(true)
      expect(covers(map, 3_000_001)).toBe(false)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('counts each of the five signs for what it is', () => {
    const map = parseMapfile(
      text([
        [0, 1, '+'],
        [1, 10, '-'],
        [11, 100, '*'],
        [111, 1000, '/'],
        [1111, 10_000, '?'],
      ]),
    )
    expect(map).toMatchObject({ rescued: 1, bad: 10, pending: 1100, untried: 10_000, total: 11_111 })
  })

  test('may have numbers in decimal, hexadecimal and octal, and no pass', () => {
    const map = parseMapfile('0x10 ?\n0 512 +\n01000 0X200 -\n')
    expect(map).toMatchObject({ position: 16, pass: null, rescued: 512, bad: 512 })
  })

  test.each([
    ['nothing', ''],
    ['comments alone', '# Mapfile.\n'],
    ['no line of where it stands', '0x0 0x200 +\n0x200 0x200 +\n'],
    [
      'a gap',
      text([
        [0, 512, '+'],
        [1024, 512, '+'],
      ]),
    ],
    [
      'an overlap',
      text([
        [0, 1024, '+'],
        [512, 1024, '-'],
      ]),
    ],
    [
      'an empty block',
      text([
        [0, 0, '+'],
        [0, 512, '+'],
      ]),
    ],
    ['an unknown sign', text([[0, 512, 'x']])],
    ['a word too many', '0x0 + 1\n0x0 0x200 + 7\n'],
    ['a word too few', '0x0 + 1\n0x0 0x200\n'],
    ['a number that is none', '0x0 + 1\n0x0 0x2g0 +\n'],
    ['a negative size', '0x0 + 1\n0x0 -512 +\n'],
    ['a size beyond 2^53', '0x0 + 1\n0x0 0x40000000000000 +\n'],
    ['a cut last line', '0x0 + 1\n0x0 0x200 +\n0x200 0x20'],
  ])('with %s is refused', (_, bad) => {
    expect(() => parseMapfile(bad)).toThrow(MapfileError)
  })

  test('any text is either a map whose sums agree, or refused', () => {
    const line = fc.stringMatching(/^(?:0x)?[0-9a-f]{0,4} {1,2}(?:0x)?[0-9a-f]{0,4} {0,2}[?*/+-]?[0-9]?$/)
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 5 }), (lines) => {
        try {
          const map = parseMapfile(`${lines.join('\n')}\n`)
          expect(map.rescued + map.bad + map.pending + map.untried).toBe(map.total)
        } catch (error) {
          expect(error).toBeInstanceOf(MapfileError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('health', () => {
  const of = (rescued: number, total: number): string | null =>
    healthOf(
      parseMapfile(
        text(
          rescued === 0
            ? [[0, total, '-']]
            : rescued === total
              ? [[0, total, '+']]
              : [
                  [0, rescued, '+'],
                  [rescued, total - rescued, '-'],
                ],
        ),
      ),
      total,
    )

  test.each([
    [10_000, 10_000, 'ok'],
    [9_999, 10_000, 'incomplete'],
    [999_999_999_999, 1_000_000_000_000, 'incomplete'],
    [9_000, 10_000, 'incomplete'],
    [8_999, 10_000, 'corrupt'],
    [8_999_999_999_999_999 / 9, 1_111_111_111_111_111, 'corrupt'],
    [2_000, 10_000, 'corrupt'],
    [1_999, 10_000, 'failed'],
    [0, 10_000, 'failed'],
  ])('%i of %i bytes: %s', (rescued, total, health) => {
    expect(of(Math.floor(rescued), total)).toBe(health)
  })

  test('is unknown without a map, with one of no blocks, and of a device of no bytes', () => {
    expect(healthOf(null, 512)).toBeNull()
    expect(healthOf(parseMapfile(text([])), 512)).toBeNull()
    expect(healthOf(parseMapfile(text([[0, 512, '+']])), 0)).toBeNull()
  })

  test('counts what the map does not cover as not rescued', () => {
    const map = parseMapfile(text([[0, 900, '+']]))
    expect(healthOf(map, 900)).toBe('ok')
    expect(healthOf(map, 1000)).toBe('incomplete')
    expect(healthOf(map, 1001)).toBe('corrupt')
    expect(unreadRanges(map, 1000)).toEqual([{ start: 900, end: 1000 }])
  })
})

test('intersecting agrees with looking at every byte', () => {
  const sizes = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom<BlockStatus>('+', '-', '?')),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  const ranges = fc.array(
    fc.tuple(fc.nat(60), fc.nat(20)).map(([start, length]) => ({ start, end: start + length })),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(sizes, ranges, (blocks, wanted) => {
      let at = 0
      const map = parseMapfile(text(blocks.map(([size, sign]) => [(at += size) - size, size, sign])))
      const unread = unreadRanges(map, 100)
      const isUnread = (byte: number): boolean =>
        byte < 100 && map.blocks.find(({ start, end }) => start <= byte && byte < end)?.status !== '+'
      const bytes = (found: readonly { start: number; end: number }[]): number[] =>
        found.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i))
      expect(bytes(unread)).toEqual(Array.from({ length: 100 }, (_, byte) => byte).filter(isUnread))
      expect(bytes(intersect(wanted, unread))).toEqual(bytes(wanted).filter(isUnread))
    }),
    { numRuns: 500 },
  )
})

test('a hole has no bytes that could be unread', () => {
  expect(intersect([{ start: -1, end: 4096 }], [{ start: 0, end: 4096 }])).toEqual([])
})
