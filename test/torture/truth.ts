// What is true of a project when all has been done, as digests that tell nothing of when, by which run and in which order.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase, type Database } from '../../src/ports/postgres.ts'
import { openServer } from '../../src/ports/server/index.ts'
import { repository, type Project } from '../support/project.ts'

/** One medium. Digests are SHA-256 in hex; null: there is none. */
export interface Truth {
  readonly hash: string
  readonly image: string | null
  readonly raw: string | null
  /** Of what the archive holds of the image and the enumeration. */
  readonly archive: string | null
  /** All rows, its claims, and the stages that have a good proof. */
  readonly rows: readonly string[]
  /** What good proofs say of the content of each stage but the archive, whose manifest tells times. */
  readonly contents: readonly string[]
  /** The contents that its rows speak of. */
  readonly blobs: readonly string[]
}

/** Works with the embedded database of a project, its server kept alive meanwhile. */
export async function withDatabase<T>(made: Project, work: (database: Database) => Promise<T>): Promise<T> {
  const signal = new AbortController().signal
  const server = await openServer({ directory: made.path('.ntt/postgres'), packageRoot: repository, signal })
  try {
    const database = await openDatabase({ where: server, run: 'torture' })
    try {
      return await work(database)
    } finally {
      await database.close()
    }
  } finally {
    await server.leave()
  }
}

export const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

/** Every table with rows of media; what tells of times, runs and numbers that the database gave is left out. */
const tables = ['filesystem', 'inode', 'directory', 'entry', 'anomaly', 'outcome', 'generation', 'copying']
const passing = `- '{medium_id,loaded_at,run}'::text[]`

const rowsOf = tables.map(
  (name) => `
  select '${name}' as what, (to_jsonb(t) ${passing})::text as line from ${name} t where t.medium_id = $1`,
)
const proofsOf = `
  select distinct 'proof' as what, stage as line from proof where medium_hash = $2 and ok`
const claimsOf = `
  select 'claims' as what, (enum_done is not null)::text || (copy_done is not null)::text as line from medium where medium_id = $1`
const everything = `select what, line from (${[...rowsOf, proofsOf, claimsOf].join(' union all ')}) all_of_it order by what, line collate "C"`

/** By the media's names. */
export function readTruth(made: Project): Promise<ReadonlyMap<string, Truth>> {
  return withDatabase(made, async (database) => {
    const media = await database.query<{ id: number; hash: string; name: string }>(
      'select medium_id as id, medium_hash as hash, name from medium order by name',
    )
    const found = new Map<string, Truth>()
    for (const { id, hash, name } of media) {
      const rows = await database.query<{ what: string; line: string }>(everything, [id, hash])
      const contents = await database.query<{ line: string }>(
        "select distinct stage || ' ' || content as line from proof where medium_hash = $1 and ok and content is not null and stage <> 'archive' order by 1",
        [hash],
      )
      const blobs = await database.query<{ id: string }>(
        "select distinct encode(blob_id, 'hex') as id from outcome where medium_id = $1 and blob_id is not null order by 1",
        [id],
      )
      found.set(name, {
        hash,
        image: digestOf(made.path('.ntt/img', `${hash}.img`)),
        raw: rawDigest(contentOf(made.path('.ntt/raw', `${hash}.raw`))),
        archive: archiveDigest(made.path('.ntt/archive', `${hash}.tar.zst`)),
        contents: contents.map(({ line }) => line),
        rows: rows.map(({ what, line }) => `${what} ${line}`),
        blobs: blobs.map(({ id: blob }) => blob),
      })
    }
    return found
  })
}

/** Of an enumeration but for its header, which tells where the project lies; null: there is none, or it is not whole. */
export function rawDigest(raw: Buffer | null): string | null {
  if (raw === null || raw.length < rawEnd) return null
  const seal = raw.subarray(-65, -1).toString('latin1')
  if (sha256(raw.subarray(0, -65)) !== seal) return null
  return sha256(raw.subarray(raw.indexOf(0), -rawEnd))
}

/** Bytes of the last record: schemas/raw.md. */
const rawEnd = 86

export const contentOf = (path: string): Buffer | null => (existsSync(path) ? readFileSync(path) : null)

export const digestOf = (path: string): string | null =>
  existsSync(path) ? sha256(readFileSync(path)) : null

/** Of the members but for their times and for the manifest, which tells times; null: no archive. Throws where it is not whole. */
export function archiveDigest(path: string): string | null {
  if (!existsSync(path)) return null
  const read = (script: string): Buffer =>
    execFileSync('sh', ['-c', script, path], { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] })
  const names = read('set -e; zstd -qt "$0"; tar --zstd -tf "$0" | sort')
  const contents = read(
    `tar --zstd -xOf "$0" --exclude='MANIFEST*' --exclude='*.passes.jsonl' --exclude='*.map' --exclude='*.raw'`,
  )
  const raw = read(`tar --zstd -xOf "$0" --wildcards '*.raw'`)
  return sha256(`${sha256(names)} ${sha256(contents)} ${rawDigest(raw)}`)
}

/** The names in a folder; none where it is not there. */
export const namesIn = (folder: string): readonly string[] =>
  existsSync(folder) ? readdirSync(folder).toSorted() : []

/** Every blob of a store, as its path below the store. */
export const blobsIn = (store: string): readonly string[] =>
  namesIn(store)
    .filter((first) => !first.startsWith('.'))
    .flatMap((first) =>
      namesIn(join(store, first)).flatMap((second) =>
        namesIn(join(store, first, second)).map((name) => `${first}/${second}/${name}`),
      ),
    )
