// A connection to PostgreSQL that stays, and tells when it breaks.
import type pg from 'pg'
import { RunError } from '../../model/errors.ts'
import { Client, ask, ignoreLoss, patiently, prepare } from './connect.ts'
import { blame } from './errors.ts'

/** One connection of its own. */
export interface Session {
  /** Fires when the connection breaks by itself. */
  readonly lost: AbortSignal
  query<Row>(sql: string, params?: readonly unknown[], signal?: AbortSignal): Promise<readonly Row[]>
  end(): Promise<void>
}

export async function openSession(
  config: pg.ClientConfig,
  name: string,
  embedded: boolean,
): Promise<Session> {
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
