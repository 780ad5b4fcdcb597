// The enumeration's file: what goes in comes out, and no damage to it goes unseen.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Entry, EntryError, VolumeReport } from '../src/model/entry.ts'
import {
  decodeRaw,
  Line,
  encodeRaw,
  readTail,
  scanRaw,
  RawCounter,
  RawError,
  type RawRecord,
  type RawTail,
} from '../src/model/raw/index.ts'

const about = { hash: 'da69350a5b27adf013e02994611cebc3', source: '/dev/sr0', writer: 'ntt 0.1.0' }

async function* inBatches(records: readonly RawRecord[], size = 100): AsyncGenerator<readonly RawRecord[]> {
  for (let at = 0; at < records.length; at += size) yield records.slice(at, at + size)
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  // One buffer for all chunks, as a reader of files may have it: whoever keeps a view of it sees rubbish.
  const shared = Buffer.alloc(Math.max(1, size))
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(shared, 0, at, at + size)
    yield shared.subarray(0, length)
    shared.fill(0xee)
  }
}

async function encoded(
  records: readonly RawRecord[],
  volumes: readonly VolumeReport[] = [],
): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of encodeRaw(inBatches(records), () => volumes, about)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function decoded(bytes: Buffer, size = 1000): Promise<{ records: RawRecord[]; tail: RawTail }> {
  const tails: RawTail[] = []
  const records: RawRecord[] = []
  for await (const some of decodeRaw(inChunks(bytes, size), (tail) => tails.push(tail))) records.push(...some)
  const [tail] = tails
  if (tail === undefined || tails.length !== 1) throw new Error(`the tail was told ${tails.length} times`)
  return { records, tail }
}

const tailOf = (bytes: Buffer): Promise<RawTail | null> =>
  readTail(async (start, end) => bytes.subarray(start, end), bytes.length)

const entry = (parts: Partial<Entry> = {}): Entry => ({
  type: 'f',
  path: Buffer.from('a/b'),
  ino: 7n,
  nlink: 1,
  size: 3,
  mtimeNs: 1_700_000_000_123_456_789n,
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  rdev: 0n,
  target: null,
  extents: null,
  ...parts,
})

const names = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.map((byte) => byte || 0x1c)))
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null })
const entries: fc.Arbitrary<Entry> = fc.record({
  type: fc.constantFrom('f', 'd', 'l', 'b', 'c', 'p', 's', '?'),
  path: names,
  ino: fc.bigInt(0n, 2n ** 64n - 1n),
  nlink: fc.nat(),
  size: fc.maxSafeNat(),
  mtimeNs: maybe(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  mode: maybe(fc.nat(0o7777)),
  uid: maybe(fc.nat(2 ** 32 - 1)),
  gid: maybe(fc.nat(2 ** 32 - 1)),
  rdev: fc.bigInt(0n, 2n ** 64n - 1n),
  target: maybe(names),
  extents: maybe(
    fc.array(
      fc.oneof(
        fc
          .record({ start: fc.nat(), length: fc.nat() })
          .map(({ start, length }) => ({ start, end: start + length })),
        fc.record({ start: fc.constant(-1), end: fc.nat() }),
      ),
      { maxLength: 4 },
    ),
  ),
})
const errors: fc.Arbitrary<EntryError> = fc.record({
  error: fc.constantFrom('EIO', 'EACCES', 'bad-name', 'reader'),
  path: names,
  message: fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '')),
})
const records: fc.Arbitrary<RawRecord> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ fs: fc.nat(200), entry: entries }) },
  { weight: 1, arbitrary: fc.record({ fs: fc.nat(200), error: errors }) },
)
const volume: VolumeReport = {
  fs: 2,
  scheme: 'dos',
  partitionType: '0x83',
  start: 1_048_576,
  bytes: 4_194_304,
  type: 'ext4',
  label: Buffer.from([0x41, 0xff, 0x00, 0x0a]),
  uuid: 'e2e5',
  outcome: 'partial',
  reason: 'names may be missing: "x"\n',
  reader: 'kernel ext4 6.1',
}

