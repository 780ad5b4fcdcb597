// One exclusive hold of each medium: a lock that the server frees when its holder dies, and a row that says whose it is.
import { instant } from '../model/instant.ts'
import { LockedError, RunError } from '../model/errors.ts'
import type { Holder } from '../model/watch.ts'
import type { Transaction } from '../model/world.ts'
import type { Database } from './postgres.ts'
import type { Session } from './postgres/session.ts'

/** A medium that is ours. */
export interface Hold {
  /** Fires when the connection that holds the lock breaks: from then on another may have the medium. */
  readonly signal: AbortSignal
  /** Throws inside `tx` if another has taken the medium since; until `tx` ends nobody can. */
  fence(tx: Transaction): Promise<void>
  release(): Promise<void>
}

export interface HoldOptions {
  /** The medium_hash. */
  readonly hash: string
  /** The medium as people call it. */
  readonly name: string
  readonly run: string
  readonly host: string
  readonly pid: number
  readonly signal: AbortSignal
  /** Wait for whoever holds it, having been told who; otherwise that is a LockedError. */
  readonly wait?: (holder: string) => void
}

/** Takes the medium, or says who has it. */
export async function holdMedium(database: Database, options: HoldOptions): Promise<Hold> {
  const { hash, name, signal } = options
  const session = await database.session('lock')
  try {
    await take(session, options)
    // The number only grows: whoever held the medium before can tell that it no longer does.
    const [lease] = await session.query<{ epoch: string }>(
      `insert into lease as l (medium_hash, epoch, run, host, pid, since) values ($1, 1, $2, $3, $4, now())
       on conflict (medium_hash) do update set epoch = l.epoch + 1, run = $2, host = $3, pid = $4, since = now()
       returning epoch`,
      [hash, options.run, options.host, options.pid],
      signal,
    )
    if (lease === undefined) throw new RunError(`no lease was written for ${name}`)
    return {
      signal: session.lost,
      async fence(tx) {
        const ours = await tx.query('select from lease where medium_hash = $1 and epoch = $2 for share', [
          hash,
          lease.epoch,
        ])
        if (ours.length === 0)
          throw new LockedError(`${name} is no longer ours`, {
            hint: 'Another ntt has taken it; look again.',
          })
      },
      release: () => session.end(),
    }
  } catch (error) {
    await session.end()
    throw error
  }
}

/** Who holds which medium now: the leases whose lock the server still grants. */
export const heldMedia = (
  query: <Row>(sql: string, params?: readonly unknown[]) => Promise<readonly Row[]>,
): Promise<readonly Holder[]> =>
  query<Holder>(
    `select l.medium_hash as hash, l.run, l.host, l.pid
       from lease l
       join pg_locks k on k.locktype = 'advisory' and k.granted and k.objsubid = 1
        and k.database = (select oid from pg_database where datname = current_database())
        and (k.classid::bigint << 32 | k.objid::bigint) = hashtextextended(l.medium_hash, 0)`,
  )

async function take(session: Session, { hash, name, signal, wait }: HoldOptions): Promise<void> {
  const [tried] = await session.query<{ taken: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
    [hash],
    signal,
  )
  if (tried?.taken === true) return
  const holder = await holderOf(session, hash)
  if (wait === undefined)
    throw new LockedError(`${name} is ${holder}`, {
      hint: `ntt status --watch shows it; ntt apply --wait ${name} waits for it.`,
    })
  wait(holder)
  await session.query('select pg_advisory_lock(hashtextextended($1, 0))', [hash], signal)
}

async function holderOf(session: Session, hash: string): Promise<string> {
  const [row] = await session.query<{ run: string; host: string; pid: number; since: string }>(
    'select run, host, pid, since from lease where medium_hash = $1',
    [hash],
  )
  // Between taking the lock and writing the row there is a moment without a name.
  if (row === undefined) return 'held by another ntt'
  return `held by run ${row.run} of host ${row.host}, pid ${row.pid}, since ${instant(row.since)} UTC`
}
