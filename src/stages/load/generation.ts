// A generation of rows: tables that were filled beside the present ones are checked, and put in their place in one transaction.
import { freeNames } from '../../model/detached.ts'
import { RefusedError, RunError } from '../../model/errors.ts'
import { attachedTo, loadTables, partitionName, quoted, type Owner } from '../../model/partition.ts'
import type { RawTail } from '../../model/raw/index.ts'
import type { Transaction, Writer } from '../../model/world.ts'
import { loadOriginText } from '../../model/load-origin.ts'
import { originOf } from './enumeration.ts'
import { compareRows } from './compare.ts'
import { loadName } from './filling.ts'
import type { Mark } from './marks.ts'
import { columns, type Rows } from './rows.ts'

/** Drops what loads of this medium left that did not come to their end. */
export async function dropUnfinished(owner: Owner, world: Writer): Promise<void> {
  await world.transaction(async (tx) => {
    const rows = await tx.query<{ name: string }>(
      `select c.relname as name from pg_class c
        where c.relkind = 'r' and pg_table_is_visible(c.oid) and starts_with(c.relname, $1)`,
      [`load_${owner.id}_`],
    )
    for (const { name } of rows) await tx.execute(`drop table ${quoted(name)}`)
  })
}

/**
 * Looks at every byte of the new tables, beside the present ones. Throws RunError where they do not hold what was sent. `again`: the rows
 * of the enumeration, made once more.
 */
export async function checkBeside(
  owner: Owner,
  rows: Rows,
  again: (mark: () => Mark) => Promise<Rows>,
  world: Writer,
): Promise<void> {
  const copies = Object.fromEntries(
    loadTables.map((table) => {
      const name = quoted(loadName(table, owner))
      return [table, `copy ${name} (${columns[table].join(', ')}) to stdout (format binary)`]
    }),
  )
  for (const { name, ok, expected, actual } of await compareRows(copies, rows.told(), again, world)) {
    if (ok) continue
    throw new RunError(`${expected} were sent for ${name}, and ${actual} are there`, {
      hint: 'A rule or a trigger of the database changes what it is given. The rows that were loaded before are still in their place.',
    })
  }
}

/**
 * Puts the new tables in the place of the present ones, in one short transaction. Attaching lets every reader and writer pass; where
 * present rows have to go, it waits until nobody reads them.
 */
export async function swap(
  owner: Owner,
  rows: Rows,
  tail: RawTail,
  world: Writer,
  replace: boolean,
): Promise<void> {
  const { id } = owner
  const freed = await world.transaction(async (tx) => {
    await tx.execute("set local lock_timeout = '60s'")
    const present = await attachedTo(loadTables, id, tx)
    if (present.length === loadTables.length && !replace)
      throw new RefusedError('rows were loaded by somebody else meanwhile')
    for (const name of present) await tx.execute(`drop table ${quoted(name)}`)
    const names = await freeNames(
      loadTables.map((table) => partitionName(table, owner)),
      tx,
    )
    for (const table of loadTables) {
      const [from, to] = [loadName(table, owner), partitionName(table, owner)]
      await tx.execute(`alter table ${quoted(from)} rename to ${quoted(to)}`)
      await tx.execute(`alter index ${quoted(`${from}_key`)} rename to ${quoted(`${to}_key`)}`)
      await tx.attach(table, to, id)
      await tx.execute(`alter table ${quoted(to)} drop constraint one_medium, alter medium_id drop default`)
    }
    await tx.execute('delete from anomaly where medium_id = $1', [id])
    if (rows.made.anomaly.members > 0) {
      const from = quoted(loadName('anomaly', owner))
      const all = ['medium_id', ...columns.anomaly].join(', ')
      await tx.execute(`insert into anomaly (${all}) select ${all} from ${from}`)
      await tx.execute(`drop table ${from}`)
    }
    await writeVolumes(owner, tail, tx)
    await writeOrigin(owner, tail, tx)
    await showFiles(owner, tx)
    return names
  })
  freed.tell(world)
}

/** Brings the volumes and the origin up to date, where the rows are of this enumeration already. */
export async function refresh(owner: Owner, tail: RawTail, world: Writer): Promise<void> {
  await world.transaction(async (tx) => {
    await writeVolumes(owner, tail, tx)
    await writeOrigin(owner, tail, tx)
  })
}

async function writeVolumes({ id }: Owner, { volumes }: RawTail, tx: Transaction): Promise<void> {
  await tx.execute('delete from filesystem where medium_id = $1', [id])
  for (const one of volumes) {
    await tx.execute(
      `insert into filesystem (medium_id, fs, scheme, partition_type, start, bytes, type, label, uuid, outcome, reason, reader)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        id,
        one.fs,
        one.scheme,
        one.partitionType,
        one.start,
        one.bytes,
        one.type,
        one.label,
        one.uuid,
        one.outcome,
        one.reason,
        one.reader,
      ],
    )
  }
}

async function writeOrigin({ id }: Owner, tail: RawTail, tx: Transaction): Promise<void> {
  const records = tail.counts.reduce((sum, count) => sum + count.records, 0)
  await tx.execute(
    `insert into generation (medium_id, origin) values ($1, $2)
     on conflict (medium_id) do update set origin = excluded.origin, loaded_at = excluded.loaded_at, run = excluded.run`,
    [id, loadOriginText(originOf(tail), records)],
  )
}

/** A view of the file inodes under the name that the older pipeline's queries use, where nothing else has that name. */
async function showFiles({ id, hash }: Owner, tx: Transaction): Promise<void> {
  const name = quoted(`inode_p_${hash.slice(0, 8)}`)
  const [taken] = await tx.query<{ there: boolean }>('select to_regclass($1) is not null as there', [name])
  if (taken?.there === true) return
  await tx.execute(`create view ${name} as select * from inode where medium_id = ${id} and type = 'f'`)
}
