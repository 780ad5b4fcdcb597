// Migrations: each once, in order, whole or not at all; and no guessing about a schema that is not ours.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ObserveError, RunError } from '../../src/model/errors.ts'
import { migrate, readMigrations, readableSchema, schemaState } from '../../src/ports/migrate.ts'
import { type Database, openDatabase } from '../../src/ports/postgres.ts'
import { ask, freshDatabase, packageRoot } from '../support/postgres.ts'

let url: string
let database: Database
let folder: string
const query: Database['query'] = (sql, params) => database.query(sql, params)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ntt-migrate-'))
  url = await freshDatabase('empty')
  database = await openDatabase({ where: url, run: 'r1' })
})
afterEach(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

const write = (name: string, sql: string) => writeFileSync(join(folder, name), sql)
const read = () => readMigrations(folder)
const applied = () => ask(url, 'select version, name from ntt_migration order by version')

test("ntt's own schema goes into an empty database and is then current", async () => {
  const ours = await readMigrations(join(packageRoot, 'schemas/sql'))
  expect(await schemaState(query, ours)).toBe('none')
  await migrate(database, ours)
  expect(await schemaState(query, ours)).toBe('current')
  expect(await ask(url, 'select count(*)::int4 as n from ntt_migration')).toEqual([{ n: ours.length }])
})

test('migrations are applied once each, in order, as they are added', async () => {
  write('0001-first.sql', 'create table one (n int4);')
  await migrate(database, await read())
  write('0002-second.sql', 'alter table one add m int4; insert into one values (1, 2);')
  expect(await schemaState(query, await read())).toBe('behind')
  await migrate(database, await read())
  await migrate(database, await read())
  expect(await applied()).toEqual([
    { version: 1, name: '0001-first.sql' },
    { version: 2, name: '0002-second.sql' },
  ])
  expect(await ask(url, 'select * from one')).toEqual([{ n: 1, m: 2 }])
})

test('several that migrate at once apply each once', async () => {
  write('0001-first.sql', 'create table one (n int4); select pg_sleep(0.1);')
  write('0002-second.sql', 'insert into one values (1);')
  const migrations = await read()
  await Promise.all(Array.from({ length: 6 }, () => migrate(database, migrations)))
  expect(await ask(url, 'select * from one')).toEqual([{ n: 1 }])
})

test('a migration that fails leaves nothing of itself, and keeps those before it', async () => {
  write('0001-first.sql', 'create table one (n int4);')
  write('0002-broken.sql', 'create table two (n int4); select 1/0;')
  await expect(migrate(database, await read())).rejects.toThrow(RunError)
  expect(await applied()).toEqual([{ version: 1, name: '0001-first.sql' }])
  expect(await ask(url, "select to_regclass('two') as two")).toEqual([{ two: null }])
})

test('an applied migration that changed is refused, to look and to write', async () => {
  write('0001-first.sql', 'create table one (n int4);')
  await migrate(database, await read())
  write('0001-first.sql', 'create table one (n int8);')
  const migrations = await read()
  await expect(migrate(database, migrations)).rejects.toThrow(/an applied migration has changed/)
  await expect(readableSchema(query, migrations, 'x')).rejects.toThrow(ObserveError)
})

test('a database of a newer ntt is refused, to look and to write', async () => {
  write('0001-first.sql', 'create table one (n int4);')
  const older = await read()
  write('0002-second.sql', 'create table two (n int4);')
  await migrate(database, await read())
  await expect(migrate(database, older)).rejects.toThrow(/newer ntt/)
  await expect(readableSchema(query, older, 'x')).rejects.toThrow(ObserveError)
})

test('looking at a database without a schema makes none', async () => {
  write('0001-first.sql', 'create table one (n int4);')
  expect(await readableSchema(query, await read(), 'x')).toBe('none')
  expect(await ask(url, "select to_regclass('ntt_migration') as there")).toEqual([{ there: null }])
})

test('a gap in the numbers is a mistake of ours', async () => {
  write('0002-second.sql', 'create table two (n int4);')
  await expect(read()).rejects.toThrow('0002-second.sql: the migration before it is missing')
})
