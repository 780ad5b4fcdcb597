// The ledger of the store: whatever is read in whatever order, each range tells exactly what it covers; and a year on schedule.
import fc from 'fast-check'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { coverage, credit, positionOf, positions, readLedger, type SweptRange } from '../src/ledger.ts'
import type { Event, Happening } from '../src/model/event.ts'
import { openHasher } from '../src/ports/blake3.ts'
import { openDatabase, type Database } from '../src/ports/postgres.ts'
import { openStore, type Store } from '../src/ports/store/index.ts'
import { sweep } from '../src/sweep.ts'
import type { SweepHands } from '../src/sweep/hands.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { scratch } from './support/project.ts'

const dayMs = 86_400_000
const began = Date.UTC(2026, 0, 1)
const day = (count: number): Date => new Date(began + count * dayMs)

/** The same numbers every time. */
function seeded(seed: number): () => number {
  let at = seed
  return () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0
    return at / 2 ** 32
  }
}

const hex = (position: number): string => position.toString(16).padStart(12, '0')

describe('ranges', () => {
  let url: string
  let database: Database
  const query: Database['query'] = (sql, params) => database.query(sql, params)
  const blobs = Array.from({ length: 120 }, (_, at) => ({
    position: Math.floor((positions / 120) * at) + 7,
    stored: at % 10,
    size: at + 1,
  }))

  beforeAll(async () => {
    url = await freshDatabase()
    database = await openDatabase({ where: url, run: 'r' })
    for (const { position, stored, size } of blobs)
      await ask(url, 'insert into blob (blob_id, size, stored_at) values ($1, $2, $3)', [
        Buffer.from(hex(position) + '0'.repeat(52), 'hex'),
        size,
        day(stored),
      ])
  })
  afterAll(() => database.close())

  const held = (from: number, to: number, at: Date) =>
    blobs.filter((one) => one.position >= from && one.position <= to && day(one.stored) <= at)
  const sums = (some: typeof blobs) => ({
    blobs: some.length,
    bytes: some.reduce((sum, { size }) => sum + size, 0),
  })

  test('after any order of readings they cover the hash space once, and each counts what it covers', async () => {
    const reading = fc.record({
      ends: fc.tuple(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 24 })),
      run: fc.constantFrom('a', 'b', 'c'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(reading, { minLength: 1, maxLength: 8 }), async (readings) => {
        await ask(url, 'delete from swept')
        for (const [index, { ends, run }] of readings.entries()) {
          const [low, high] = ends.toSorted((a, b) => a - b) as [number, number]
          const [from, to] = [(positions / 25) * low, (positions / 25) * (high + 1) - 1].map(Math.floor) as [
            number,
            number,
          ]
          const at = day(5 + index)
          const name = `${run}${index}`
          await database.transaction((tx) =>
            credit(tx, { from, to, at: at.toISOString(), run: name, ...sums(held(from, to, at)) }),
          )
        }
        const ranges = await readLedger(query)
        expect(ranges[0]?.from).toBe(0)
        expect(ranges.at(-1)?.to).toBe(positions - 1)
        for (const [index, range] of ranges.entries()) {
          if (index > 0) expect(range.from).toBe((ranges[index - 1]?.to ?? 0) + 1)
          const expected = range.at === null ? [] : held(range.from, range.to, new Date(range.at))
          expect({ blobs: range.blobs, bytes: range.bytes }).toEqual(sums(expected))
        }
        // The last reading of a place is the one that counts.
        for (const { position } of blobs) {
          const last = readings.findLastIndex(({ ends }) => {
            const [low, high] = ends.toSorted((a, b) => a - b) as [number, number]
            return (
              position >= Math.floor((positions / 25) * low) &&
              position <= Math.floor((positions / 25) * (high + 1) - 1)
            )
          })
          const found = ranges.find(({ from, to }) => from <= position && to >= position)
          expect(found?.at ?? null).toBe(last === -1 ? null : day(5 + last).toISOString())
        }
      }),
      { numRuns: 40, seed: 7 },
    )
  })

  test('a run that goes on where it stopped has one range', async () => {
    await ask(url, 'delete from swept')
    const write = (from: number, to: number) =>
      database.transaction((tx) =>
        credit(tx, { from, to, at: day(20).toISOString(), run: 'r', blobs: 1, bytes: 2 }),
      )
    await write(0, 99)
    await write(100, 299)
    await write(300, positions - 1)
    expect(await readLedger(query)).toEqual<readonly SweptRange[]>([
      { from: 0, to: positions - 1, at: day(20).toISOString(), run: 'r', blobs: 3, bytes: 6 },
    ])
  })
})

