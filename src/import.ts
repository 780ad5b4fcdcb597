// What the older pipeline left, medium by medium: its rows against its enumerations and its store. Believes no flag, writes nothing.
import { ObserveError, survivable } from './model/errors.ts'
import {
  olderEmpty,
  type OlderBlobs,
  type OlderClaims,
  type OlderLook,
  type OlderTally,
} from './model/older.ts'
import { decodeRaw, RawError, type RawTail } from './model/raw/index.ts'
import { legacyRoot } from './model/raw/legacy.ts'
import { readRange } from './model/range.ts'
import type { Reader } from './model/world.ts'

type Query = Reader['query']

/** A row of its `medium`, and where its bytes are to be read. */
export interface OlderSource {
  /** As its database spells it; 32 hex digits where it can be a medium of ours. */
  readonly hash: string
  readonly human: string | null
  readonly message: string | null
  readonly addedAt: string | null
  readonly imagePath: string | null
  readonly claims: OlderClaims
  /** Bytes; null: not there. */
  readonly image: number | null
  /** The folder that a tree was walked at, as its enumeration says; null for a mounted image, or where nothing tells. */
  readonly tree: string | null
}

/** The same, and what its products hold. */
export interface OlderMedium extends OlderSource, OlderLook {
  /** Bytes; null: not there. */
  readonly archive: number | null
  /** Its archive lies in the folder that the older pipeline kept for floppies, where nobody looks for one. */
  readonly isBelowFloppies: boolean
  /** Names of the first files without content, as one char for each byte. */
  readonly examples: readonly string[]
}

const examplesKept = 100
const atOnce = 5000

/** Media that its database or its stores know, in the order of their hashes. Throws ObserveError where it is another database. */
export async function olderMedia(older: Query, world: Reader): Promise<readonly string[]> {
  await needSchema(older)
  const rows = await older<{ hash: string }>('select medium_hash as hash from medium')
  const names = await Promise.all([world.names('image:'), world.names('raw:'), world.names('archive:')])
  const files = names.flatMap((some) =>
    (some ?? []).flatMap((name) => /^([0-9a-f]{32})\.(?:img|raw|tar\.zst)$/.exec(name)?.[1] ?? []),
  )
  return [...new Set([...rows.map(({ hash }) => hash), ...files])].toSorted()
}

/** What one of them is and where its bytes lie: cheap, so that all are asked before the first is taken over. */
export async function sourceOfOlder(hash: string, older: Query, world: Reader): Promise<OlderSource> {
  const [row] = await older<{ row: Readonly<Record<string, unknown>> }>(
    'select to_jsonb(m) as row from medium m where medium_hash = $1',
    [hash],
  )
  const text = (column: string): string | null => {
    const value = row?.row[column]
    return typeof value === 'string' && value !== '' ? value : null
  }
  const image = isOurs(hash) ? await world.stat(`image:${hash}.img`) : null
  return {
    hash,
    human: text('medium_human'),
    message: text('message'),
    addedAt: text('added_at'),
    imagePath: text('image_path'),
    claims: { enumDone: text('enum_done'), copyDone: text('copy_done'), health: text('health') },
    image: image?.bytes ?? null,
    tree: isOurs(hash) ? await treeOf(hash, world) : null,
  }
}

/** Names of another shape are no names of ours to look for. */
const isOurs = (hash: string): boolean => /^[0-9a-f]{32}$/.test(hash)

/** Looks at one of them. */
async function lookAtOlder(hash: string, older: Query, world: Reader): Promise<OlderMedium> {
  const source = await sourceOfOlder(hash, older, world)
  const [archive, floppy] = isOurs(hash)
    ? await Promise.all([
        world.stat(`archive:${hash}.tar.zst`),
        world.stat(`archive:floppies/${hash}.tar.zst`),
      ])
    : [null, null]
  const [paths] = await older<{ count: string }>(
    'select count(*)::text as count from path where medium_hash = $1',
    [hash],
  )
  const { tally, examples } = await tallyFiles(hash, older, world)
  return {
    ...source,
    archive: archive?.bytes ?? null,
    isBelowFloppies: archive === null && floppy !== null,
    raw: isOurs(hash) ? await lookAtRaw(hash, world) : null,
    paths: Number(paths?.count),
    tally,
    examples,
  }
}

/** What is asked of it must be there; columns beside these may be or not. */
async function needSchema(older: Query): Promise<void> {
  const columns = await older<{ name: string }>(
    `select c.relname || '.' || a.attname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.oid in (to_regclass('medium'), to_regclass('inode'), to_regclass('path')) and a.attnum > 0`,
  )
  const there = new Set(columns.map(({ name }) => name))
  const missing = needed.filter((name) => !there.has(name))
  if (missing.length > 0)
    throw new ObserveError(`it is not a database of the older pipeline: ${missing.join(', ')} not there`, {
      hint: 'Name the one that the older pipeline wrote to, such as postgres:///copyjob.',
    })
}

const needed = [
  'medium.medium_hash',
  'inode.medium_hash',
  'inode.ino',
  'inode.fs_type',
  'inode.size',
  'inode.blobid',
  'path.medium_hash',
  'path.ino',
  'path.path',
  'path.exclude_reason',
]

interface FileRow {
  readonly ino: string
  readonly size: string | null
  readonly blob: string | null
}

