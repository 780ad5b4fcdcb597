// PostgreSQL: what a reader may not do, what a transaction promises, and what people are told when it fails.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InterruptedError, ObserveError, RunError, VerifyError } from '../../src/model/errors.ts'
import { type Database, openDatabase } from '../../src/ports/postgres.ts'
import { ask, freshDatabase } from '../support/postgres.ts'

let url: string
let database: Database

beforeAll(async () => {
  url = await freshDatabase('empty')
  await ask(url, 'create table thing (n int8 not null, name bytea)')
  database = await openDatabase({ where: url, run: 'r1' })
})
afterAll(() => database.close())

async function* chunks(...texts: readonly (string | Buffer)[]): AsyncIterable<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

async function gather(stream: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = []
  for await (const chunk of stream) all.push(chunk)
  return Buffer.concat(all).toString('latin1')
}

test('a question cannot write, and its failure means that we do not know', async () => {
  const write = database.query("insert into thing values (1, 'x')")
  await expect(write).rejects.toThrow(ObserveError)
  await expect(write).rejects.toThrow(/read-only transaction/)
  expect(await ask(url, 'select * from thing')).toEqual([])
})

test('who is busy while a part is attached may have missed it, and is not asked again', async () => {
  await ask(url, 'create table whole (id int4 not null) partition by list (id)')
  const own = await openDatabase({ where: url, run: 'r2', readers: 2 })
  const pidOf = async (more: string): Promise<number> => {
    const [row] = await own.query<{ pid: number }>(`select pg_backend_pid()::int4 as pid${more}`)
    return row?.pid ?? 0
  }
  const usedWhile = async (work: () => Promise<unknown>): Promise<boolean> => {
    const [busy] = await Promise.all([pidOf(', pg_sleep(0.5)'), work()])
    const later = await Promise.all([pidOf(', pg_sleep(0.1)'), pidOf(', pg_sleep(0.1)')])
    return later.includes(busy)
  }
  try {
    expect(await usedWhile(() => own.transaction((tx) => tx.execute('create table part (like whole)')))).toBe(
      true,
    )
    expect(await usedWhile(() => own.transaction((tx) => tx.attach('whole', 'part', 7)))).toBe(false)
    expect(await own.query('select tableoid::regclass::text as name from whole where id = 8')).toEqual([])
    await own.transaction((tx) => tx.execute('insert into whole values (7)'))
    expect(await own.query('select tableoid::regclass::text as name from whole')).toEqual([{ name: 'part' }])
  } finally {
    await own.close()
  }
})

test('values come as they are: int8 exact, bytea as bytes, times in ISO 8601 UTC', async () => {
  const [row] = await database.query(
    `select 9223372036854775807::int8 as big, '\\xff00'::bytea as bytes, 7::int4 as small, null as nothing,
            '2025-10-10 15:41:05.12+02'::timestamptz as at`,
  )
  expect(row).toEqual({
    big: '9223372036854775807',
    bytes: Buffer.from([0xff, 0]),
    small: 7,
    nothing: null,
    at: '2025-10-10T13:41:05.120Z',
  })
})

test('what COPY takes in a transaction, COPY gives back, byte for byte', async () => {
  const count = await database.transaction((tx) =>
    tx.copyIn('copy thing (n, name) from stdin', chunks('1\t\\\\xff\n2\t', '\\\\x00\n')),
  )
  expect(count).toBe(2)
  expect(await gather(database.copyOut('copy (select * from thing order by n) to stdout'))).toBe(
    '1\t\\\\xff\n2\t\\\\x00\n',
  )
  expect(await database.transaction((tx) => tx.execute('delete from thing'))).toBe(2)
})

test('a long chunk may be written over when the next one is asked for', async () => {
  const line = 64
  const block = Buffer.alloc(128 * 1024)
  async function* overwriting() {
    for (let turn = 0; turn < 300; turn += 1) {
      for (let at = 0; at < block.length; at += line)
        block.write(`${turn * 2048 + at / line}\t${'x'.repeat(line)}`.slice(0, line - 1), at, 'latin1')
      for (let at = line - 1; at < block.length; at += line) block[at] = 0x0a
      yield block
    }
  }
  await database.transaction(async (tx) => {
    await tx.execute('create table long (n int, rest text)')
    expect(await tx.copyIn('copy long from stdin', overwriting())).toBe(300 * 2048)
  })
  expect(await database.query('select count(distinct n)::int4 as n, max(n) as most from long')).toEqual([
    { n: 300 * 2048, most: 300 * 2048 - 1 },
  ])
})

test('COPY gives back rows of every length as they are, whatever else the server says in between', async () => {
  await database.transaction(async (tx) => {
    await tx.execute(`create function loud(text) returns text language plpgsql as
      'begin raise warning ''%'', length($1); return $1; end'`)
  })
  const lengths = 'select n, case when n % 500 = 0 then n * 97 else n % 301 end as length'
  const rows = `${lengths} from generate_series(1, 5000) as n`
  const text = `select loud(n || repeat('x', length) || n) as row from (${rows}) as rows order by n`
  const [expected] = await database.query<{ whole: string }>(
    `select string_agg(n || repeat('x', length) || n, e'\n' order by n) || e'\n' as whole from (${rows}) as rows`,
  )
  for (let turn = 0; turn < 3; turn += 1)
    expect((await gather(database.copyOut(`copy (${text}) to stdout`))) === expected?.whole).toBe(true)
  expect(await gather(database.copyOut('copy (select 1 where false) to stdout'))).toBe('')
})

