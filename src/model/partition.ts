// The tables that are partitioned by medium: how a medium's own part of one is named and found.
import type { Transaction } from './world.ts'

/** What a load attaches, in the order in which the tables are locked. */
export const loadTables = ['inode', 'directory', 'entry'] as const
export type LoadTable = (typeof loadTables)[number]

/** A medium in the database. */
export interface Owner {
  readonly id: number
  readonly hash: string
}

/** A name as SQL takes it, whatever is in it. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Ends in the first digits of the hash, for those who look for them; the number before is what makes it unique. */
export const partitionName = (table: string, { id, hash }: Owner): string =>
  `${table}_${id}_${hash.slice(0, 8)}`

/** Names of what is attached of a medium to any of these tables, in their order; by its number, whoever made it. */
export async function attachedTo(
  tables: readonly string[],
  id: number,
  tx: Transaction,
): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(
    `select c.relname as name
       from unnest($1::text[]) with ordinality t (name, place)
       join pg_inherits i on i.inhparent = t.name::regclass join pg_class c on c.oid = i.inhrelid
      where split_part(c.relname, '_', 2) = $2 order by t.place`,
    [tables, String(id)],
  )
  return rows.map(({ name }) => name)
}
