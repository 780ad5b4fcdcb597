// The outcomes of a medium's files in the database: one row for each inode, written in the transaction of its blob's row.
import { freeNames } from '../../model/detached.ts'
import type { Medium } from '../../model/medium.ts'
import { attachedTo, partitionName, quoted } from '../../model/partition.ts'
import type { Reader, Transaction, Writer } from '../../model/world.ts'
import { originText, type Origin, type Tally } from './origin.ts'

/** A file inode of the medium; `ino` as the database has it, a signed 64-bit number. */
export interface FileKey {
  readonly fs: number
  readonly ino: bigint
}

/** What became of a file. */
export type Outcome = FileKey &
  (
    | { readonly state: 'b'; readonly blob: string; readonly bytes: number }
    /** `blob`: its content with zeros for what was not read; left out where nothing of it was, or it cannot be unpacked. */
    | { readonly state: 'd'; readonly blob?: string; readonly bytes: number; readonly detail: string }
    | { readonly state: 'x'; readonly detail: string }
    | { readonly state: 'e'; readonly class: string; readonly attempts: number; readonly message: string }
  )

/** What is in the database for a file already. */
export interface Before {
  readonly state: Outcome['state']
  /** How often a failed one was tried, and whether that is worth it once more. */
  readonly attempts: number
  readonly again: boolean
}

/** A file that fails as often as this is not tried again unasked. */
const mostAttempts = 3
/** Failures that may pass. The others say that what is there is not what was enumerated. */
const passing = ['io', 'permission', 'missing', 'changed', 'unreadable']
const worthAgain = `^(${passing.join('|')}) [0-${mostAttempts - 1}]:`

/** Empties the outcomes, or makes the table for them: nothing of another enumeration may stay. */
export async function startAnew({ hash }: Medium, id: number, origin: Origin, world: Writer): Promise<void> {
  const table = partitionName('outcome', { id, hash })
  const freed = await world.transaction(async (tx) => {
    await tx.execute("set local lock_timeout = '60s'")
    for (const name of await attachedTo(['outcome'], id, tx)) await tx.execute(`drop table ${quoted(name)}`)
    const names = await freeNames([table], tx)
    // Its size is part of what is seen of it: a vacuum that gave pages back would look like a change.
    await tx.execute(
      `create table ${quoted(table)} (like outcome including all) with (vacuum_truncate = off)`,
    )
    await tx.attach('outcome', table, id)
    await writeOrigin(id, origin, tx)
    return names
  })
  freed.tell(world)
}

/**
 * Takes back what has to be decided again because more (or less) of the medium was read: what is not whole; and where the rows are
 * others, outcomes of what is no file any more, or one of another size.
 */
export async function takeBack(id: number, otherRows: boolean, tx: Transaction): Promise<void> {
  await tx.execute("delete from outcome where medium_id = $1 and state in ('d', 'e')", [id])
  if (!otherRows) return
  await tx.execute(
    `delete from outcome o where o.medium_id = $1
        and not exists (select from inode i left join blob b on b.blob_id = o.blob_id
                         where i.medium_id = $1 and i.fs = o.fs and i.ino = o.ino and i.type = 'f'
                           and (o.state <> 'b' or b.size = i.size))`,
    [id],
  )
}

/** Says what is being decided by; with a tally, that it has come to its end. */
export async function writeOrigin(id: number, origin: Origin, tx: Transaction): Promise<void> {
  await tx.execute(
    `insert into copying (medium_id, origin, run) values ($1, $2, current_setting('application_name'))
     on conflict (medium_id) do update set origin = excluded.origin, run = excluded.run`,
    [id, originText(origin)],
  )
}