describe('a year of daily budgets', () => {
  const maxAgeDays = 30
  let database: Database
  let store: Store
  let root: string
  let url: string
  const random = seeded(5)
  const stored = new Map<string, number>()
  /** Blob to the days on which it was read back and that was written down. */
  const read = new Map<string, number[]>()

  beforeAll(async () => {
    url = await freshDatabase()
    database = await openDatabase({ where: url, run: 'year' })
    root = scratch()
    store = openStore({ root, run: 'year', path: (place) => place, width: 2 })
  })
  afterAll(async () => {
    await store.close()
    await database.close()
  })

  const add = async (count: number, today: number): Promise<void> => {
    const rows: { blob: string; size: number }[] = []
    for (let made = 0; made < count; made += 1) {
      const bytes = Buffer.alloc(500 + Math.floor(random() * 1500), random())
      bytes.writeDoubleBE(random())
      const hasher = openHasher()
      hasher.update(bytes)
      const { blake3: blob } = hasher.digest()
      const folder = join(root, blob.slice(0, 2), blob.slice(2, 4))
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, blob), bytes)
      rows.push({ blob, size: bytes.length })
      stored.set(blob, today)
    }
    await database.transaction((tx) =>
      tx.execute(
        `insert into blob (blob_id, size, stored_at)
         select decode(b, 'hex'), s, $3::timestamptz from unnest($1::text[], $2::int8[]) as n (b, s) on conflict do nothing`,
        [rows.map(({ blob }) => blob), rows.map(({ size }) => size), day(today)],
      ),
    )
  }

  /** One night; false: it was killed before it had written down what it read. */
  const night = async (today: number, bytes: number, dies: boolean): Promise<boolean> => {
    const looked: string[] = []
    const events: Happening[] = []
    const speaker = { signal: new AbortController().signal, progress: () => undefined }
    const spoken = store.speak(speaker)
    let writes = 0
    const dyingAt = random() < 0.7 ? 1 : 2
    const hands = {
      run: `night-${today}`,
      now: () => day(today),
      seconds: () => 0,
      stopping: new AbortController().signal,
      emit: (happening: Happening) => events.push(happening),
      query: (sql: string, params?: readonly unknown[]) => database.query(sql, params),
      transaction: (work: Parameters<Database['transaction']>[0]) => {
        writes += 1
        if (dies && writes === dyingAt) return Promise.reject(new Error('killed'))
        return database.transaction(work)
      },
      store: () => ({
        ...spoken,
        path: (place: string) => place,
        text: async () => null,
        async *rehash(ids: AsyncIterable<readonly string[]>) {
          for await (const batch of spoken.rehash(ids)) {
            looked.push(...batch.map(({ id }) => id))
            yield batch
          }
        },
      }),
    } as unknown as SweepHands
    try {
      await sweep([], hands, { budget: { bytes }, maxAgeMs: maxAgeDays * dayMs })
    } catch (error) {
      expect(String(error)).toContain('killed')
    }
    const done = events.filter(
      (one): one is Extract<Event, { type: 'store.read' }> => one.type === 'store.read',
    )
    for (const blob of looked) {
      const position = hex(positionOf(blob))
      if (!done.some(({ from, to }) => from <= position && to >= position)) continue
      read.set(blob, [...(read.get(blob) ?? []), today])
    }
    return !dies
  }

  test('each content is read back on schedule, none before it is due, whatever dies and whatever is added', async () => {
    await add(600, 0)
    const perNight = (): number => {
      const total = stored.size * 1250
      // A thirtieth, and some more for nights that die and for what is added.
      return Math.ceil((total / maxAgeDays) * 1.35)
    }
    let killed = 0
    let oldestDays = 0
    const firstDays = Math.ceil(maxAgeDays)
    for (let today = 1; today <= 365; today += 1) {
      if (today % 9 === 0) await add(12, today)
      const lives = await night(today, perNight(), random() < 0.1)
      if (!lives) killed += 1
      if (today < firstDays) continue
      for (const [blob, since] of stored) {
        const last = read.get(blob)?.at(-1) ?? since
        oldestDays = Math.max(oldestDays, today - last)
      }
    }
    const early = [...read.values()].flatMap((days) =>
      days.slice(1).map((one, index) => one - (days[index] ?? 0)),
    )
    expect({ killed: killed > 20, contents: stored.size > 1000 }).toEqual({ killed: true, contents: true })
    expect(Math.min(...early)).toBeGreaterThan(maxAgeDays)
    expect(oldestDays).toBeLessThanOrEqual(maxAgeDays + 8)
    const covered = await coverage(
      (sql, params) => database.query(sql, params),
      day(365 - maxAgeDays - 8).toISOString(),
      day(365),
    )
    const recent = [...stored.values()].filter((since) => since > 365 - maxAgeDays - 8).length
    expect(covered.blobs).toBe(stored.size)
    expect(covered.fresh).toBeGreaterThanOrEqual(stored.size - recent)
    // A line for each night that has something to tell of, however many contents there are.
    expect((await readLedger((sql, params) => database.query(sql, params))).length).toBeLessThan(
      3 * maxAgeDays,
    )
  })
})
