// One connection to PostgreSQL: opened with patience, set up for what it is for, and asked.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { errnoOf } from '../../model/errors.ts'
import { willPass, type Purpose } from './errors.ts'

/** How long a server may take to come back or up, and how long a connection may take to open. */
const patienceMs = 10_000

/** Opening a connection may take so long and no longer; waiting for a free one of the pool has no limit. */
export class Client extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: patienceMs })
  }
}

/** The next query on a broken connection fails and says so; the event alone must not end the process. */
export const ignoreLoss = () => undefined

/** Tries again while a server is starting, stopping or recovering: the embedded one for every such sign, others by their word. */
export async function patiently<T>(embedded: boolean, connect: () => Promise<T>): Promise<T> {
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
export async function prepare(client: pg.ClientBase, purpose: Purpose, embedded: boolean): Promise<void> {
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

export async function ask<Row>(
  client: pg.ClientBase,
  sql: string,
  params: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const { rows } = await client.query<Row & pg.QueryResultRow>(sql, [...params])
  return rows
}
