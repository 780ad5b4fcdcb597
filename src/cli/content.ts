// ntt why HASH: what is known of one content: whether it is there, whose it is, and when it was last read back.
import { positionOf, readLedger } from '../ledger.ts'
import { ObserveError, UsageError, type ExitCode } from '../model/errors.ts'
import { blobPlace } from '../model/places.ts'
import { latestOf } from '../model/proofs.ts'
import type { Proof } from '../model/stage.ts'
import { needRoot } from '../model/store.ts'
import type { Reader } from '../model/world.ts'
import { readProofs } from '../record.ts'
import { contentText, type Content } from '../views/content.ts'
import { writeDocument, type Out } from './out.ts'
import type { Session } from './session.ts'

const pathsNamed = 20
const [shortest, whole] = [8, 64]

/** Whether a word may be the hash of a content, or the beginning of one. */
export const isHash = (word: string): boolean =>
  /^[0-9a-f]+$/.test(word) && word.length >= shortest && word.length <= whole

/** 0: it is there. 3: it is gone, has another size, or its last proof failed. Only `ntt verify` reads it. */
export async function content(
  { database, eyes }: Session,
  word: string,
  json: boolean,
  out: Out,
): Promise<ExitCode> {
  if (database === null) throw new ObserveError('there is no database that could know a content')
  const query: Reader['query'] = (sql, params) => database.query(sql, params)
  const row = await rowOf(word, query)
  const world = eyes.reader('why')
  await needRoot('by-hash', query, world)
  const owners = await query<Owner>(ownersOf, [row.blob])
  const proofs = await readProofs(query, [...new Set(owners.map(({ hash }) => hash))])
  const copies = owners.map(({ hash, name }) => ({
    medium: name ?? hash,
    proofs: (proofs.get(hash) ?? []).filter(({ stage }) => stage === 'copy'),
  }))
  const paths = await query<{ medium: string; path: Buffer }>(pathsOf, [row.blob, pathsNamed])
  const read =
    [await sweptOf(row, query), ...copies.map((one) => readWith(one, row.stored_at))]
      .flatMap((one) => one ?? [])
      .toSorted((a, b) => (a.at < b.at ? 1 : -1))[0] ?? null
  const told: Content = {
    blob: row.blob,
    size: row.size,
    stored_at: row.stored_at,
    place: world.path(blobPlace(row.blob)),
    found: (await world.blobs([row.blob])).get(row.blob) ?? null,
    read_back: read,
    // What was found to be good later is bad no more, whichever medium it was mended with.
    bad: copies.flatMap((one) => badBy(one, row.blob) ?? []).filter(({ at }) => at > (read?.at ?? '')),
    files: owners.reduce((sum, { files }) => sum + Number(files), 0),
    damaged: owners.reduce((sum, { damaged }) => sum + Number(damaged), 0),
    media: owners.length,
    paths: paths.map(({ medium, path }) => ({ medium, path: path.toString('latin1') })),
  }
  if (json) writeDocument(out, told)
  else out.write(contentText(told, Date.now(), out.manner))
  return told.found === told.size && told.bad.length === 0 ? 0 : 3
}

interface Row {
  readonly blob: string
  readonly size: number
  readonly stored_at: string
}

async function rowOf(word: string, query: Reader['query']): Promise<Row> {
  const rows = await query<{ blob: string; size: string; stored_at: string }>(
    `select encode(blob_id, 'hex') as blob, size::text,
            to_char(stored_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as stored_at
       from blob where blob_id between decode($1, 'hex') and decode($2, 'hex') order by blob_id limit 2`,
    [word.padEnd(whole, '0'), word.padEnd(whole, 'f')],
  )
  const [row, other] = rows
  if (row === undefined)
    throw new UsageError(`no medium is called ${word}, and the database knows no content of that hash`)
  if (other !== undefined)
    throw new UsageError(`more than one content begins with ${word}`, { hint: `${row.blob} is one of them.` })
  return { ...row, size: Number(row.size) }
}

/** When its part of the store was last read back, if it lay there by then. */
async function sweptOf({ blob, stored_at }: Row, query: Reader['query']): Promise<Content['read_back']> {
  const position = positionOf(blob)
  const range = (await readLedger(query)).find(({ from, to }) => from <= position && position <= to)
  if (range === undefined || range.at === null || range.at < stored_at) return null
  return { at: range.at, run: range.run, with: null }
}

interface Copy {
  readonly medium: string
  readonly proofs: readonly Proof[]
}

/** A proof of a copy at depth hash has read every content of the medium. */
function readWith({ medium, proofs }: Copy, since: string): Content['read_back'] {
  const proof = proofs.findLast(({ ok, depth }) => ok && depth === 'hash')
  return proof === undefined || proof.at < since ? null : { at: proof.at, run: proof.run, with: medium }
}

/** The proof that counts, where it failed and names this content. */
function badBy({ medium, proofs }: Copy, blob: string): Content['bad'][number] | null {
  const last = latestOf(proofs.at(-1)?.of ?? '', proofs)
  if (last === undefined || last.ok || !JSON.stringify(last.facts).includes(blob)) return null
  return { medium, at: last.at, run: last.run }
}

interface Owner {
  readonly hash: string
  readonly name: string | null
  readonly files: string
  readonly damaged: string
}

// No index leads from a content to its files: these look through all outcomes, because a person asked.
const ownersOf = `
  select m.medium_hash as hash, m.name, count(*)::text as files, (count(*) filter (where o.state = 'd'))::text as damaged from outcome o join medium m using (medium_id)
   where o.blob_id = decode($1, 'hex') group by 1, 2 order by 2, 1`
const pathsOf = `
  select coalesce(m.name, m.medium_hash) as medium, p.path from outcome o join medium m using (medium_id)
    join path p on p.medium_id = o.medium_id and p.fs = o.fs and p.ino = o.ino
   where o.blob_id = decode($1, 'hex') order by 1, p.fs, p.path limit $2`
