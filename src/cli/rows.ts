// The rows of loaded media, for verbs that look for files in them: which media there are, and their entries by pattern or path.
import { ObserveError, UsageError } from '../model/errors.ts'
import { rowsOf } from '../model/copy-rows.ts'
import { loadTables } from '../model/partition.ts'
import type { Pattern } from '../model/typed-path.ts'
import type { Found } from '../views/found.ts'
import type { Database } from '../ports/postgres.ts'
import { meant } from './look.ts'
import type { Verb } from './verb.ts'

/** A medium of the database, whether it is loaded or not. */
export interface Known {
  readonly id: number
  readonly hash: string
  readonly name: string
}

interface KnownMedia {
  readonly database: Database
  readonly media: readonly Known[]
  /** Whether all of its rows are there. */
  readonly isLoaded: (medium: Known) => Promise<boolean>
}

export async function knownMedia({
  session: { database, eyes },
}: Pick<Verb, 'session'>): Promise<KnownMedia> {
  if (database === null)
    throw new ObserveError('there is no database yet: nothing is loaded', {
      hint: 'ntt plan shows what is to be done.',
    })
  const media = await database.query<Known>(
    'select medium_id as id, medium_hash as hash, coalesce(name, medium_hash) as name from medium order by 3, 2',
  )
  // Rows of which some have been taken away answer as if there were no others.
  const world = eyes.reader('find')
  const isLoaded = async ({ hash }: Known): Promise<boolean> =>
    (await world.catalogue(hash))?.load?.tables.length === loadTables.length
  return { database, media, isLoaded }
}

/** By its name or its hash. null: it is declared, and the database never met it. Throws UsageError where it is neither, with what may have been meant. */
export function knownAs(
  name: string,
  media: readonly Known[],
  declared: readonly { readonly name: string }[],
): Known | null {
  const found = media.find((one) => one.name === name) ?? media.find(({ hash }) => hash === name)
  if (found !== undefined) return found
  if (declared.some((one) => one.name === name)) return null
  const names = [...media, ...declared].map((one) => one.name)
  throw new UsageError(`no medium is called ${name}`, {
    hint: meant(name, names, 'ntt status lists what is declared, and where it stands.'),
  })
}

const stateOf = { b: 'stored', x: 'excluded', d: 'damaged', e: 'failed' } as const

const wholePath = `case when d.path = '' then e.name when e.name = '' then d.path else d.path || '/'::bytea || e.name end`

/** Its entries whose name or path matches, by filesystem and path. */
export async function* entriesLike(
  { id, hash, name }: Known,
  { regex, of }: Pattern,
  database: Database,
  signal: AbortSignal,
): AsyncGenerator<Found> {
  const text = of === 'name' ? 'e.name' : wholePath
  // COPY takes no parameters; as hexadecimal digits nothing in it can end a literal.
  const pattern = `convert_from('\\x${Buffer.from(regex).toString('hex')}'::bytea, 'UTF8')`
  const sql = `copy (
    select e.fs, coalesce(i.type::text, '?'), coalesce(i.size, 0), coalesce(o.state::text, ''), coalesce(encode(o.blob_id, 'hex'), ''), encode(${wholePath}, 'hex')
      from entry e join directory d on d.medium_id = e.medium_id and d.dir = e.dir
      left join inode i on i.medium_id = e.medium_id and i.fs = e.fs and i.ino = e.ino
      left join outcome o on o.medium_id = e.medium_id and o.fs = e.fs and o.ino = e.ino
     where e.medium_id = ${Math.trunc(id)} and e.name <> '' and convert_from(${text}, 'LATIN1') collate "C" ~ ${pattern}
     order by e.fs, ${wholePath}) to stdout`
  for await (const rows of rowsOf(database.copyOut(sql, signal), foundRow))
    for (const [, fs = '', type = '', size = '', state = '', blob = '', path = ''] of rows) {
      const known = Object.entries(stateOf).find(([letter]) => letter === state)?.[1]
      yield {
        medium: name,
        medium_hash: hash,
        fs: Number(fs),
        path: Buffer.from(path, 'hex').toString('latin1'),
        type,
        size: Number(size),
        state: type === 'f' ? (known ?? 'not copied') : null,
        blob: blob === '' ? null : blob,
      }
    }
}

/** Filesystem, type, size, state, blob, path: the last two in hexadecimal digits. */
const foundRow = /^(\d+)\t(.)\t(\d+)\t(.?)\t([0-9a-f]*)\t([0-9a-f]*)$/

/** An entry by its whole path. */
export interface AtPath {
  readonly fs: number
  readonly type: string
  readonly size: string
  readonly target: Buffer
  readonly state: string | null
  readonly blob: string | null
  readonly detail: string | null
}

/** Those under exactly this path, in whichever filesystem; a damaged directory may hold a name more than once. */
export function entriesAt(path: Buffer, { id }: Known, database: Database): Promise<readonly AtPath[]> {
  const slash = path.lastIndexOf('/')
  const [folder, name] = [path.subarray(0, Math.max(slash, 0)), path.subarray(slash + 1)]
  return database.query<AtPath>(
    `select e.fs, i.type, i.size::text, i.target, o.state::text, encode(o.blob_id, 'hex') as blob, o.detail
       from directory d join entry e on e.medium_id = $1 and e.dir = d.dir and e.name = $3
       join inode i on i.medium_id = $1 and i.fs = e.fs and i.ino = e.ino
       left join outcome o on o.medium_id = $1 and o.fs = e.fs and o.ino = e.ino
      where d.medium_id = $1 and d.path = $2 order by e.fs, e.ino`,
    [id, folder, name],
  )
}