/** Every file inode, and those whose type it does not tell, in pages along the primary key, against the store and against the names of what has no content. */
async function tallyFiles(
  hash: string,
  older: Query,
  world: Reader,
): Promise<{ readonly tally: OlderTally; readonly examples: readonly string[] }> {
  const tally = { files: 0, kept: 0, excluded: 0, uncopied: 0, missing: 0, otherSize: 0 }
  const examples: string[] = []
  for (let after = '-9223372036854775808', more = true; more;) {
    const rows = await older<FileRow>(
      `select ino::text, size::text, blobid::text as blob from inode
        where medium_hash = $1 and ino > $2 and coalesce(fs_type, 'f') = 'f' order by ino limit ${atOnce}`,
      [hash, after],
    )
    more = rows.length === atOnce
    after = rows.at(-1)?.ino ?? after
    const without: string[] = []
    const held = await world.blobs(rows.flatMap(({ blob }) => (isBlob(blob) ? [blob] : [])))
    for (const { ino, size, blob } of rows) {
      tally.files += 1
      const bytes = isBlob(blob) ? held.get(blob) : undefined
      // A size that it does not know is not none: nothing holds what nobody knows the size of.
      const isKept = size !== null && (bytes === Number(size) || (isBlob(blob) && size === '0'))
      if (isKept) tally.kept += 1
      else {
        without.push(ino)
        if (bytes !== undefined) tally.otherSize += 1
        else if (blob === null) tally.uncopied += 1
        else tally.missing += 1
      }
    }
    if (without.length === 0) continue
    // Left out is only what has no name that was not.
    const left = await older<{ ino: string; blob: string | null }>(
      `select p.ino::text as ino, i.blobid::text as blob from path p join inode i using (medium_hash, ino)
        where p.medium_hash = $1 and p.ino = any ($2::int8[])
        group by p.ino, i.blobid having bool_and(p.exclude_reason is not null)`,
      [hash, without],
    )
    const excluded = new Set(left.filter(({ blob }) => blob === null).map(({ ino }) => ino))
    tally.excluded += excluded.size
    tally.uncopied -= excluded.size
    const wanted = without.filter((ino) => !excluded.has(ino))
    if (wanted.length === 0 || examples.length >= examplesKept) continue
    const named = await older<{ path: Buffer }>(
      'select path from path where medium_hash = $1 and ino = any ($2::int8[]) order by path limit $3',
      [hash, wanted, examplesKept - examples.length],
    )
    examples.push(...named.map(({ path }) => path.toString('latin1')))
  }
  return { tally, examples }
}

const isBlob = (blob: string | null): blob is string => blob !== null && /^[0-9a-f]{64}$/.test(blob)

/** The folder that its enumeration begins with. */
async function treeOf(hash: string, world: Reader): Promise<string | null> {
  const place = `raw:${hash}.raw`
  const stat = await world.stat(place)
  if (stat === null) return null
  const root = legacyRoot(await readRange(world, place, { start: 0, end: Math.min(stat.bytes, 65_536) }))
  return root === null || root.startsWith('/mnt/ntt/') ? null : root
}

/** Reads the enumeration through. */
async function lookAtRaw(hash: string, world: Reader): Promise<OlderLook['raw']> {
  const place = `raw:${hash}.raw`
  if ((await world.stat(place)) === null) return null
  const ended: RawTail[] = []
  try {
    for await (const batch of decodeRaw(world.read(place), (tail) => ended.push(tail)))
      batch satisfies readonly unknown[]
  } catch (error) {
    if (error instanceof RawError) return 'damaged'
    throw error
  }
  const counts = ended[0]?.counts
  if (counts === undefined) throw new ObserveError(`${place} was read, and its end was not seen`)
  const sum = (name: 'records' | 'files'): number => counts.reduce((all, one) => all + one[name], 0)
  return { records: sum('records'), files: sum('files') }
}

/** Its table of contents against the store; null: it has none. Hex text, though the column was bytea once. */
export async function lookAtBlobs(older: Query, world: Reader): Promise<OlderBlobs | null> {
  const [table] = await older<{ there: boolean }>("select to_regclass('blobs') is not null as there")
  if (table?.there !== true) return null
  const found = { rows: 0, missing: 0, examples: new Array<string>() }
  for (let after = '', more = true; more;) {
    const rows = await older<{ id: string }>(
      `select blobid::text as id from blobs where blobid::text > $1 order by blobid::text limit ${atOnce}`,
      [after],
    )
    more = rows.length === atOnce
    after = rows.at(-1)?.id ?? after
    const held = await world.blobs(rows.flatMap(({ id }) => (isBlob(id) ? [id] : [])))
    const missing = rows.filter(({ id }) => !held.has(id) && id !== olderEmpty)
    found.rows += rows.length
    found.missing += missing.length
    const room = Math.max(0, examplesKept - found.examples.length)
    found.examples.push(...missing.slice(0, room).map(({ id }) => id))
  }
  return found
}

/** A medium that could not be looked at is told, and does not keep the others from being looked at. */
export async function lookOrTell(
  hash: string,
  older: Query,
  world: Reader,
): Promise<OlderMedium | { readonly hash: string; readonly unknown: string }> {
  try {
    return await lookAtOlder(hash, older, world)
  } catch (error) {
    return { hash, unknown: survivable(error).message }
  }
}
