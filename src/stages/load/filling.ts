// The tables of a load being filled beside the present ones: one connection each, rows as they come, keys when they are all there.
import { RunError } from '../../model/errors.ts'
import { quoted, type LoadTable, type Owner } from '../../model/partition.ts'
import type { Writer } from '../../model/world.ts'
import { Pipe } from './pipe.ts'
import { columns, tables, type Rows, type Table } from './rows.ts'

/** How a table is called until it has its place. */
export const loadName = (table: Table, { id, hash }: Owner): string =>
  `load_${id}_${table}_${hash.slice(0, 8)}`

/** Index of a table, made after its rows. */
const keys: Readonly<Record<LoadTable, (table: string) => string>> = {
  inode: (table) =>
    `alter table ${quoted(table)} add constraint ${quoted(`${table}_key`)} primary key (medium_id, fs, ino)`,
  directory: (table) =>
    `alter table ${quoted(table)} add constraint ${quoted(`${table}_key`)} primary key (medium_id, dir)`,
  entry: (table) => `create index ${quoted(`${table}_key`)} on ${quoted(table)} (ino)`,
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
