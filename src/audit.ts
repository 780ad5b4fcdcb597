// What the database, the stores and media.d say against each other. Looks at all of them, believes no flag, writes nothing.
import type { ExitCode } from './model/errors.ts'
import { olderEmpty, type OlderRecord } from './model/older.ts'
import { stageNames } from './model/medium.ts'
import { latestOf } from './model/proofs.ts'
import type { Proof } from './model/stage.ts'
import { findingCodes, type Finding, type FindingCode } from './model/finding.ts'
import type { CatalogueRow, Place, Reader } from './model/world.ts'

const examplesKept = 20

/**
 * All findings. `rows`: every medium of the catalogue; `proofs`: what was proven of each; `unloaded`: names of those that are declared to stop
 * before the database. Throws ObserveError where something could not be looked at.
 */
export async function audit(
  rows: readonly CatalogueRow[],
  proofs: ReadonlyMap<string, readonly Proof[]>,
  unloaded: ReadonlySet<string>,
  world: Reader,
): Promise<readonly Finding[]> {
  const raws = hashesOf(await world.names('raw:'), '.raw')
  const archives = hashesOf(await world.names('archive:'), '.tar.zst')
  const known = new Map(rows.map((row) => [row.hash, row]))
  const findings: Finding[] = []
  for (const row of rows) {
    findings.push(
      ...(await auditMedium(
        row,
        {
          raw: raws.has(row.hash),
          archive: archives.has(row.hash),
          asDeclared: row.name !== null && unloaded.has(row.name),
        },
        world,
      )),
    )
  }
  for (const row of rows) findings.push(...failedProofs(row, proofs.get(row.hash) ?? []))
  for (const hash of raws) {
    if (known.has(hash)) continue
    const text = `raw:${hash}.raw is of a medium that the database does not know`
    findings.push(finding('orphan-raw', null, hash, 1, text))
  }
  for (const hash of archives) {
    if (known.has(hash)) continue
    findings.push(
      finding(
        'orphan-archive',
        null,
        hash,
        1,
        `archive:${hash}.tar.zst is of a medium that the database does not know`,
      ),
    )
  }
  findings.push(...(await auditPartitions(world)), ...(await auditBlobs(world)), ...(await auditStore(world)))
  const order = Object.keys(findingCodes)
  return findings.toSorted(
    (a, b) =>
      order.indexOf(a.code) - order.indexOf(b.code) || compare(a.medium ?? a.hash, b.medium ?? b.hash),
  )
}

/** 3 where something that is claimed or recorded is not so, 2 for what is left over or not done, 0 for nothing. */
export function auditExit(findings: readonly Finding[]): ExitCode {
  const grave: readonly FindingCode[] = [
    'false-claim',
    'failed-proof',
    'archived-over-nothing',
    'loaded-in-part',
    'missing-blob',
    'wrong-size-blob',
  ]
  if (findings.some(({ code }) => grave.includes(code))) return 3
  return findings.length > 0 ? 2 : 0
}

/** What is known to be wrong by the last proof of a product, however it looks by its names and sizes. */
function failedProofs(row: CatalogueRow, proofs: readonly Proof[]): readonly Finding[] {
  return stageNames.flatMap((stage) => {
    const own = proofs.filter((proof) => proof.stage === stage)
    const last = latestOf(own.at(-1)?.of ?? '', own)
    if (last === undefined || last.ok) return []
    const broken = last.checks.filter(({ ok }) => !ok)
    const told = broken.map(({ name, expected, actual }) => `${name}: expected ${expected}, found ${actual}`)
    return [finding('failed-proof', row, row.hash, broken.length, `${stage}, ${last.at}: ${told.join('; ')}`)]
  })
}

const compare = (a: string | null, b: string | null): number =>
  (a ?? '') < (b ?? '') ? -1 : (a ?? '') > (b ?? '') ? 1 : 0

const hashesOf = (names: readonly string[] | null, ending: string): ReadonlySet<string> =>
  new Set((names ?? []).filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length)))

function finding(
  code: FindingCode,
  row: CatalogueRow | null,
  hash: string | null,
  count: number,
  text: string,
  examples: readonly string[] = [],
): Finding {
  return { code, medium: row?.name ?? null, hash: row?.hash ?? hash, text, count, examples }
}

interface Tally {
  readonly files: string
  readonly decided: string
  readonly blobs: string
  readonly failed: string
}