test('a COPY that fails after many rows gives no end to who reads them', async () => {
  const rows = "select repeat('x', 100) || 1 / (n - 20000) from generate_series(1, 50000) as n"
  let bytes = 0
  const read = async () => {
    for await (const chunk of database.copyOut(`copy (${rows}) to stdout`)) bytes += chunk.length
  }
  await expect(read()).rejects.toThrow(/division by zero/)
  expect(bytes).toBeGreaterThan(100_000)
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
})

const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )

test('a transaction that fails leaves nothing, whatever failed in it', async () => {
  const insert = "insert into thing values (1, 'x')"
  const thrown = database.transaction(async (tx) => {
    await tx.execute(insert)
    throw new VerifyError('seen to be wrong')
  })
  await expect(thrown).rejects.toThrow(VerifyError)
  const refused = database.transaction(async (tx) => {
    await tx.execute(insert)
    await tx.execute('select 1/0')
  })
  await expect(refused).rejects.toThrow(RunError)
  async function* breaking() {
    yield Buffer.from('1\tx\n')
    throw new VerifyError('the source broke')
  }
  const broken = database.transaction((tx) => tx.copyIn('copy thing from stdin', breaking()))
  await expect(broken).rejects.toThrow('the source broke')
  const malformed = database.transaction((tx) => tx.copyIn('copy thing from stdin', chunks('no number\tx\n')))
  await expect(malformed).rejects.toThrow(/invalid input syntax/)
  expect(await ask(url, 'select * from thing')).toEqual([])
})

test('a statement whose failure was swallowed does not become a commit', async () => {
  const swallowed = database.transaction(async (tx) => {
    await tx.execute("insert into thing values (1, 'x')")
    await tx.execute('select 1/0').catch(() => 0)
  })
  await expect(swallowed).rejects.toThrow(RunError)
  expect(await ask(url, 'select * from thing')).toEqual([])
})

test('what was written is counted when the transaction has ended', async () => {
  await database.transaction((tx) => tx.execute('create table counted as select generate_series(1, 10)'))
  await database.transaction((tx) => tx.execute('insert into counted values (11)'))
  expect(await database.query("select n_tup_ins from pg_stat_user_tables where relname = 'counted'")).toEqual(
    [{ n_tup_ins: '11' }],
  )
})

test('the server waits for a slow reader of COPY, and stops when the reader turns away', async () => {
  const before = process.memoryUsage().rss
  let bytes = 0
  for await (const chunk of database.copyOut(
    "copy (select repeat('x', 1000) from generate_series(1, 1000000)) to stdout",
  )) {
    bytes += chunk.length
    if (bytes > 1_000_000) await new Promise((resolve) => setTimeout(resolve, 10))
    if (bytes > 3_000_000) break
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
  await expect
    .poll(() => ask(url, "select pid from pg_stat_activity where query like 'copy (select repeat%'"))
    .toEqual([])
})

test('what is interrupted ends at once, on the server too', async () => {
  const asleep = () =>
    ask(url, "select 1 from pg_stat_activity where query like '%sleep(60)%' and query not like '%like%'")
  const interrupted = async (begin: (signal: AbortSignal) => Promise<unknown>) => {
    const stop = new AbortController()
    const failed = expect(begin(stop.signal)).rejects.toThrow(InterruptedError)
    await expect.poll(asleep, { timeout: 10_000 }).toHaveLength(1)
    const began = performance.now()
    stop.abort()
    await failed
    expect(performance.now() - began).toBeLessThan(1000)
    await expect.poll(asleep, { timeout: 5000 }).toEqual([])
  }
  await interrupted((signal) => database.query('select pg_sleep(60)', [], signal))
  await interrupted((signal) =>
    database.transaction(async (tx) => void (await tx.query('select pg_sleep(60)')), signal),
  )
  await interrupted((signal) => gather(database.copyOut('copy (select pg_sleep(60)) to stdout', signal)))
})

test('a connection that is cut while it works means unknown for a question, failed for a write', async () => {
  const cut = () =>
    setTimeout(() => {
      void ask(
        url,
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ntt r1' and state <> 'idle'`,
      )
    }, 200)
  cut()
  expect(await failure(database.query('select pg_sleep(60)'))).toBeInstanceOf(ObserveError)
  cut()
  const write = database.transaction((tx) => tx.execute('select pg_sleep(60)'))
  expect(await failure(write)).toBeInstanceOf(RunError)
  cut()
  async function* slow() {
    for (let n = 0; ; n += 1) {
      yield Buffer.from(`${n}\tx\n`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const copy = database.transaction((tx) => tx.copyIn('copy thing from stdin', slow()))
  expect(await failure(copy)).toBeInstanceOf(RunError)
  cut()
  const out = gather(database.copyOut('copy (select pg_sleep(1) from generate_series(1, 60)) to stdout'))
  expect(await failure(out)).toBeInstanceOf(ObserveError)
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
})

test('a connection that is cut while idle is replaced', async () => {
  await database.query('select 1')
  await ask(url, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ntt r1'")
  await expect.poll(() => database.query('select 1 as one').catch(() => null)).toEqual([{ one: 1 }])
})

test('a bug inside a transaction stays a bug', async () => {
  const work = database.transaction(() => Promise.reject(new TypeError('not a function')))
  await expect(work).rejects.toThrow(TypeError)
})
