// PostgreSQL: what a reader may not do, what a transaction promises, and what people are told when it fails.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ObserveError } from '../../src/model/errors.ts'
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