async function auditMedium(
  row: CatalogueRow,
  there: { readonly raw: boolean; readonly archive: boolean; readonly asDeclared: boolean },
  world: Reader,
): Promise<readonly Finding[]> {
  const say = (code: FindingCode, count: number, text: string, examples: readonly string[] = []): Finding =>
    finding(code, row, row.hash, count, text, examples)
  const findings: Finding[] = []
  const loaded = (row.load?.tables.length ?? 0) > 0
  if (!loaded && row.older !== null) return auditOlder(row, row.older, there.archive, world)
  if (!loaded) {
    const has = [there.raw ? 'its enumeration' : '', there.archive ? 'its archive' : ''].filter(
      (one) => one !== '',
    )
    const beside = has.length === 0 ? '' : `; ${has.join(' and ')} ${has.length === 1 ? 'is' : 'are'} there`
    if (!there.asDeclared) findings.push(say('never-loaded', 1, `no rows are loaded${beside}`))
    if (row.enumDone !== null)
      findings.push(say('false-claim', 1, `enum_done is set (${row.enumDone}), and no rows are loaded`))
    if (row.copyDone !== null)
      findings.push(say('false-claim', 1, `copy_done is set (${row.copyDone}), and no rows are loaded`))
    if (there.archive) findings.push(say('archived-over-nothing', 1, 'archived, and nothing was ever loaded'))
    return findings
  }
  const [tally] = await world.query<Tally>(tallies, [row.mediumId])
  const files = Number(tally?.files)
  const open = files - Number(tally?.decided)
  if (tally === undefined || Number.isNaN(open)) throw new TypeError('the tally of a medium is four numbers')
  if (open > 0) {
    const paths = await world.query<{ path: Buffer }>(openPaths, [row.mediumId, examplesKept])
    const examples = paths.map(({ path }) => path.toString('latin1'))
    findings.push(
      say(
        'copied-in-part',
        open,
        `${open} of ${files} files have no content in the store and no reason`,
        examples,
      ),
    )
    if (row.copyDone !== null) {
      findings.push(
        say(
          'false-claim',
          open,
          `copy_done is set (${row.copyDone}), and ${open} of ${files} files were never copied`,
        ),
      )
    }
    if (there.archive)
      findings.push(
        say('archived-over-nothing', open, `archived, and ${open} of ${files} files were never copied`),
      )
    return findings
  }
  const absent = [row.enumDone === null ? 'enum_done' : '', row.copyDone === null ? 'copy_done' : ''].filter(
    (one) => one !== '',
  )
  if (absent.length > 0) {
    findings.push(
      say(
        'unclaimed',
        files,
        `all ${files} files have an outcome; only ${absent.join(' and ')} ${absent.length === 1 ? 'is' : 'are'} missing`,
      ),
    )
  }
  return findings
}

/** What the older pipeline left of a medium that is not loaded here yet, as it was seen when it was taken over. */
async function auditOlder(
  row: CatalogueRow,
  { sorting, claims: { enumDone, copyDone }, files, lost, paths, records, seenAt }: OlderRecord,
  isArchived: boolean,
  world: Reader,
): Promise<readonly Finding[]> {
  const seen = `the older pipeline, seen ${seenAt}`
  const say = (code: FindingCode, count: number, text: string, examples: readonly string[] = []): Finding =>
    finding(code, row, row.hash, count, `${text} (${seen})`, examples)
  const claimed = [enumDone === null ? '' : 'enum_done', copyDone === null ? '' : 'copy_done'].filter(
    (one) => one !== '',
  )
  if (sorting === 'complete') {
    const absent = ['enum_done', 'copy_done'].filter((one) => !claimed.includes(one))
    return absent.length === 0
      ? []
      : [
          say(
            'unclaimed',
            files,
            `all ${files} files have a content or a reason; only ${absent.join(' and ')} missing`,
          ),
        ]
  }
  const what = {
    'never-loaded': 'nothing was ever loaded',
    'loaded-in-part': `${paths} of ${records ?? 'unknown many'} entries were loaded`,
    'copied-in-part': `${lost} of ${files} files have no content in the store and no reason`,
  }[sorting]
  const count = sorting === 'copied-in-part' ? lost : 1
  const named = await world.query<{ examples: readonly Buffer[] }>(
    `select examples[1:${examplesKept}] as examples from older where medium_hash = $1`,
    [row.hash],
  )
  const examples = named.flatMap((one) => one.examples.map((path) => path.toString('latin1')))
  // A copy cannot be done of what was not loaded; a load can be of what was copied in part.
  const untrue = claimed.filter((one) => sorting !== 'copied-in-part' || one === 'copy_done')
  return [
    say(sorting, count, what, examples),
    ...untrue.map((one) => say('false-claim', count, `${one} is set, and ${what}`)),
    ...(isArchived ? [say('archived-over-nothing', count, `archived, and ${what}`)] : []),
  ]
}

