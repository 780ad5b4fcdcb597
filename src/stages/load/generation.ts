// A generation of rows: tables filled beside the present ones, checked, and put in their place in one transaction.
import { freeNames } from '../../model/detached.ts'
import { RefusedError, RunError } from '../../model/errors.ts'
import {
  attachedTo,
  loadTables,
  partitionName,
  quoted,
  type LoadTable,
  type Owner,
} from '../../model/partition.ts'
import type { RawTail } from '../../model/raw/index.ts'
import type { Transaction, Writer } from '../../model/world.ts'
import { originOf, originText } from './enumeration.ts'
import { compareRows } from './compare.ts'
import type { Mark } from './marks.ts'
import { Pipe } from './pipe.ts'
import { columns, tables, type Rows, type Table } from './rows.ts'

const loadName = (table: Table, { id, hash }: Owner): string => `load_${id}_${table}_${hash.slice(0, 8)}`

/** Index of a table, made after its rows. */
const keys: Readonly<Record<LoadTable, (table: string) => string>> = {
  inode: (table) =>
    `alter table ${quoted(table)} add constraint ${quoted(`${table}_key`)} primary key (medium_id, fs, ino)`,
  directory: (table) =>
    `alter table ${quoted(table)} add constraint ${quoted(`${table}_key`)} primary key (medium_id, dir)`,
  entry: (table) => `create index ${quoted(`${table}_key`)} on ${quoted(table)} (ino)`,
}

/** Drops what loads of this medium left that did not come to their end. */
export async function sweep(owner: Owner, world: Writer): Promise<void> {
  await world.transaction(async (tx) => {
    const rows = await tx.query<{ name: string }>(
      `select c.relname as name from pg_class c
        where c.relkind = 'r' and pg_table_is_visible(c.oid) and starts_with(c.relname, $1)`,
      [`load_${owner.id}_`],
    )
    for (const { name } of rows) await tx.execute(`drop table ${quoted(name)}`)
  })
}

/** Fills new tables, one connection each, as the rows come; none is begun before there is a block for it. */
export class Filling {
  readonly #owner: Owner
  readonly #rows: Rows
  readonly #world: Writer
  readonly #begun = new Map<Table, { readonly pipe: Pipe; readonly done: Promise<void> }>()

  constructor(owner: Owner, rows: Rows, world: Writer) {
    this.#owner = owner
    this.#rows = rows
    this.#world = world
  }

  /** Hands the full blocks on; waits where the server is slower than we are. */
  async pass(): Promise<void> {
    for (const table of tables) {
      const blocks = this.#rows.made[table].take()
      if (blocks.length > 0) await this.#pipe(table).put(blocks)
    }
    // A socket holds a millisecond of rows and is filled between turns of the event loop; decoding what is in memory takes no turn.
    if (this.#begun.size > 0) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Hands the last ones on; the tables are whole, with their keys and committed, when this resolves. */
  async end(): Promise<void> {
    for (const table of tables) {
      const made = this.#rows.made[table]
      const last = made.end()
      if (table === 'anomaly' && made.members === 0) continue
      const pipe = this.#pipe(table)
      await pipe.put(last)
      pipe.end()
    }
    await this.#settle()
  }

  /** Gives up: all that was begun is rolled back. */
  async fail(cause: unknown): Promise<void> {
    for (const { pipe } of this.#begun.values()) pipe.fail(cause)
    await Promise.allSettled([...this.#begun.values()].map(({ done }) => done))
  }

  async #settle(): Promise<void> {
    const ends = await Promise.allSettled([...this.#begun.values()].map(({ done }) => done))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  #pipe(table: Table): Pipe {
    const known = this.#begun.get(table)
    if (known !== undefined) return known.pipe
    const pipe = new Pipe((block) => this.#rows.made[table].giveBack(block))
    const done = this.#fill(table, pipe)
    // One that fails breaks the others: what one half of a load is worth is nothing.
    done.catch((error: unknown) => {
      for (const other of this.#begun.values()) other.pipe.fail(error)
      pipe.fail(error)
    })
    this.#begun.set(table, { pipe, done })
    return pipe
  }

  async #fill(table: Table, pipe: Pipe): Promise<void> {
    const name = loadName(table, this.#owner)
    const { id } = this.#owner
    await this.#world.transaction(async (tx) => {
      // Made in this transaction: then the rows go in frozen, and need not go through the log where the server allows it.
      // COPY leaves empty pages at the end; a vacuum that gave them back would look as if somebody had written here.
      await tx.execute(
        `create table ${quoted(name)} (like ${table}, constraint one_medium check (medium_id = ${id}))
           with (vacuum_truncate = off)`,
      )
      await tx.execute(`alter table ${quoted(name)} alter medium_id set default ${id}`)
      // The tables of a load have their keys made side by side: helpers would only take turns with each other.
      await tx.execute('set local max_parallel_maintenance_workers = 0')
      // The pages are on their way to the disk while others are filled, and the commit has less to wait for.
      await tx.execute("set local backend_flush_after = '2MB'")
      const taken = await tx.copyIn(
        `copy ${quoted(name)} (${columns[table].join(', ')}) from stdin (format binary, freeze)`,
        pipe,
      )
      const sent = this.#rows.made[table].members
      if (taken !== sent) throw new RunError(`the database took ${taken} of ${sent} rows for ${table}`)
      if (table !== 'anomaly') await tx.execute(keys[table](name))
      // Keys find the rows; what is asked of all of them is planned by their number. A tenth of the usual sample tells that, and takes no time.
      await tx.execute('set local default_statistics_target = 10')
      await tx.execute(`analyze ${quoted(name)}`)
    })
  }
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
      await tx.execute(`alter table ${table} attach partition ${quoted(to)} for values in (${id})`)
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
    [id, originText(originOf(tail), records)],
  )
}

/** A view of the file inodes under the name that the older pipeline's queries use, where nothing else has that name. */
async function showFiles({ id, hash }: Owner, tx: Transaction): Promise<void> {
  const name = quoted(`inode_p_${hash.slice(0, 8)}`)
  const [taken] = await tx.query<{ there: boolean }>('select to_regclass($1) is not null as there', [name])
  if (taken?.there === true) return
  await tx.execute(`create view ${name} as select * from inode where medium_id = ${id} and type = 'f'`)
}
