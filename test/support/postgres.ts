// One embedded server for all tests of a run, and a new database for whoever asks.
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { migrate, readMigrations } from '../../src/ports/migrate.ts'
import { openDatabase } from '../../src/ports/postgres.ts'
import { type Server, openServer } from '../../src/ports/server/index.ts'
import { sharedFolder } from './shared-server.ts'

export const packageRoot = join(import.meta.dirname, '../..')

/** The server, joined once by each worker; the kernel takes the worker's share back when it ends. */
let joined: Promise<Server> | null = null
const server = (): Promise<Server> =>
  (joined ??= openServer({
    directory: join(sharedFolder() ?? mkdtempSync(join(tmpdir(), 'ntt-test-')), 'postgres'),
    packageRoot,
    signal: new AbortController().signal,
  }))

const urlOf = ({ socket, port, user }: Server, database: string): string =>
  `postgres://${user}@${encodeURIComponent(socket)}:${port}/${database}`

const template = 'ntt_template'

/** Makes the database that others are copied from, once a run. */
async function prepareTemplate(at: Server): Promise<void> {
  const admin = await openDatabase({ where: urlOf(at, at.database), run: 'test' })
  const lock = await admin.session('template')
  try {
    await lock.query('select pg_advisory_lock(1)')
    const there = await lock.query('select 1 from pg_database where datname = $1', [template])
    if (there.length > 0) return
    await lock.query(`drop database if exists ${template}_part`)
    await lock.query(`create database ${template}_part`)
    const fresh = await openDatabase({ where: urlOf(at, `${template}_part`), run: 'test' })
    try {
      await migrate(fresh, await readMigrations(join(packageRoot, 'schemas/sql')))
    } finally {
      await fresh.close()
    }
    await lock.query(`alter database ${template}_part rename to ${template}`)
  } finally {
    await lock.end()
    await admin.close()
  }
}

const made: string[] = []
afterAll(async () => {
  if (made.length === 0) return
  const at = await server()
  for (const name of made.splice(0))
    await ask(urlOf(at, at.database), `drop database if exists ${name} with (force)`)
})

/** URL of a new database; `empty`: without ntt's schema. It goes when the file's tests have ended. */
export async function freshDatabase(kind: 'schema' | 'empty' = 'schema'): Promise<string> {
  const at = await server()
  if (kind === 'schema') await prepareTemplate(at)
  const name = `t_${randomBytes(6).toString('hex')}`
  made.push(name)
  await ask(
    urlOf(at, at.database),
    `create database ${name} template ${kind === 'schema' ? template : 'template0'}`,
  )
  return urlOf(at, name)
}

/** One statement on a connection of its own: for looking at what the code under test left, or for spoiling it. */
export async function ask<Row = Record<string, unknown>>(
  url: string,
  sql: string,
  params: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const database = await openDatabase({ where: url, run: 'test' })
  const session = await database.session('ask')
  try {
    return await session.query<Row>(sql, params)
  } finally {
    await session.end()
    await database.close()
  }
}
