// Pieces of NTFS out of bytes: runs, reparse points, compressed chunks, times.
import { describe, expect, test } from 'vitest'
import { Claims, countBits } from '../../src/readers/volumes/claims.ts'
import { decompressed } from '../../src/readers/ntfs/lznt1.ts'
import { parseFileName, timeAt, unprotected } from '../../src/readers/ntfs/layout.ts'
import { parseInterix, parseReparse } from '../../src/readers/ntfs/links.ts'
import { hasPacked, parseRuns, rangesOf, unitsOf } from '../../src/readers/ntfs/runs.ts'
import { piecesOf, slice } from '../../src/readers/ranges.ts'
import { mend } from '../../src/readers/utf16.ts'

describe('runs', () => {
  test('go forward, back and over holes, and must stay within the volume', () => {
    const runs = parseRuns(Buffer.from([0x11, 4, 10, 0x01, 8, 0x21, 2, 0xfc, 0xff, 0]), 100)
    expect(runs).toEqual([
      { first: 10, clusters: 4 },
      { first: -1, clusters: 8 },
      { first: 6, clusters: 2 },
    ])
    expect(() => parseRuns(Buffer.from([0x11, 4, 99, 0]), 100)).toThrow('outside of the volume')
    expect(() => parseRuns(Buffer.from([0x11, 4, 0xf0, 0]), 100)).toThrow('outside of the volume')
    expect(() => parseRuns(Buffer.from([0x11, 0, 5, 0]), 100)).toThrow('makes no sense')
    expect(() => parseRuns(Buffer.from([0x44, 1, 2]), 100)).toThrow('makes no sense')
  })

  test('what was never written is zeros, whatever lies there', () => {
    const runs = [{ first: 10, clusters: 4 }]
    expect(rangesOf({ runs, size: 3500, written: 1500 }, 1000, 50_000)).toEqual([
      { start: 60_000, end: 61_500 },
      { start: -1, end: 2000 },
    ])
    expect(rangesOf({ runs, size: 3500, written: 0 }, 1000, 0)).toEqual([{ start: -1, end: 3500 }])
  })

  test('a unit is compressed where stored clusters and holes meet within it', () => {
    const [stored, hole] = [
      { first: 10, clusters: 16 },
      { first: -1, clusters: 16 },
    ]
    expect(hasPacked([stored, hole, stored], 16)).toBe(false)
    expect(hasPacked([{ first: 10, clusters: 3 }, { first: -1, clusters: 13 }, stored], 16)).toBe(true)
    expect(hasPacked([hole, { first: 10, clusters: 20 }, { first: -1, clusters: 12 }], 16)).toBe(true)
    expect([...unitsOf([{ first: 10, clusters: 40 }], 16)]).toEqual([
      [{ first: 10, clusters: 16 }],
      [{ first: 26, clusters: 16 }],
      [{ first: 42, clusters: 8 }],
    ])
  })
})

describe('reparse points', () => {
  const point = (tag: number, ...parts: readonly Buffer[]): Buffer => {
    const head = Buffer.alloc(8)
    head.writeUInt32LE(tag, 0)
    return Buffer.concat([head, ...parts])
  }
  const named = (name: string, room: number): Buffer => {
    const units = Buffer.from(name, 'utf16le')
    const head = Buffer.alloc(room)
    head.writeUInt16LE(units.length, 2)
    return Buffer.concat([head, units])
  }

  test('links are told with the target that they have, whatever made them', () => {
    expect(parseReparse(point(0xa000_000c, named('..\\á', 12)), 0)).toMatchObject({
      type: 'l',
      target: Buffer.from('..\\á'),
    })
    expect(parseReparse(point(0xa000_0003, named('\\??\\C:\\x', 8)), 0)).toMatchObject({
      type: 'l',
      target: Buffer.from('\\??\\C:\\x'),
    })
    expect(parseReparse(point(0xa000_001d, Buffer.from([2, 0, 0, 0]), Buffer.from('up')), 0)).toMatchObject({
      type: 'l',
      target: Buffer.from('up'),
    })
    expect(() => parseReparse(point(0xa000_000c, Buffer.alloc(4)), 0)).toThrow('makes no sense')
    expect(
      parseInterix(
        Buffer.concat([
          Buffer.from('IntxCHR\0'),
          Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]),
        ]),
      ),
    ).toMatchObject({ type: 'c', rdev: (4n << 32n) + 7n })
    expect(parseInterix(Buffer.from('plain'))).toBe(null)
  })

  test('content that is not where the file is has its reason; what is local is a plain file', () => {
    expect(parseReparse(point(0x8000_0017, Buffer.alloc(16)), 0)?.elsewhere).toContain('WOF')
    expect(parseReparse(point(0x8000_0013), 0)?.elsewhere).toContain('deduplication')
    expect(parseReparse(point(0x9000_601a), 0x40_0000)?.elsewhere).toContain('cloud')
    expect(parseReparse(point(0x9000_601a), 0)).toBe(null)
    expect(parseReparse(point(0x1234), 0)).toBe(null)
  })
})