const tallies = `
  select count(*)::text as files, count(o.ino)::text as decided,
         count(*) filter (where o.state = 'b')::text as blobs, count(*) filter (where o.state = 'e')::text as failed
    from inode i left join outcome o on o.medium_id = $1 and o.fs = i.fs and o.ino = i.ino
   where i.medium_id = $1 and i.type = 'f'`

const openPaths = `
  select p.path from path p
   where p.medium_id = $1
     and (p.fs, p.ino) in (
       select i.fs, i.ino from inode i
        where i.medium_id = $1 and i.type = 'f'
          and not exists (select from outcome o where o.medium_id = $1 and o.fs = i.fs and o.ino = i.ino))
   order by p.path limit $2`

async function auditPartitions(world: Reader): Promise<readonly Finding[]> {
  const rows = await world.query<{ name: string }>(`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('inode'::regclass, 'directory'::regclass, 'entry'::regclass, 'outcome'::regclass) and c.relkind = 'r'
       and not exists (select from medium m where m.medium_id::text = split_part(c.relname, '_', 2))
     order by 1`)
  return rows.map(({ name }) =>
    finding('orphan-partition', null, null, 1, `table ${name} belongs to no medium`, [name]),
  )
}

const batch = 1000

/** Every blob that the database knows is looked at on the disk, with its size. */
async function auditBlobs(world: Reader): Promise<readonly Finding[]> {
  const missing = gather(
    'missing-blob',
    (count) => `${count} contents that the database knows are not in the store`,
  )
  const wrong = gather(
    'wrong-size-blob',
    (count) => `${count} contents have another size in the store than in the database`,
  )
  for await (const rows of blobRows(world)) {
    const held = await world.blobs(rows.map(({ id }) => id))
    for (const { id, size } of rows) {
      const bytes = held.get(id)
      if (bytes === undefined) missing.add(id)
      else if (bytes !== size) wrong.add(`${id} (${size} expected, ${bytes} found)`)
    }
  }
  return [...missing.done(), ...wrong.done()]
}

async function* blobRows(world: Reader, from = ''): AsyncGenerator<readonly { id: string; size: number }[]> {
  let last = from
  for (;;) {
    const rows = await world.query<{ id: string; size: string }>(
      `select encode(blob_id, 'hex') as id, size::text from blob where blob_id > decode($1, 'hex') order by blob_id limit ${batch}`,
      [last],
    )
    if (rows.length === 0) return
    yield rows.map(({ id, size }) => ({ id, size: Number(size) }))
    last = rows.at(-1)?.id ?? last
  }
}

/** Every name of the store is looked up in the database. */
async function auditStore(world: Reader): Promise<readonly Finding[]> {
  const orphan = gather(
    'orphan-blob',
    (count) => `${count} contents of the store are not known to the database`,
  )
  for (const first of await hexFolders(world, 'by-hash:')) {
    for (const second of await hexFolders(world, `by-hash:${first}`)) {
      const names = (await world.names(`by-hash:${first}/${second}`)) ?? []
      const ids = names.filter((name) => /^[0-9a-f]{64}$/.test(name))
      // What was put aside was found to be wrong, and told; it is kept on purpose.
      const strangers = names.filter((name) => !ids.includes(name) && !/^[0-9a-f]{64}\.aside-/.test(name))
      for (const name of strangers) orphan.add(`${first}/${second}/${name}`)
      const rows = await world.query<{ id: string }>(
        `select encode(blob_id, 'hex') as id from blob where blob_id = any (select decode(unnest($1::text[]), 'hex'))`,
        [ids],
      )
      const known = new Set(rows.map(({ id }) => id))
      for (const id of ids) if (!known.has(id) && id !== olderEmpty) orphan.add(id)
    }
  }
  return orphan.done()
}

const hexFolders = async (world: Reader, place: Place): Promise<readonly string[]> =>
  ((await world.names(place)) ?? []).filter((name) => /^[0-9a-f]{2}$/.test(name))

/** Counts all, keeps the first few. */
function gather(
  code: FindingCode,
  text: (count: number) => string,
): { add(name: string): void; done(): readonly Finding[] } {
  let count = 0
  const examples: string[] = []
  return {
    add(name) {
      count += 1
      if (examples.length < examplesKept) examples.push(name)
    },
    done: () => (count === 0 ? [] : [finding(code, null, null, count, text(count), examples)]),
  }
}