describe('a round trip', () => {
  test('gives back every record as it was, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(records, { maxLength: 30 }),
        fc.integer({ min: 1, max: 500 }),
        async (given, size) => {
          const { records: found, tail } = await decoded(await encoded(given, [volume]), size)
          expect(found).toEqual(given)
          expect(tail.volumes).toEqual([volume])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('keeps names of every byte but NUL', async () => {
    const bytes = Buffer.from(Array.from({ length: 255 }, (_, at) => at + 1))
    const given = [...bytes].map((byte, at) => ({
      fs: 0,
      entry: entry({ path: Buffer.from([byte]), ino: BigInt(at), target: Buffer.from([byte, byte]) }),
    }))
    given.push({ fs: 0, entry: entry({ path: bytes, ino: 999n }) })
    expect((await decoded(await encoded(given))).records).toEqual(given)
  })

  test('keeps times before 1970, up to 2262, and their nanoseconds', async () => {
    const times = [0n, -1n, -1_000_000_000n, -999_999_999n, 4_133_980_800_000_000_001n, 1n, 2n ** 63n - 1n]
    const given = times.map((mtimeNs, at) => ({ fs: 0, entry: entry({ mtimeNs, ino: BigInt(at) }) }))
    expect((await decoded(await encoded(given))).records).toEqual(given)
  })

  test('of nothing is a whole enumeration of nothing', async () => {
    const { records: found, tail } = await decoded(await encoded([]))
    expect(found).toEqual([])
    expect(tail).toMatchObject({ complete: true, counts: [] })
  })

  test('survives a record that is longer than many chunks', async () => {
    const extents = Array.from({ length: 30_000 }, (_, at) => ({ start: at * 8192, end: at * 8192 + 4096 }))
    const given = [
      { fs: 0, entry: entry({ extents }) },
      { fs: 0, entry: entry({ ino: 8n }) },
    ]
    expect((await decoded(await encoded(given), 4096)).records).toEqual(given)
  })
})

describe('the counts', () => {
  test('are by filesystem and kind, each inode and its bytes once', async () => {
    const given: RawRecord[] = [
      { fs: 1, entry: entry({ type: 'd', path: Buffer.alloc(0), ino: 2n, size: 0 }) },
      { fs: 1, entry: entry({ ino: 5n, nlink: 2, size: 10 }) },
      { fs: 1, entry: entry({ ino: 5n, nlink: 2, size: 10 }) },
      { fs: 1, entry: entry({ type: 'l', ino: 6n, size: 4, target: Buffer.from('/etc') }) },
      { fs: 1, error: { error: 'EIO', path: Buffer.from('lost'), message: 'Input/output error' } },
      { fs: 2, entry: entry({ ino: 5n, size: 1 }) },
      { fs: 2, entry: entry({ type: 'p', ino: 9n, size: 0 }) },
    ]
    const { tail } = await decoded(await encoded(given))
    expect(tail.counts).toEqual([
      { fs: 1, records: 4, files: 2, directories: 1, links: 1, others: 0, errors: 1, bytes: 10, inodes: 3 },
      { fs: 2, records: 2, files: 1, directories: 0, links: 0, others: 1, errors: 0, bytes: 1, inodes: 2 },
    ])
    const counter = new RawCounter()
    for (const record of given) counter.add(record)
    expect(counter.counts()).toEqual(tail.counts)
  })

  test('know the first record of each inode, and a line is its record again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { maxLength: 20 }), async (drawn) => {
        // Drawn from all 64 bits, no number would come twice.
        const given = drawn.map((record) =>
          'entry' in record
            ? { fs: record.fs % 2, entry: { ...record.entry, ino: record.entry.ino % 5n } }
            : record,
        )
        const met = new Set<string>()
        const copy = new Line()
        let at = 0
        const each = (line: Line): void => {
          const record = line.record()
          expect(record).toEqual(given[at])
          at += 1
          copy.take(record)
          expect(copy.record()).toEqual(record)
          if (!('entry' in record)) return
          const inode = `${record.fs} ${record.entry.ino}`
          expect(line.isFirst).toBe(!met.has(inode))
          met.add(inode)
        }
        for await (const read of scanRaw(inChunks(await encoded(given), 1000), each)) read satisfies number
        expect(at).toBe(given.length)
      }),
      { numRuns: 100 },
    )
  })

  test('and the content digest do not depend on the order, nor on extents', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { minLength: 2, maxLength: 20 }), async (given) => {
        const turned = given
          .toReversed()
          .map((record) =>
            'entry' in record ? { ...record, entry: { ...record.entry, extents: null } } : record,
          )
        const [one, other] = [await tailOf(await encoded(given)), await tailOf(await encoded(turned))]
        expect(other?.content).toBe(one?.content)
      }),
      { numRuns: 50 },
    )
  })

  test('any other fact changes the content digest', async () => {
    const changes: Partial<Entry>[] = [
      { type: 'd' },
      { path: Buffer.from('a/c') },
      { ino: 8n },
      { nlink: 2 },
      { size: 4 },
      { mtimeNs: 1_700_000_000_123_456_788n },
      { mode: 0o755 },
      { uid: null },
      { gid: 0 },
      { rdev: 1n },
      { target: Buffer.alloc(0) },
    ]
    const digests = await Promise.all(
      [{}, ...changes].map(
        async (parts) => (await tailOf(await encoded([{ fs: 0, entry: entry(parts) }])))?.content,
      ),
    )
    digests.push((await tailOf(await encoded([{ fs: 1, entry: entry() }])))?.content)
    expect(new Set(digests).size).toBe(changes.length + 2)
  })
})

