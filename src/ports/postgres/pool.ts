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
    end: () => pool.end(),
  }
}
