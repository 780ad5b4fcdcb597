// The tree of a directory medium as members of its archive: entries from the raw, contents from the store.
import type { Entry } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import { listLine, rawListLine, treeName } from '../../model/manifest.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { decodeRaw } from '../../model/raw/index.ts'
import { tarTime, type TarHeader, type TarType } from '../../model/tar.ts'
import type { Place, Reader } from '../../model/world.ts'

export interface TreeMember {
  readonly header: TarHeader
  /** BLAKE3 of a file's content, also of one that is written as a link to another; null for all but files. */
  readonly blake3: string | null
  /** Where the content lies; null where there is none to write. */
  readonly place: Place | null
}

/** A file of the medium that has no content in the store, by what became of it. */
export interface LeftOut {
  readonly leftOut: string
}

/** What became of a file: the states of the table `outcome`. */
interface OutcomeRow {
  readonly ino: string
  readonly state: string
  readonly blob: string | null
  readonly size: string | null
}

const emptyBlake3 = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'
const states: Readonly<Record<string, string>> = { x: 'excluded', d: 'damaged', e: 'failed' }
const types: Readonly<Record<Entry['type'], TarType | null>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  c: 'char',
  b: 'block',
  // tar has no place for these; the raw holds them.
  s: null,
  '?': null,
}

/**
 * Every entry of the medium, in the order of its raw; the same each time it is asked. Memory: the first name of each inode
 * with several names, until all of them have passed.
 */
export async function* treeMembers(medium: Medium, world: Reader): AsyncGenerator<TreeMember | LeftOut> {
  const row = await world.catalogue(medium.hash)
  if (row === null) throw new ObserveError(`the catalogue does not know ${medium.hash}`)
  const links = new Map<bigint, { readonly name: Buffer; left: number }>()
  for await (const records of decodeRaw(world.read(rawPlace(medium)))) {
    const entries = records.flatMap((record) => ('entry' in record ? [record.entry] : []))
    const outcomes = await outcomesOf(row.mediumId, entries, world)
    for (const entry of entries) {
      const type = types[entry.type]
      if (type === null) yield { leftOut: entry.type === 's' ? 'sockets' : 'unknown' }
      else if (type !== 'file') yield { header: headerOf(entry, type, 0), blake3: null, place: null }
      else yield file(entry, outcomes.get(entry.ino), links)
    }
  }
}

function file(
  entry: Entry,
  outcome: OutcomeRow | undefined,
  links: Map<bigint, { readonly name: Buffer; left: number }>,
): TreeMember | LeftOut {
  // Nothing is wrong with an archive that is held against half a copy: it cannot be done yet.
  if (outcome === undefined)
    throw new ObserveError(`${shown(entry)} has no outcome: the copy is not complete`)
  if (outcome.state !== 'b') return { leftOut: states[outcome.state] ?? outcome.state }
  const { blob, size } = outcome
  if (blob === null || size === null) throw new RunError(`${shown(entry)} has an outcome without a blob`)
  const blake3 = Number(size) === 0 ? emptyBlake3 : blob
  const first = links.get(entry.ino)
  if (first !== undefined) {
    first.left -= 1
    if (first.left === 0) links.delete(entry.ino)
    return { header: { ...headerOf(entry, 'link', 0), target: first.name }, blake3, place: null }
  }
  const header = headerOf(entry, 'file', Number(size))
  if (entry.nlink > 1) links.set(entry.ino, { name: header.name, left: entry.nlink - 1 })
  return { header, blake3, place: `by-hash:${blob.slice(0, 2)}/${blob.slice(2, 4)}/${blob}` }
}

function headerOf(entry: Entry, type: TarType, size: number): TarHeader {
  const below = entry.path.length === 0 ? [] : [Buffer.from('/'), entry.path]
  return {
    name: Buffer.concat([Buffer.from(treeName), ...below]),
    type,
    size,
    target: type === 'symlink' && entry.target !== null ? Buffer.from(entry.target) : null,
    mode: entry.mode ?? (type === 'directory' ? 0o755 : 0o644),
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    mtime: tarTime(entry.mtimeNs),
    major: Number(entry.rdev >> 32n),
    minor: Number(entry.rdev & 0xffff_ffffn),
  }
}

async function outcomesOf(
  mediumId: number,
  entries: readonly Entry[],
  world: Reader,
): Promise<ReadonlyMap<bigint, OutcomeRow>> {
  const files = entries.filter(({ type }) => type === 'f')
  if (files.length === 0) return new Map()
  // The database keeps the 64 bits of an inode number as a signed number.
  const inos = new Map(files.map(({ ino }) => [String(BigInt.asIntN(64, ino)), ino]))
  const rows = await world.query<OutcomeRow>(outcomesSql, [mediumId, [...inos.keys()]])
  return new Map(
    rows.flatMap((row) => {
      const ino = inos.get(row.ino)
      return ino === undefined ? [] : [[ino, row] as const]
    }),
  )
}

const outcomesSql = `
  select o.ino::text as ino, o.state::text as state, encode(o.blob_id, 'hex') as blob, b.size::text as size
    from outcome o left join blob b using (blob_id)
   where o.medium_id = $1 and o.fs = 0 and o.ino = any($2::int8[])`

const shown = ({ path }: Entry): string => JSON.stringify(path.toString('utf8'))

/** One line for each file of the tree, for `b3sum -c` (`utf8`) or, for names that it cannot read, ended by NUL (`bytes`). */
export async function* treeLines(
  medium: Medium,
  world: Reader,
  which: 'utf8' | 'bytes',
): AsyncGenerator<Buffer> {
  for await (const member of treeMembers(medium, world)) {
    if ('leftOut' in member || member.blake3 === null) continue
    const line = lineOf(member.header.name, member.blake3)
    if (line.which === which) yield line.bytes
  }
}

/** The line of a file, and the list that it belongs to. */
export function lineOf(name: Buffer, blake3: string): { which: 'utf8' | 'bytes'; bytes: Buffer } {
  const line = listLine(blake3, name)
  return line === null ? { which: 'bytes', bytes: rawListLine(blake3, name) } : { which: 'utf8', bytes: line }
}