describe('damage', () => {
  const given: RawRecord[] = [
    { fs: 0, entry: entry({ type: 'd', path: Buffer.alloc(0), ino: 2n }) },
    { fs: 0, entry: entry({ path: Buffer.from('a\nb'), extents: [{ start: 4096, end: 8192 }] }) },
    { fs: 0, error: { error: 'EIO', path: Buffer.from('x'), message: 'gone' } },
    { fs: 0, entry: entry({ type: 'l', ino: 9n, target: Buffer.from('a') }) },
  ]

  test('by a cut at any byte is told', async () => {
    const whole = await encoded(given, [volume])
    for (let length = 0; length < whole.length; length += 1) {
      const cut = whole.subarray(0, length)
      await expect(decoded(cut, 64), `${length} of ${whole.length} bytes`).rejects.toThrow(RawError)
      expect((await tailOf(cut))?.complete ?? false).toBe(false)
    }
  })

  test('by any flipped bit is told', async () => {
    const whole = await encoded(given, [volume])
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const flipped = Buffer.from(whole)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await expect(decoded(flipped), `bit ${bit & 7} of byte ${bit >> 3}`).rejects.toThrow(RawError)
    }
  })

  test('by anything behind the end is told', async () => {
    const whole = await encoded(given, [volume])
    const trailer = whole.subarray(whole.indexOf('\0# ') + 1)
    for (const more of [Buffer.from([0]), Buffer.from('f'), Buffer.alloc(100), trailer, whole]) {
      const longer = Buffer.concat([whole, more])
      for (const size of [7, 1000, 1_000_000]) await expect(decoded(longer, size)).rejects.toThrow(RawError)
      expect((await tailOf(longer))?.complete).toBe(false)
    }
  })

  test('by a record that is left out, repeated or swapped is told', async () => {
    const whole = await encoded(given)
    const at = whole.indexOf('\0! ') + 1
    const end = whole.indexOf('\0l ') + 1
    const without = Buffer.concat([whole.subarray(0, at), whole.subarray(end)])
    const twice = Buffer.concat([whole.subarray(0, end), whole.subarray(at)])
    for (const bytes of [without, twice]) await expect(decoded(bytes)).rejects.toThrow(RawError)
  })

  test('random bytes are no enumeration', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('', 'ntt-1 {', 'ntt-1 '),
        async (some, head) => {
          const bytes = Buffer.concat([Buffer.from(head), some])
          await expect(decoded(bytes, 50)).rejects.toThrow(RawError)
          expect((await tailOf(bytes))?.complete ?? false).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('a file whose digest is right', () => {
  /** Lines with their NULs; the last record is made to fit, and points to the line of that number. */
  const forged = (lines: readonly string[], trailer: number, more = ''): Buffer => {
    const body = Buffer.from(lines.map((line) => `${line}\0`).join('') + more)
    const offset = Buffer.from(
      lines
        .slice(0, trailer)
        .map((line) => `${line}\0`)
        .join(''),
    ).length
    const end = Buffer.from(`end ${String(offset).padStart(16, '0')} `)
    const digest = createHash('sha256').update(body).update(end).digest('hex')
    return Buffer.concat([body, end, Buffer.from(`${digest}\0`)])
  }
  let lines: readonly string[]
  let at: number
  beforeAll(async () => {
    const whole = await encoded(
      [
        { fs: 0, entry: entry() },
        { fs: 0, entry: entry({ ino: 8n }) },
      ],
      [volume],
    )
    lines = whole.toString('latin1').split('\0').slice(0, -2)
    at = lines.findIndex((line) => line.startsWith('# '))
  })

  test('and whose story is right is taken', async () => {
    expect((await decoded(forged(lines, at))).records).toHaveLength(2)
    expect((await tailOf(forged(lines, at)))?.complete).toBe(true)
  })

  test('is the one that sha256sum gives for all but its last 65 bytes', async () => {
    const whole = await encoded([{ fs: 0, entry: entry() }])
    const told = execFileSync('sha256sum', { input: whole.subarray(0, -65) }).toString('latin1', 0, 64)
    expect((await tailOf(whole))?.digest).toBe(told)
  })

  test.each([
    ['one record fewer than it counts', () => forged(lines.toSpliced(1, 1), at - 1)],
    [
      'the counts of another',
      () =>
        forged(
          lines.map((line) => line.replace('"files":2', '"files":1')),
          at,
        ),
    ],
    [
      'counts without a number',
      () =>
        forged(
          lines.map((line) => line.replace('"files":2', '"files":"2"')),
          at,
        ),
    ],
    ['an end that points elsewhere', () => forged(lines, at - 1)],
    ['no counts', () => forged(lines.slice(0, -1), at)],
    ['two counts', () => forged([...lines, lines.at(-1) ?? ''], at)],
    ['a volume report behind the counts', () => forged([...lines, lines[at] ?? ''], at)],
    ['a record among the volume reports', () => forged(lines.toSpliced(at + 1, 0, lines[1] ?? ''), at)],
    [
      'an outcome that there is not',
      () =>
        forged(
          lines.map((line) => line.replace('"partial"', '"fine"')),
          at,
        ),
    ],
    ['no header', () => forged(lines.slice(1), at - 1)],
    ['two headers', () => forged([lines[0] ?? '', ...lines], at + 1)],
  ])('and that has %s is refused', async (_, forge) => {
    await expect(decoded(forge())).rejects.toThrow(RawError)
  })

  test.each([
    ['something else among the volume reports', () => forged(lines.toSpliced(at + 1, 0, 'x'), at)],
    ['a volume report under another mark', () => forged(lines.with(at, `% ${lines[at]?.slice(2)}`), at)],
    ['something behind the counts', () => forged([...lines, 'x'], at)],
    ['something behind the counts that does not end', () => forged(lines, at, 'x')],
    ['no counts', () => forged(lines.slice(0, -1), at)],
    ['an end that points into the records', () => forged(lines, at - 1)],
    ['an end that points behind itself', () => forged([...lines, ...lines], 2 * lines.length)],
  ])('and that ends with %s has no tail', async (_, forge) => {
    expect((await tailOf(forge()))?.complete ?? false).toBe(false)
  })
})

describe('what cannot be written', () => {
  test.each([
    ['a zero byte in a name', { path: Buffer.from('a\0b') }],
    ['a zero byte in a link target', { target: Buffer.from('\0') }],
    ['a negative size', { size: -1 }],
    ['a fraction', { nlink: 1.5 }],
    ['a negative inode number', { ino: -1n }],
    ['an inode number of 65 bits', { ino: 2n ** 64n }],
  ])('%s is refused', async (_, parts) => {
    await expect(encoded([{ fs: 0, entry: entry(parts) }])).rejects.toThrow(RawError)
  })
})

describe('the tail', () => {
  test('is the same whether read from the end or after all records', async () => {
    const bytes = await encoded([{ fs: 2, entry: entry() }], [volume])
    expect(await tailOf(bytes)).toEqual((await decoded(bytes)).tail)
  })
  test('of an empty file or of something else is null', async () => {
    expect(await tailOf(Buffer.alloc(0))).toBeNull()
    expect(await tailOf(Buffer.from('PK\u0003\u0004 something else entirely'))).toBeNull()
  })
})

const mount = '/mnt/ntt/da69350a5b27adf013e02994611cebc3'
const old = (...fields: (string | Buffer)[]): Buffer =>
  Buffer.concat([
    ...fields.flatMap((field, at) => [Buffer.from(at === 0 ? '' : '\x1c'), Buffer.from(field)]),
    Buffer.of(0),
  ])

describe('the older formats', () => {
  test('a single filesystem: seven fields, relative to its mount point', async () => {
    const bytes = Buffer.concat([
      old('d', '1792', '1', '3', '2048', '1000000000', mount),
      old('d', '1792', '2', '2', '2048', '1000000001', `${mount}/p1`),
      old('f', '1792', '3', '1', '12', '-86400', Buffer.from(`${mount}/p1/a\x1cb\nc\\n`)),
      old('l', '1792', '4', '1', '7', '0', Buffer.from(`${mount}/\xff`, 'latin1')),
    ])
    const { records: found, tail } = await decoded(bytes, 10)
    expect(
      found.map((record) => [record.fs, 'entry' in record ? record.entry.path.toString('latin1') : '']),
    ).toEqual([
      [0, ''],
      [0, 'p1'],
      [0, 'p1/a\x1cb\nc\\n'],
      [0, '\xff'],
    ])
    expect(found[2]).toEqual({
      fs: 0,
      entry: entry({
        path: Buffer.from('p1/a\x1cb\nc\\n'),
        ino: 3n,
        size: 12,
        mtimeNs: -86_400_000_000_000n,
        mode: null,
        uid: null,
        gid: null,
      }),
    })
    expect(tail).toMatchObject({ format: 'legacy-v1', complete: false, volumes: [] })
    expect(tail.counts).toEqual([
      { fs: 0, records: 4, files: 1, directories: 2, links: 1, others: 0, errors: 0, bytes: 12, inodes: 4 },
    ])
    expect(await tailOf(bytes)).toMatchObject({
      format: 'legacy-v1',
      complete: false,
      digest: tail.digest,
      counts: [],
    })
  })

  test('several partitions, one behind the other, with equal inode numbers', async () => {
    const bytes = Buffer.concat(
      ['p1', 'p11', 'p5'].flatMap((part) => [
        old('d', '2049', '2', '3', '4096', '1', `${mount}/${part}`),
        old('f', '2049', '12', '1', '4', '1', `${mount}/${part}/f`),
      ]),
    )
    const { records: found, tail } = await decoded(bytes)
    expect(found.map(({ fs }) => fs)).toEqual([1, 1, 11, 11, 5, 5])
    expect(tail.counts.map(({ fs, inodes }) => [fs, inodes])).toEqual([
      [1, 2],
      [5, 2],
      [11, 2],
    ])
  })

  test('carved files, and a mount point of another shape', async () => {
    const carved = old('f', '1', '1', '1', '5', '1', `${mount.slice(9)}/recup_dir.1/f0001.jpg`)
    const elsewhere = Buffer.concat([
      old('d', '1', '2', '2', '0', '1', '/media/box 7'),
      old('f', '1', '3', '1', '5', '1', '/media/box 7/x'),
    ])
    expect((await decoded(carved)).records).toMatchObject([
      { fs: 0, entry: { path: Buffer.from('recup_dir.1/f0001.jpg') } },
    ])
    expect(
      (await decoded(elsewhere)).records.map((record) => 'entry' in record && record.entry.path.toString()),
    ).toEqual(['', 'x'])
  })

  test('the earliest one has permissions first: kinds are told where something proves them', async () => {
    const bytes = Buffer.concat([
      old('755', '5', '2', '3', '4096', '1', '/mnt/old'),
      old('700', '5', '3', '2', '4096', '1', '/mnt/old/dir'),
      old('644', '5', '4', '1', '9', '1', '/mnt/old/dir/file'),
      old('644', '5', '5', '1', '9', '1', '/mnt/old/dir2'),
    ])
    const { records: found, tail } = await decoded(bytes, 33)
    expect(tail.format).toBe('legacy-v0')
    expect(found.map((record) => 'entry' in record && [record.entry.type, record.entry.mode])).toEqual([
      ['d', 0o755],
      ['d', 0o700],
      ['?', 0o644],
      ['?', 0o644],
    ])
  })

  test.each([
    ['cut in the middle', (bytes: Buffer) => bytes.subarray(0, -4)],
    [
      'with a letter of no kind',
      (bytes: Buffer) => Buffer.concat([bytes, old('x', '1', '9', '1', '5', '1', `${mount}/x`)]),
    ],
    [
      'with a field too few',
      (bytes: Buffer) => Buffer.concat([bytes, old('f', '1', '9', '1', '5', `${mount}/x`)]),
    ],
    [
      'with a path from elsewhere',
      (bytes: Buffer) => Buffer.concat([bytes, old('f', '1', '9', '1', '5', '1', '/etc/passwd')]),
    ],
  ])('%s it is refused', async (_, damage) => {
    const bytes = Buffer.concat([
      old('d', '1', '2', '2', '0', '1', mount),
      old('f', '1', '3', '1', '5', '1', `${mount}/file`),
    ])
    await expect(decoded(damage(bytes))).rejects.toThrow(RawError)
  })
})