test('compressed chunks: stored ones, ones that end early, and ones that point before their beginning', () => {
  const stored = Buffer.concat([Buffer.from([0xff, 0x3f]), Buffer.alloc(4096, 'x')])
  expect(decompressed(stored, 8192)).toEqual(Buffer.concat([Buffer.alloc(4096, 'x'), Buffer.alloc(4096)]))
  // 'a', then a copy of 5 bytes from 1 before.
  const copy = Buffer.from([0x03, 0xb0, 0x02, 0x61, 0x02, 0x00])
  expect(decompressed(copy, 4096).toString('latin1', 0, 7)).toBe('aaaaaa\0')
  expect(() => decompressed(Buffer.from([0x03, 0xb0, 0x02, 0x61, 0x02, 0xf0]), 4096)).toThrow('make no sense')
  expect(() => decompressed(Buffer.from([0xff, 0xbf, 0x00]), 4096)).toThrow('make no sense')
})

test('times that 64 bits of nanoseconds do not hold are none', () => {
  const time = (value: bigint): bigint | null => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value)
    return timeAt(bytes, 0)
  }
  expect(time(116_444_736_000_000_000n)).toBe(0n)
  expect(time(0n)).toBe(null)
  expect(time(2n ** 63n - 1n)).toBe(null)
})

test('a record that is none, or was written in part, or a name without letters is refused', () => {
  expect(() => unprotected(Buffer.alloc(1024), 'FILE')).toThrow('only zeros')
  const record = Buffer.alloc(1024, 1)
  record.write('FILE', 0, 'latin1')
  record.writeUInt16LE(48, 4)
  record.writeUInt16LE(3, 6)
  expect(() => unprotected(record, 'INDX')).toThrow('there is no INDX record')
  for (const at of [48, 510, 1022]) record.writeUInt16LE(7, at)
  record.writeUInt16LE(0xabcd, 50)
  expect(unprotected(record, 'FILE').readUInt16LE(510)).toBe(0xabcd)
  record.writeUInt16LE(8, 1022)
  expect(() => unprotected(record, 'FILE')).toThrow('only in part')
  expect(() => parseFileName(Buffer.alloc(66))).toThrow('a name makes no sense')
})

test('names that would be another path are mended', () => {
  const mended = (name: string): string | undefined => mend(Buffer.from(name))?.toString()
  expect(['', '.', '..', 'a/b', 'a\0'].map(mended)).toEqual(['_', '_', '__', 'a_b', 'a_'])
  expect(mended('...')).toBe(undefined)
})

test('ranges are cut and split, holes among them', () => {
  const ranges = [
    { start: 100, end: 110 },
    { start: 200, end: 205 },
  ]
  expect(slice(ranges, 8, 13)).toEqual([
    { start: 108, end: 110 },
    { start: 200, end: 203 },
  ])
  expect([...piecesOf([{ start: -1, end: 3 }, ...ranges], 8)]).toEqual([
    [
      { start: -1, end: 3 },
      { start: 100, end: 105 },
    ],
    [
      { start: 105, end: 110 },
      { start: 200, end: 203 },
    ],
    [{ start: 203, end: 205 }],
  ])
})

test('a block that is claimed twice is found, wherever it lies in what was claimed before', () => {
  const claims = new Claims(1000)
  expect([claims.claim(3, 100), claims.claim(200, 1), claims.claim(103, 97)]).toEqual([true, true, true])
  expect([claims.claim(150, 1), claims.claim(0, 4), claims.claim(900, 200)]).toEqual([false, false, true])
  expect(claims.blocks).toBe(100 + 1 + 97 + 1 + 4 + 200)
  expect(countBits(Buffer.from([0xff, 0, 0x81]))).toBe(10)
})
