// The parts that make rows: directories get one number each, inodes are met once, and sums do not depend on order or chunks.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ObserveError } from '../../src/model/errors.ts'
import { halvesOf, signed, unsigned } from '../../src/model/halves.ts'
import { InodeSet } from '../../src/model/inodes.ts'
import { openHasher } from '../../src/ports/blake3.ts'
import { Sum } from '../../src/model/sum.ts'
import { Directories } from '../../src/stages/load/directories.ts'
import { Pipe } from '../../src/stages/load/pipe.ts'
import { anyOrder, inOrder } from '../../src/stages/load/marks.ts'
import { markTuples, Tuples } from '../../src/stages/load/tuples.ts'

const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'c\xff', ''), { maxLength: 5 })
  .map((parts) => parts.join('/'))
const asked = fc.array(fc.tuple(fc.nat(2), path), { maxLength: 200 })

describe('directories', () => {
  test('have one number each, and no two have the same, while all are remembered', () => {
    fc.assert(
      fc.property(asked, (questions) => {
        const directories = new Directories()
        const known = new Map<string, number>()
        for (const [fs, name] of questions) {
          const bytes = Buffer.from(`${name}/entry`, 'latin1')
          const { dir, fresh } = directories.number(fs, bytes, 0, bytes.length - 6)
          const key = `${fs} ${name}`
          expect(fresh).toBe(!known.has(key))
          expect(dir).toBe(known.get(key) ?? known.size + 1)
          known.set(key, dir)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('never share a number, however little is remembered', () => {
    fc.assert(
      fc.property(asked, fc.nat(4), (questions, limit) => {
        const directories = new Directories(limit)
        const named = new Map<number, string>()
        for (const [fs, name] of questions) {
          const bytes = Buffer.from(name, 'latin1')
          const { dir, fresh } = directories.number(fs, bytes, 0, bytes.length)
          if (fresh) expect(named.has(dir)).toBe(false)
          else expect(named.get(dir)).toBe(`${fs} ${name}`)
          named.set(dir, `${fs} ${name}`)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('are met once in the order of a walk, however little is remembered', () => {
    const directories = new Directories(3)
    const met: number[] = []
    const walk = (name: string, depth: number): void => {
      const bytes = Buffer.from(name)
      // A file before and after each directory below: its own directory must still be known.
      for (const child of ['', 'x', 'yy', 'z']) {
        const { dir, fresh } = directories.number(0, bytes, 0, bytes.length)
        if (fresh) met.push(dir)
        if (child !== '' && depth > 0) walk(name === '' ? child : `${name}/${child}`, depth - 1)
      }
    }
    walk('', 5)
    expect(met).toEqual(Array.from({ length: (3 ** 6 - 1) / 2 }, (_, at) => at + 1))
  })
})

test('an inode is met for the first time once, whatever its number', () => {
  const number = fc.oneof(
    fc.bigInt(0n, 200n),
    fc.bigInt(2n ** 32n - 50n, 2n ** 32n + 50n),
    fc.tuple(fc.bigInt(0n, 50n), fc.bigInt(0n, 9n)).map(([low, high]) => (high << 37n) + low),
    fc.bigInt(0n, 2n ** 64n - 1n),
  )
  fc.assert(
    fc.property(fc.array(number, { maxLength: 3000, size: 'max' }), (numbers) => {
      const [set, known] = [new InodeSet(), new Set<bigint>()]
      for (const ino of numbers) {
        expect(set.has(ino)).toBe(known.has(ino))
        expect(set.add(ino)).toBe(!known.has(ino))
        known.add(ino)
      }
      expect(set.size).toBe(known.size)
    }),
    { numRuns: 20 },
  )
})

test('numbers that somebody chose so that they meet in the table take no longer than others', () => {
  const set = new InodeSet()
  const began = performance.now()
  // With a factor that anybody can look up these fell on one slot: 80,000 of them took 24 seconds.
  for (let high = 1; high <= 40_000; high += 1) {
    const leaf = (BigInt(high) << 32n) | BigInt(Math.imul(high, 0x9e3779b1) >>> 0)
    set.add(BigInt.asUintN(64, leaf << 7n))
  }
  expect(set.size).toBe(40_000)
  expect(performance.now() - began).toBeLessThan(3000)
})

/** Bytes of memory for each number that `fill` brings, those of tables that were given up for larger ones included. */
function bytesEach(fill: (set: InodeSet, at: number) => void): number {
  const before = process.memoryUsage().arrayBuffers
  const set = new InodeSet()
  for (let at = 0; at < 2_000_000; at += 1) fill(set, at)
  expect(set.has(0n)).toBe(false)
  return (process.memoryUsage().arrayBuffers - before) / set.size
}

test('a met inode costs less than half a byte where numbers come in clumps, and some forty where they are scattered', () => {
  expect(bytesEach((set, at) => set.addHalves(0, 1 + at + Math.floor(at / 300) * 50))).toBeLessThan(0.5)
  // The odd ones among them: one of twenty, as of files with several names.
  expect(bytesEach((set, at) => set.addHalves(0, 1 + at * 20))).toBeLessThan(8)
  expect(
    bytesEach((set, at) => set.addHalves(Math.imul(at, 0x9e3779b1) >>> 0, 1 + Math.imul(at, 0x85ebca6b))),
  ).toBeLessThan(60)
})

test('halves are those of the number, and make it again', () => {
  const bytes = Buffer.alloc(8)
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), (number) => {
      const { high, low } = halvesOf(number)
      bytes.writeBigUInt64BE(BigInt.asUintN(64, number))
      expect([high, low]).toEqual([bytes.readUInt32BE(0), bytes.readUInt32BE(4)])
      expect(unsigned(high, low)).toBe(BigInt.asUintN(64, number))
      expect(signed(high, low)).toBe(BigInt.asIntN(64, number))
    }),
    { numRuns: 1000 },
  )
})

const member = fc.uint8Array({ maxLength: 20 })
const sumOf = (members: readonly Uint8Array[]): string => {
  const sum = new Sum()
  for (const bytes of members) sum.take(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length).close()
  return sum.hex()
}

describe('a sum', () => {
  test('does not depend on the order of its members', () => {
    fc.assert(
      fc.property(fc.array(member), fc.nat(), (members, turn) => {
        const at = members.length === 0 ? 0 : turn % members.length
        expect(sumOf([...members.slice(at), ...members.slice(0, at)])).toBe(sumOf(members))
      }),
    )
  })

  test('changes with any bit of a member, with one left out, and with one moved from row to row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 2 }),
        fc.nat(),
        (members, turn) => {
          const whole = sumOf(members)
          const at = turn % members.length
          expect(sumOf(members.toSpliced(at, 1))).not.toBe(whole)
          const changed = Uint8Array.from(members[at] ?? [])
          changed[turn % changed.length] = (changed[turn % changed.length] ?? 0) ^ (1 << (turn & 7))
          expect(sumOf(members.with(at, changed))).not.toBe(whole)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('tells members apart that are nothing but zeros', () => {
    const sums = Array.from({ length: 50 }, (_, length) => sumOf([new Uint8Array(length)]))
    expect(new Set(sums).size).toBe(50)
  })

  test('of a million numbered members meets no other of a million that differ in one', () => {
    const sums = new Set<string>()
    const bytes = new DataView(new ArrayBuffer(12))
    for (let at = 0; at < 1_000_000; at += 1) {
      bytes.setUint32(4, at)
      const sum = new Sum()
      sum.take(bytes, 0, 12).close()
      sums.add(sum.hex())
    }
    expect(sums.size).toBe(1_000_000)
  })
})

describe('tuples', () => {
  const rows = fc.array(
    fc.tuple(
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      fc.option(fc.uint8Array({ maxLength: 30 })),
      fc.maxSafeNat(),
    ),
  )
  test('have the same sum when they are made and when they are read, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 64 }), async (given, size) => {
        const tuples = new Tuples(3, anyOrder())
        for (const [number, bytes, count] of given) {
          const { high, low } = halvesOf(number)
          const row = tuples.open(bytes?.length ?? 0).int8(high, low)
          if (bytes === null) row.nothing()
          else row.bytes(Buffer.from(bytes))
          row.count(count).close()
        }
        const all = Buffer.concat([...tuples.end()])
        const read = await markTuples(
          (async function* () {
            for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size)
          })(),
          anyOrder(),
        )
        expect(read).toEqual(tuples.told)
        expect(read.members).toBe(given.length)
      }),
    )
  })

  test('have the hash of their whole stream when they are marked in their order', () => {
    const [one, other] = [new Tuples(1, inOrder(openHasher())), new Tuples(1, inOrder(openHasher()))]
    const stream = openHasher()
    for (let at = 0; at < 40_000; at += 1) {
      one.open(0).int4(at).close()
      other
        .open(0)
        .int4(at === 20_000 ? 0 : at)
        .close()
    }
    for (const block of one.end()) stream.update(block)
    other.end()
    expect(one.told).toEqual({ members: 40_000, mark: stream.digest().blake3.slice(0, 32) })
    expect(other.told.mark).not.toBe(one.told.mark)
  })

  test.each([0, 5, 19, 20, 21, 30])('that end after %i bytes are not taken for all', async (length) => {
    const tuples = new Tuples(1, anyOrder())
    tuples.open(0).int4(7).close()
    const all = Buffer.concat([...tuples.end()])
    expect(all.length).toBe(31)
    const cut = (async function* () {
      yield all.subarray(0, length)
    })()
    await expect(markTuples(cut, anyOrder())).rejects.toThrow(ObserveError)
  })
})

test('a block is used again when it was given back, and not when it is short', () => {
  const tuples = new Tuples(1, inOrder({ update: () => undefined, digest: () => ({ blake3: '', bytes: 0 }) }))
  const fill = (): readonly Buffer[] => {
    for (;;) {
      const full = tuples.take()
      if (full.length > 0) return full
      tuples.open(4).bytes(Buffer.from('name')).close()
    }
  }
  const [first] = fill()
  const [second] = fill()
  if (first === undefined || second === undefined) throw new Error('no block is full')
  expect(second.buffer).not.toBe(first.buffer)
  tuples.giveBack(first)
  tuples.giveBack(second.subarray(0, 1000))
  fill()
  const [third] = fill()
  expect(third?.buffer).toBe(first.buffer)
  expect(fill()[0]?.buffer).not.toBe(second.buffer)
})

describe('a pipe', () => {
  test('tells of each block when it is done with', async () => {
    const done: Buffer[] = []
    const pipe = new Pipe((block) => void done.push(block))
    const blocks = [Buffer.from('a'), Buffer.from('b')]
    await pipe.put(blocks)
    pipe.end()
    let taken = 0
    for await (const block of pipe) {
      expect(done).toEqual(blocks.slice(0, taken))
      expect(block).toBe(blocks[taken])
      taken += 1
    }
    expect(done).toEqual(blocks)
  })

  test('hands over everything in order, and keeps few', async () => {
    const pipe = new Pipe(() => undefined)
    let put = 0
    const putting = (async () => {
      for (; put < 100; put += 1) await pipe.put([Buffer.from([put])])
      pipe.end()
    })()
    const taken: number[] = []
    for await (const [byte = -1] of pipe) {
      taken.push(byte)
      expect(put - taken.length).toBeLessThan(20)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await putting
    expect(taken).toEqual(Array.from({ length: 100 }, (_, at) => at))
  })

  test('that fails reaches the side that waits, either way', async () => {
    const [full, empty] = [new Pipe(() => undefined), new Pipe(() => undefined)]
    const blocks = Array.from({ length: 30 }, () => Buffer.alloc(1))
    const putting = full.put(blocks)
    const taking = (async () => {
      for await (const block of empty) expect(block).toBeNull()
    })()
    full.fail(new Error('first'))
    full.fail(new Error('second'))
    empty.fail(new Error('first'))
    await expect(putting).rejects.toThrow('first')
    await expect(taking).rejects.toThrow('first')
  })
})
