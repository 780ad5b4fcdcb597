// PostgreSQL: questions in read-only sessions, transactions in others. The only importer of pg.
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { ObserveError, RunError, errnoOf } from '../model/errors.ts'
import type { Transaction } from '../model/world.ts'
import { type Purpose, blame, nameOf, willPass } from './postgres-errors.ts'
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

/** One connection of its own. */
export interface Session {
  /** Fires when the connection breaks by itself. */
  readonly lost: AbortSignal
  query<Row>(sql: string, params?: readonly unknown[], signal?: AbortSignal): Promise<readonly Row[]>
  end(): Promise<void>
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
/** How long a server may take to come back or up, and how long a connection may take to open. */
const patienceMs = 10_000

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

/** Opening a connection may take so long and no longer; waiting for a free one of the pool has no limit. */
class Client extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: patienceMs })
  }
}

function configOf(where: string | Address): { name: string; embedded: boolean; config: pg.ClientConfig } {
  if (typeof where !== 'string') {
    const { socket: host, port, user, database } = where
    return {
      name: 'of this project',
      embedded: true,
      config: { host, port, user, database, ssl: false },
    }
  }
  if (!/^postgres(ql)?:/.test(where) || !URL.canParse(where))
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
    transaction: (work, signal) => writing.lend((client) => transact(client, work), signal),
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

interface Place {
  readonly name: string
  readonly embedded: boolean
  readonly purpose: Purpose
}

/** A pool whose connections are lent for the length of a call. */
function openPool(config: pg.PoolConfig, { name, embedded, purpose }: Place) {
  const pool = new pg.Pool({ ...config, idleTimeoutMillis: 0 })
  // A connection that breaks while nobody uses it: the pool drops it, and whoever comes next is told or gets another.
  pool.on('error', () => undefined)
  const ready = new WeakSet<pg.ClientBase>()

  const take = async (signal?: AbortSignal): Promise<pg.PoolClient> => {
    signal?.throwIfAborted()
    const client = await patiently(embedded, () => pool.connect())
    client.on('error', ignoreLoss)
    try {
      if (!ready.has(client)) await prepare(client, purpose, embedded)
      ready.add(client)
      signal?.throwIfAborted()
      return client
    } catch (error) {
      give(client, true)
      throw error
    }
  }
  const give = (client: pg.PoolClient, broken: boolean) => {
    client.off('error', ignoreLoss)
    client.release(broken)
  }

  return {
    async lend<T>(use: (client: pg.PoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
      let client: pg.PoolClient | null = null
      const stop = () => void client?.end()
      try {
        client = await take(signal)
        signal?.addEventListener('abort', stop)
        const result = await use(client)
        give(client, signal?.aborted ?? false)
        return result
      } catch (error) {
        if (client) give(client, true)
        throw blame(error, name, purpose, signal)
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },
    async *copyOut(sql: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
      let client: pg.PoolClient | null = null
      let whole = false
      try {
        client = await take(signal)
        const rows = client.query(copyTo(sql))
        // What fails after we have turned away concerns nobody.
        rows.on('error', ignoreLoss)
        const stop = () => void rows.destroy(new Error('stopped'))
        signal?.addEventListener('abort', stop)
        try {
          for await (const chunk of rows) yield chunk
        } finally {
          signal?.removeEventListener('abort', stop)
        }
        whole = true
      } catch (error) {
        throw blame(error, name, purpose, signal)
      } finally {
        if (client) give(client, !whole)
      }
    },
    end: () => pool.end(),
  }
}

/** The next query on a broken connection fails and says so; the event alone must not end the process. */
const ignoreLoss = () => undefined

/** Tries again while a server is starting, stopping or recovering: the embedded one for every such sign, others by their word. */
async function patiently<T>(embedded: boolean, connect: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return await connect()
    } catch (error) {
      const again = embedded ? willPass(error) : errnoOf(error) === '57P03'
      if (!again || performance.now() > deadline) throw error
      await sleep(50)
    }
  }
}

/** Settings of a session. By statements, not at start-up: connection poolers refuse those. */
async function prepare(client: pg.ClientBase, purpose: Purpose, embedded: boolean): Promise<void> {
  await client.query(
    `set timezone = 'UTC'; set datestyle = 'ISO'; set bytea_output = 'hex'; set extra_float_digits = 1;
     set synchronize_seqscans = off; set default_transaction_read_only = ${purpose === 'look' ? 'on' : 'off'}`,
  )
  if (embedded) return
  // The server then notices within a second that we are gone, even inside a long query (some platforms cannot).
  await client.query("set client_connection_check_interval = '1s'").catch((error: unknown) => {
    if (errnoOf(error) !== '22023') throw error
  })
}

async function ask<Row>(
  client: pg.ClientBase,
  sql: string,
  params: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const { rows } = await client.query<Row & pg.QueryResultRow>(sql, [...params])
  return rows
}

async function transact<T>(client: pg.ClientBase, work: (tx: Transaction) => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    const result = await work({
      query: (sql, params) => ask(client, sql, params),
      execute: async (sql, params = []) => (await client.query(sql, [...params])).rowCount ?? 0,
      async copyIn(sql, source) {
        const rows = client.query(copyFrom(sql))
        await pipeline(Readable.from(source), rows)
        return rows.rowCount
      },
    })
    // The counters of written rows, by which later looks tell whether a table changed, would else lag by seconds. And where
    // a failed statement was swallowed, this one fails: COMMIT alone would roll back and call that a success.
    await client.query('select pg_stat_force_next_flush()')
    await client.query('commit')
    return result
  } catch (error) {
    // Roll back at once, so that its locks are free when the caller hears of it; a broken connection has done so.
    await client.query('rollback').catch(ignoreLoss)
    throw error
  }
}

async function openSession(config: pg.ClientConfig, name: string, embedded: boolean): Promise<Session> {
  const lost = new AbortController()
  let ending = false
  let client: pg.Client | null = null
  try {
    client = await patiently(embedded, async () => {
      const fresh = new Client(config)
      fresh.on('error', ignoreLoss)
      await fresh.connect()
      return fresh
    })
    client.on('end', () => {
      if (!ending) lost.abort(new RunError(`the connection to the database ${name} was lost`))
    })
    await prepare(client, 'write', embedded)
  } catch (error) {
    ending = true
    await client?.end()
    throw blame(error, name, 'write')
  }
  const session = client
  return {
    lost: lost.signal,
    async query(sql, params, signal) {
      const stop = () => void session.end()
      signal?.addEventListener('abort', stop)
      try {
        signal?.throwIfAborted()
        return await ask(session, sql, params)
      } catch (error) {
        throw blame(error, name, 'write', signal)
      } finally {
        signal?.removeEventListener('abort', stop)
      }
    },
    async end() {
      ending = true
      await session.end()
    },
  }
}
