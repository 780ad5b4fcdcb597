// The schema: numbered SQL files, applied in order, each in a transaction; what was applied is written down with its hash.
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ObserveError, RunError } from '../model/errors.ts'
import type { Transaction } from '../model/world.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file. */
  readonly sha256: string
}

interface Applied {
  readonly version: number
  readonly name: string
  readonly sha256: string
}

type Query = Transaction['query']

/**
 * `none`: no ntt has been here. `foreign`: no ntt, and tables of ours would stand beside those of the older pipeline. `behind`: made by an older ntt; `apply` brings it up. `newer`: made by a newer one.
 * `altered`: an applied migration is not the file that we have.
 */
export type SchemaState = 'none' | 'foreign' | 'current' | 'behind' | 'newer' | 'altered'

/** Reads `NNNN-name.sql` files, which must be numbered 1, 2, 3 … */
export async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name, index) => {
      const version = Number(name.slice(0, 4))
      if (version !== index + 1) throw new Error(`${name}: the migration before it is missing`)
      const sql = await readFile(join(folder, name), 'utf8')
      return { version, name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/** What the database has applied, in order; null where it never met ntt, `foreign` where others have tables of our names. */
async function readApplied(query: Query): Promise<readonly Applied[] | 'foreign' | null> {
  const [row] = await query<{ there: boolean; taken: boolean }>(
    "select to_regclass('ntt_migration') is not null as there, to_regclass('medium') is not null as taken",
  )
  if (row?.there !== true) return row?.taken === true ? 'foreign' : null
  return query<Applied>('select version, name, sha256 from ntt_migration order by version')
}

function compare(applied: readonly Applied[] | 'foreign' | null, ours: readonly Migration[]): SchemaState {
  if (applied === 'foreign') return 'foreign'
  if (applied === null || applied.length === 0) return 'none'
  if (
    applied.some(({ version, sha256 }, index) => {
      const mine = ours[index]
      return mine !== undefined && (mine.version !== version || mine.sha256 !== sha256)
    })
  )
    return 'altered'
  if (applied.length > ours.length) return 'newer'
  return applied.length < ours.length ? 'behind' : 'current'
}

/** What stands in the way of working with such a schema; null for nothing. Looking needs no more than is there. */
function objection(state: SchemaState, name: string): { message: string; hint: string } | null {
  switch (state) {
    case 'newer':
      return { message: `the database ${name} was made by a newer ntt`, hint: 'Use that one.' }
    case 'altered':
      return {
        message: `the schema of the database ${name} is not the one of this ntt: an applied migration has changed`,
        hint: 'Use the ntt that made it, or another database.',
      }
    case 'foreign':
      return {
        message: `the database ${name} has a table medium that no ntt of ours made`,
        hint: 'Is it the one of the older pipeline? Give ntt another database (or none: its own), and take that one over with: ntt import URL',
      }
    case 'none':
    case 'behind':
    case 'current':
      return null
    default:
      return state satisfies never
  }
}

/** How far the schema of a database is; for those who only look. */
export const schemaState = async (query: Query, migrations: readonly Migration[]): Promise<SchemaState> =>
  compare(await readApplied(query), migrations)

/** As `schemaState`, but a schema that cannot be read by this ntt is an ObserveError. */
export async function readableSchema(
  query: Query,
  migrations: readonly Migration[],
  name: string,
): Promise<'none' | 'behind' | 'current'> {
  const state = await schemaState(query, migrations)
  const stop = objection(state, name)
  if (stop) throw new ObserveError(stop.message, { hint: stop.hint })
  return state === 'none' || state === 'behind' ? state : 'current'
}

interface Target {
  readonly name: string
  query: Query
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}

/** Brings the schema up to ours. Several may do so at once: a lock lets one at a time in, and each looks again. */
export async function migrate(database: Target, migrations: readonly Migration[]): Promise<void> {
  if ((await schemaState(database.query, migrations)) === 'current') return
  for (let done = false; !done;) {
    done = await database.transaction(async (tx) => {
      await tx.query("select pg_advisory_xact_lock(hashtext('ntt'), hashtext('migrate'))")
      const applied = await readApplied((sql, params) => tx.query(sql, params))
      const stop = objection(compare(applied, migrations), database.name)
      if (stop) throw new RunError(stop.message, { hint: stop.hint })
      if (applied === 'foreign') return true
      const next = migrations[applied?.length ?? 0]
      if (next === undefined) return true
      if (applied === null) await tx.execute(table)
      await tx.execute(next.sql)
      await tx.execute('insert into ntt_migration (version, name, sha256) values ($1, $2, $3)', [
        next.version,
        next.name,
        next.sha256,
      ])
      return false
    })
  }
}

const table = `create table ntt_migration (
  version    int4 primary key,
  name       text not null,
  sha256     text not null,
  applied_at timestamptz not null default now()
)`
