// PostgreSQL: questions in read-only sessions, transactions in others.
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { ObserveError } from '../model/errors.ts'
import { quoted } from '../model/partition.ts'
import type { Transaction } from '../model/world.ts'
import { Client, ask, ignoreLoss } from './postgres/connect.ts'
import { nameOf } from './postgres/errors.ts'
import { openPool } from './postgres/pool.ts'
import { openSession, type Session } from './postgres/session.ts'
import type { Address } from './server/index.ts'

/**
 * A database. Rows are plain JSON but for `bytea`, which is a Buffer: `int8`, `numeric` and `count(*)` come as strings
 * (exact; cast to `int4` or `float8` for numbers), `timestamptz` as ISO 8601 in UTC.
 */
export interface Database {
  /** User, host and database, for messages; without a password. */
  readonly name: string
  /** One question, in a session that the server holds to reading. */
  query<Row>(sql: string, params?: readonly unknown[], signal?: AbortSignal): Promise<readonly Row[]>
  /** `COPY (…) TO STDOUT` in such a session; the server waits for a slow reader. */
  copyOut(sql: string, signal?: AbortSignal): AsyncIterable<Buffer>
  /** Work in one transaction; rolled back if it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** A connection that stays, for locks that live as long as it does. */
  session(purpose: string): Promise<Session>
  /** Waits for what is running, then closes all connections. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** A PostgreSQL URL, or where the embedded server listens. */
  readonly where: string | Address
  /** The run; the server shows it as `ntt <run>`. */
  readonly run: string
  /** The most connections of each sort. A stage may hold several at once, so it must exceed the lanes by a factor. */
  readonly readers?: number
  readonly writers?: number
}

const oldest = 150000
/** `2025-10-10 15:41:05.12+00` as ISO 8601, to the server's precision and at least to milliseconds. */
const isoTime = (text: string): string => {
  const [, date, time, fraction = ''] = /^(\d+-\d+-\d+) ([\d:]+)(?:\.(\d+))?\+00$/.exec(text) ?? []
  return date === undefined ? text : `${date}T${time}.${fraction.padEnd(3, '0')}Z`
}

const types: pg.CustomTypesConfig = {
  // oxlint-disable-next-line typescript/no-unsafe-return -- pg's parsers are untyped
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.TIMESTAMPTZ ? isoTime : pg.types.getTypeParser(oid, format),
}

export const isDatabaseUrl = (text: string): boolean => /^postgres(ql)?:/.test(text) && URL.canParse(text)

function configOf(where: string | Address): { name: string; embedded: boolean; config: pg.ClientConfig } {
  if (typeof where !== 'string') {
    const { socket: host, port, user, database } = where
    return {
      name: 'of this project',
      embedded: true,
      config: { host, port, user, database, ssl: false },
    }
  }
  if (!isDatabaseUrl(where))
    throw new ObserveError('the database URL is not one', { hint: 'postgres://user@host:5432/database' })
  return { name: nameOf(where), embedded: false, config: { connectionString: where, keepAlive: true } }
}

/** Opens pools to a database and asks it for its version. */
export async function openDatabase({
  where,
  run,
  readers = 16,
  writers = 32,
}: DatabaseOptions): Promise<Database> {
  const { name, embedded, config } = configOf(where)
  const common = { ...config, types, Client, application_name: `ntt ${run}` }
  const looking = openPool({ ...common, max: readers }, { name, embedded, purpose: 'look' })
  const writing = openPool({ ...common, max: writers }, { name, embedded, purpose: 'write' })

  const database: Database = {
    name,
    query: (sql, params, signal) => looking.lend((client) => ask(client, sql, params), signal),
    copyOut: (sql, signal) => looking.copyOut(sql, signal),
    transaction: (work, signal) =>
      writing.lend(
        (client) =>
          transact(client, work, (commit) =>
            looking.whileAttaching(client, () => writing.whileAttaching(client, commit)),
          ),
        signal,
      ),
    session: (purpose) =>
      openSession({ ...common, application_name: `ntt ${run} ${purpose}` }, name, embedded),
    async close() {
      await Promise.all([looking.end(), writing.end()])
    },
  }
  try {
    const [row] = await database.query<{ version: number }>(
      "select current_setting('server_version_num')::int4 as version",
    )
    if (row === undefined || row.version < oldest)
      throw new ObserveError(
        `the database ${name} is PostgreSQL ${Math.floor((row?.version ?? 0) / 10_000)}`,
        { hint: 'ntt needs PostgreSQL 15 or newer.' },
      )
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** `attaching`: runs a commit by which tables get parts. */
async function transact<T>(
  client: pg.ClientBase,
  work: (tx: Transaction) => Promise<T>,
  attaching: (commit: () => Promise<unknown>) => Promise<unknown>,
): Promise<T> {
  let attaches = false
  await client.query('begin')
  try {
    const result = await work({
      query: (sql, params) => ask(client, sql, params),
      execute: async (sql, params = []) => (await client.query(sql, [...params])).rowCount ?? 0,
      async copyIn(sql, source) {
        const rows = client.query(copyFrom(sql))
        // No stream in between: after a chunk that is larger than what a socket buffers, all of it is waited for.
        await pipeline(source, rows)
        return rows.rowCount
      },
      async attach(parent, part, mediumId) {
        attaches = true
        await client.query(
          `alter table ${quoted(parent)} attach partition ${quoted(part)} for values in (${Math.trunc(mediumId)})`,
        )
      },
    })
    // The counters of written rows, by which later looks tell whether a table changed, would else lag by seconds. And where
    // a failed statement was swallowed, this one fails: COMMIT alone would roll back and call that a success.
    await client.query('select pg_stat_force_next_flush()')
    const commit = () => client.query('commit')
    await (attaches ? attaching(commit) : commit())
    return result
  } catch (error) {
    // Roll back at once, so that its locks are free when the caller hears of it; a broken connection has done so.
    await client.query('rollback').catch(ignoreLoss)
    throw error
  }
}
