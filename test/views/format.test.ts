import { expect, test } from 'vitest'
import fc from 'fast-check'
import { count } from '../../src/model/counted.ts'
import {
  age,
  clip,
  clock,
  columns,
  duration,
  pathName,
  percent,
  readable,
  readableLines,
  size,
  toAscii,
  wrap,
} from '../../src/views/format.ts'
import { render, span } from '../../src/views/paint.ts'

test('counts have separators, sizes two or three digits, in units of a thousand', () => {
  expect([0, 999, 1161, 2_346_982].map(count)).toEqual(['0', '999', '1,161', '2,346,982'])
  expect(
    [0, 512, 1_474_560, 9_949_999, 9_950_000, 43_122_688, 999_600, 300_069_052_416, 5e15].map(size),
  ).toEqual(['0 B', '512 B', '1.5 MB', '9.9 MB', '10 MB', '43 MB', '1.0 MB', '300 GB', '5.0 PB'])
})

test('durations are told in at most two units', () => {
  expect([0.0004, 0.02, 0.4, 9.97, 12, 59.6, 125, 3600, 3720, 90_000, 273_600].map(duration)).toEqual([
    '0.4 ms',
    '20 ms',
    '0.4 s',
    '10 s',
    '12 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '1 h 2 min',
    '1 d 1 h',
    '3 d 4 h',
  ])
  expect([13, 724, 3723, 273_900].map(clock)).toEqual(['0:13', '12:04', '1:02:03', '3d 04:05'])
})

test('a time that cannot be read is not told as an age of nothing', () => {
  expect(age('no time', 0)).toBe('at an unknown time')
  expect(age('2026-03-01T00:00:00Z', Date.parse('2026-03-04T05:00:00Z'))).toBe('3 d ago')
})

test('100 percent is told only when nothing is left', () => {
  expect(percent(999_999, 1_000_000)).toBe(99)
  expect(percent(5, 5)).toBe(100)
  expect(percent(5, 0)).toBe(0)
})

test('names that are not UTF-8 are shown with escapes, and no two names look the same', () => {
  expect(pathName(Buffer.from('Brief an M\xfcller.doc', 'latin1'))).toBe('Brief an M\\xfcller.doc')
  expect(pathName(Buffer.from('Müller', 'utf8'))).toBe('Müller')
  expect(pathName(Buffer.from('a\nb\x1b[31m\\x0a'))).toBe('a\\nb\\x1b[31m\\\\x0a')
  expect(pathName(Buffer.from([0xc0, 0xaf]))).toBe('\\xc0\\xaf')
  expect(pathName(Buffer.from([0xed, 0xa0, 0x80, 0x41]))).toBe('\\xed\\xa0\\x80A')
  expect(pathName(Buffer.from('a\u202egpj.exe'))).toBe('a\\u{202e}gpj.exe')
  const anyBytes = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(anyBytes, anyBytes, (a, b) => {
      fc.pre(!a.equals(b))
      expect(pathName(a)).not.toBe(pathName(b))
    }),
    { numRuns: 2000 },
  )
})

/** What a terminal would obey, or what reorders or hides: controls, bidi, separators. */
const obeyed = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Cs}/u

test('nothing that a terminal obeys survives: in names, in texts, in painted lines', () => {
  const anyText = fc.string({ unit: 'binary', maxLength: 30 })
  fc.assert(
    fc.property(anyText, fc.uint8Array({ maxLength: 30 }), (text, bytes) => {
      const raw = (shown: string): boolean => obeyed.test(shown)
      expect(raw(readable(text))).toBe(false)
      expect(raw(pathName(Buffer.from(bytes)))).toBe(false)
      for (const line of readableLines(text)) expect(raw(line)).toBe(false)
      const painted = render([[text, span('bad', text)]], { color: false, ascii: false, width: 80 })
      expect(raw(painted.slice(0, -1))).toBe(false)
    }),
    { numRuns: 2000 },
  )
})

test('with colours the only escape bytes are those of the colours', () => {
  const painted = render([[span('bad', 'x\x1b[2J')]], { color: true, ascii: false, width: 80 })
  expect(painted).toBe('\x1b[31mx\\x1b[2J\x1b[0m\n')
})

test('ASCII mode leaves no other character', () => {
  expect(toAscii('9f2c… · → Ж😀')).toBe('9f2c... . -> \\u{416}\\u{1f600}')
})

test('clipping and wrapping count columns, not characters', () => {
  expect(clip('漢字漢字漢字', 7)).toBe('漢字漢…')
  expect(columns(clip('e\u0301e\u0301e\u0301e\u0301', 3))).toBe(3)
  for (const line of wrap('one two three 漢字漢字漢字漢字漢字 four', 10))
    expect(columns(line)).toBeLessThanOrEqual(10)
  expect(wrap('one two three', 8)).toEqual(['one two', 'three'])
})
