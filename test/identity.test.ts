// Identities: golden vectors made by b3sum, refusals of too few bytes, and guesses of the kind.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { describe, expect, test } from 'vitest'
import { ObserveError } from '../src/model/errors.ts'
import { cleanTrait, directoryHash, guessKind, mediumHash, samples } from '../src/model/identity.ts'

const blake3 = (chunks: readonly Buffer[]): Buffer => {
  const hasher = new Blake3Hasher()
  for (const chunk of chunks) hasher.update(chunk)
  return hasher.digestBuffer()
}

/** Byte i of the source is (7 i + 13 (i >> 8)) mod 256. */
const source = (bytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8) * 13) & 255))

const hash = (
  version: 'v0' | 'v1' | 'v2',
  bytes: number,
  traits: { model?: string; serial?: string } = {},
) => {
  const all = source(bytes)
  const { head, tail } = samples(bytes)
  return mediumHash(
    version,
    { bytes, ...traits },
    all.subarray(head.start, head.end),
    all.subarray(tail.start, tail.end),
    blake3,
  )
}

// Made with head, tail, printf and `b3sum -l 16`; nothing of ntt had a part in it.
describe('golden vectors', () => {
  test.each([
    ['v0', 100, '068845fcbfaab0040071a8cd759e0406'],
    ['v0', 1_474_560, '1e8889d583afb6510e74a952cafaa823'],
    ['v0', 3_145_805, '1e8889d583afb6510e74a952cafaa823'],
    ['v1', 100, '862613ed34c009b0e9f36a7a16a6ec64'],
    ['v1', 1_474_560, '1b82a5a22aaaf59bc62584ca3a3d5cf8'],
    ['v1', 3_145_805, 'd636e99ff23d15e87d7817ac039ae5e0'],
    ['v2', 100, '8dcba9c0921b0f40f36b563f2edfd409'],
    ['v2', 1_474_560, '1b8080b064d79aaca546600b5acd0fcd'],
    ['v2', 3_145_805, '0e0efe4f250370991bfc5648060e0c3e'],
  ] as const)('%s of %i bytes', (version, bytes, expected) => {
    expect(hash(version, bytes)).toBe(expected)
  })

  test('v2 with model and serial', () => {
    const traits = { model: 'Maxtor  6Y080L0', serial: 'Y2-4_7?' }
    expect(hash('v2', 1_474_560, traits)).toBe('d45b536935d9ba5b12334ef911fe3dcf')
    expect(hash('v2', 3_145_805, traits)).toBe('6cc00a74f97fe67ec1f544afa529be13')
  })

  test('a directory is its name', () => {
    expect(directoryHash('box7', blake3)).toBe('33bd07d2a3f6472b9ee2a1a1b971b2a9')
  })
})

describe('an identity of fewer bytes', () => {
  const full = Buffer.alloc(1024 * 1024)
  test.each([
    ['nothing at all', 0, Buffer.alloc(0), Buffer.alloc(0)],
    ['a device of which nothing came', 5_000_000, Buffer.alloc(0), Buffer.alloc(0)],
    ['a short head', 5_000_000, full.subarray(1), full],
    ['no tail, as in v0 by accident', 5_000_000, full, Buffer.alloc(0)],
    ['a tail that is one byte too long', 2_097_152, full, Buffer.alloc(1024 * 1024 + 1)],
  ])('%s is refused', (_, bytes, head, tail) => {
    for (const version of ['v0', 'v1', 'v2'] as const) {
      expect(() => mediumHash(version, { bytes }, head, tail, blake3)).toThrow(ObserveError)
    }
  })
})

test('the samples are 1 MiB at either end, whole sectors from a whole sector on', () => {
  expect(samples(3_145_728)).toEqual({
    head: { start: 0, end: 1_048_576 },
    tail: { start: 2_097_152, end: 3_145_728 },
  })
  expect(samples(3_145_805).tail).toEqual({ start: 2_097_664, end: 3_145_805 })
  expect(samples(1_474_560)).toEqual({
    head: { start: 0, end: 1_048_576 },
    tail: { start: 425_984, end: 1_474_560 },
  })
  expect(samples(100)).toEqual({ head: { start: 0, end: 100 }, tail: { start: 0, end: 100 } })
})

test('traits lose what no model name needs', () => {
  expect(cleanTrait('ST3300831A   (USB)')).toBe('ST3300831A_USB')
  expect(cleanTrait(undefined)).toBe('unknown')
  expect(cleanTrait('???')).toBe('unknown')
  expect(cleanTrait('x'.repeat(80))).toHaveLength(64)
})

describe('the kind', () => {
  const at = (bytes: number, ...marks: readonly (readonly [number, string])[]): Buffer => {
    const image = Buffer.alloc(bytes)
    for (const [place, word] of marks) image.write(word, place, 'latin1')
    return image
  }
  test.each([
    ['ISO 9660', 43_122_688, at(65_536, [32_769, 'CD001']), 'optical'],
    ['a tiny ISO 9660', 358_400, at(65_536, [32_769, 'CD001']), 'optical'],
    ['UDF', 4_700_000_000, at(65_536, [32_769, 'BEA01'], [34_817, 'NSR02']), 'optical'],
    [
      'raw sectors of a CD',
      2352 * 1000,
      at(65_536, [0, '\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0']),
      'optical',
    ],
    ['1.44 MB', 1_474_560, at(65_536), 'floppy'],
    ['2.88 MB', 2_949_120, at(65_536), 'floppy'],
    ['one sector more', 2_949_632, at(65_536), 'disk'],
    ['the word in another place', 10_000_000, at(65_536, [32_768, 'CD001']), 'disk'],
    ['too few bytes to tell', 10_000_000, at(32_770), 'disk'],
  ])('%s', (_, bytes, head, kind) => {
    expect(guessKind(bytes, head)).toBe(kind)
  })
})
