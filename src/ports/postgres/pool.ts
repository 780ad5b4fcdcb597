// A pool of connections to PostgreSQL, each lent for the length of a call.
import pg from 'pg'
import { CopyOut } from './copy-out.ts'
import { ignoreLoss, patiently, prepare } from './connect.ts'
import { blame, type Purpose } from './errors.ts'

interface Place {
  readonly name: string
  readonly embedded: boolean
  readonly purpose: Purpose
}

/** A pool whose connections are lent for the length of a call. */
export function openPool(config: pg.PoolConfig, { name, embedded, purpose }: Place) {
  const pool = new pg.Pool({ ...config, idleTimeoutMillis: 0 })
  // A connection that breaks while nobody uses it: the pool drops it, and whoever comes next is told or gets another.
  pool.on('error', () => undefined)
  const ready = new WeakSet<pg.ClientBase>()
  const lent = new Set<pg.ClientBase>()
  /** Not to be asked again. */
  const outdated = new WeakSet<pg.ClientBase>()
  let attaching = 0

  const take = async (signal?: AbortSignal): Promise<pg.PoolClient> => {
    signal?.throwIfAborted()
    const client = await patiently(embedded, () => pool.connect())
    client.on('error', ignoreLoss)
    lent.add(client)
    if (attaching > 0) outdated.add(client)
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
    lent.delete(client)
    client.release(broken || outdated.has(client))
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
        const rows = client.query(new CopyOut(sql))
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
    /**
     * Runs what makes a new part of a table be seen, `by` one of the connections. A server process that is busy in that moment may be gathering the parts for a
     * question of its own, take the word of the new one for heard, and keep the list without it: it would find no rows there, until the
     * list changes again (PostgreSQL builds it after it has dealt with what others changed). So it is not asked again.
     */
    async whileAttaching<T>(by: pg.ClientBase, attach: () => Promise<T>): Promise<T> {
      attaching += 1
      for (const client of lent) if (client !== by) outdated.add(client)
      try {
        return await attach()
      } finally {
        attaching -= 1
      }
    },
    end: () => pool.end(),
  }
}
