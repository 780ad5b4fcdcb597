// A database by URL: what people are told when it cannot be reached, refuses, or goes away; and never the password.
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NttError, ObserveError, RunError } from '../../src/model/errors.ts'
import { nameOf } from '../../src/ports/postgres/errors.ts'
import { openDatabase } from '../../src/ports/postgres.ts'
import { ask } from '../support/postgres.ts'
import { type External, externalServer } from '../support/external.ts'

let server: External

beforeAll(async () => {
  server = await externalServer()
})
afterAll(() => server.remove())

const open = (where: string) => openDatabase({ where, run: 'r1' })

async function failure(where: string): Promise<NttError> {
  const error: unknown = await open(where).catch((thrown: unknown) => thrown)
  if (!(error instanceof ObserveError)) throw new Error(`not an ObserveError: ${inspect(error)}`)
  // Neither what is printed, nor the whole error with its causes as a bug would print it.
  for (const secret of [server.password, encodeURIComponent(server.password), 'wrong-secret'])
    expect(inspect(error, { depth: 10 })).not.toContain(secret)
  return error
}

test('the name of a database leaves the password out, wherever the URL has it', () => {
  expect(nameOf('postgres://me:secret@db.example:5433/ntt?sslmode=require')).toBe('me@db.example:5433/ntt')
  expect(nameOf('postgres:///ntt?host=/run/pg&user=me&password=secret')).toBe('me@/run/pg/ntt')
  expect(nameOf('postgresql://me@%2Frun%2Fpg/ntt')).toBe('me@/run/pg/ntt')
})

test('a session shows its run, and the server watches whether we are still there', async () => {
  const database = await open(server.url())
  const [row] = await database.query(
    `select current_setting('application_name') as name, current_setting('client_connection_check_interval') as watch,
            current_setting('transaction_read_only') as read_only`,
  )
  expect(row).toEqual({ name: 'ntt r1', watch: '1s', read_only: 'on' })
  await database.close()
})

test('a wrong password is told as such', async () => {
  const error = await failure(server.url({ password: 'wrong-secret' }))
  expect(error.message).toMatch(
    /^cannot ask the database archivist@127\.0\.0\.1:\d+\/postgres: password auth/,
  )
  expect(error.hint).toMatch(/password/)
})

test('a database that is not there is told as such', async () => {
  const error = await failure(server.url({ database: 'nowhere' }))
  expect(error.message).toContain('"nowhere" does not exist')
  expect(error.hint).toMatch(/createdb/)
})

test('a server that is not there, a name that is none and a URL that is none are told apart', async () => {
  expect((await failure('postgres://me:wrong-secret@127.0.0.1:1/ntt')).hint).toMatch(/server running/)
  expect((await failure('postgres://me:wrong-secret@localhost:1/ntt')).message).toMatch(/ECONNREFUSED/)
  expect((await failure('postgres://me:wrong-secret@no-such-host.invalid/ntt')).message).toMatch(
    /no-such-host/,
  )
  expect((await failure('postgres:///ntt?host=/nowhere&password=wrong-secret')).hint).toMatch(
    /server running/,
  )
  expect((await failure('mysql://me:wrong-secret@h/ntt')).hint).toBe('postgres://user@host:5432/database')
  expect((await failure('postgres://me:wrong-secret@h:port/ntt')).message).toBe('the database URL is not one')
})

test('a role that may only look can look, and is told when it may not even that', async () => {
  await ask(server.url(), "create role looker login password 'wrong-secret'")
  await ask(server.url(), 'create table shown (n int4)')
  await ask(server.url(), 'grant select on shown to looker')
  await ask(server.url(), 'create table hidden (n int4)')
  const database = await open(server.url().replace(/archivist:[^@]*/, 'looker:wrong-secret'))
  expect(await database.query('select * from shown')).toEqual([])
  await expect(database.query('select * from hidden')).rejects.toMatchObject({
    tag: 'observe',
    hint: expect.stringContaining('privilege'),
  })
  await database.close()
})

test('a server that goes away is unknown to a question and a failure to a write, until it is back', async () => {
  const database = await open(server.url())
  await server.kill()
  // A session that was idle may answer once more before it notices that its server is dead.
  const asked = () => database.query('select 1').catch((error: unknown) => error)
  await expect.poll(asked).toBeInstanceOf(ObserveError)
  await expect(database.transaction((tx) => tx.execute('select 1'))).rejects.toThrow(RunError)
  await server.start()
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
  await database.close()
})

test('a server that takes connections and never answers is unknown after ten seconds', async () => {
  server.pause()
  try {
    expect((await failure(server.url())).hint).toMatch(/server running/)
  } finally {
    server.resume()
  }
})