/** What the database knows of these files. */
export async function readOutcomes(
  id: number,
  files: readonly FileKey[],
  world: Reader,
): Promise<ReadonlyMap<string, Before>> {
  const rows = await world.query<{ fs: number; ino: string; state: Outcome['state']; detail: string | null }>(
    `select o.fs, o.ino::text, o.state, o.detail
       from unnest($2::int4[], $3::int8[]) as w (fs, ino) join outcome o on o.medium_id = $1 and o.fs = w.fs and o.ino = w.ino`,
    [id, files.map(({ fs }) => fs), files.map(({ ino }) => ino.toString())],
  )
  return new Map(
    rows.map(({ fs, ino, state, detail }) => {
      const [, attempts = '0'] = /^\S+ (\d+):/.exec(detail ?? '') ?? []
      const again = state === 'e' && new RegExp(worthAgain).test(detail ?? '')
      return [keyText({ fs, ino: BigInt(ino) }), { state, attempts: Number(attempts), again }]
    }),
  )
}

export const keyText = ({ fs, ino }: FileKey): string => `${fs}:${ino}`

/** The database's number for an inode: its 64 bits, signed. */
export const signed = (ino: bigint): bigint => BigInt.asIntN(64, ino)

/** Which of these sizes some content in the store has. */
export async function knownSizes(sizes: readonly number[], world: Reader): Promise<ReadonlySet<number>> {
  if (sizes.length === 0) return new Set()
  const rows = await world.query<{ size: string }>(
    'select distinct size::text as size from blob where size > 1048576 and size = any ($1::int8[])',
    [sizes],
  )
  return new Set(rows.map(({ size }) => Number(size)))
}

/** Blobs and outcomes, both or neither. The blobs are durable before this is called. */
export async function writeOutcomes(
  id: number,
  outcomes: readonly Outcome[],
  tx: Transaction,
): Promise<void> {
  const blobs = new Map(
    outcomes.flatMap((one) =>
      'blob' in one && one.blob !== undefined ? [[one.blob, one.bytes] as const] : [],
    ),
  )
  // In one order everywhere: two media with the same new contents must not wait for each other.
  const sorted = [...blobs].toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (sorted.length > 0) {
    await tx.execute(
      `insert into blob (blob_id, size) select decode(id, 'hex'), size from unnest($1::text[], $2::int8[]) as n (id, size)
       on conflict do nothing`,
      [sorted.map(([blob]) => blob), sorted.map(([, bytes]) => bytes)],
    )
  }
  await tx.execute(
    `insert into outcome (medium_id, fs, ino, state, blob_id, detail)
     select $1, fs, ino, state::"char", decode(blob, 'hex'), detail
       from unnest($2::int4[], $3::int8[], $4::text[], $5::text[], $6::text[]) as n (fs, ino, state, blob, detail)
     on conflict (medium_id, fs, ino) do update set state = excluded.state, blob_id = excluded.blob_id, detail = excluded.detail`,
    [
      id,
      outcomes.map(({ fs }) => fs),
      outcomes.map(({ ino }) => ino.toString()),
      outcomes.map(({ state }) => state),
      outcomes.map((one) => ('blob' in one ? (one.blob ?? null) : null)),
      outcomes.map(detailOf),
    ],
  )
}

function detailOf(outcome: Outcome): string | null {
  switch (outcome.state) {
    case 'b':
      return null
    case 'x':
    case 'd':
      // PostgreSQL's text has no zero byte.
      return outcome.detail.replaceAll('\0', '')
    case 'e':
      return `${outcome.class} ${outcome.attempts}: ${outcome.message}`.replaceAll('\0', '')
    default:
      return outcome satisfies never
  }
}

/** How many files ended how, as the rows say. */
export async function readTally(id: number, query: Reader['query']): Promise<Tally> {
  const [row] = await query<Record<keyof Tally, string>>(
    `select count(*)::text as files,
            (count(*) filter (where state = 'b'))::text as blobs,
            (count(*) filter (where state = 'x'))::text as excluded,
            (count(*) filter (where state = 'd'))::text as damaged,
            (count(*) filter (where state = 'e'))::text as failed,
            (count(*) filter (where state = 'e' and detail ~ $2))::text as again
       from outcome where medium_id = $1`,
    [id, worthAgain],
  )
  const count = (name: keyof Tally): number => Number(row?.[name])
  return {
    files: count('files'),
    blobs: count('blobs'),
    excluded: count('excluded'),
    damaged: count('damaged'),
    failed: count('failed'),
    again: count('again'),
  }
}
