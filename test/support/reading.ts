// What a reader says of a volume, put beside what an independent witness says of the same tree.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { isEntry, type Entry, type EntryError, type Volume } from '../../src/model/entry.ts'
import type { Piece, Reader } from '../../src/model/world.ts'
import type { FsReader } from '../../src/readers/reader.ts'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import { looking, walkTree } from './looking.ts'

export interface Listed {
  readonly entries: readonly Entry[]
  readonly errors: readonly EntryError[]
}

export async function volumeOf(image: string, fs = 0): Promise<Volume> {
  const volumes = await findVolumes(image, statSync(image).size, looking())
  const found = volumes.find((volume) => volume.fs === fs)
  if (found === undefined) throw new Error(`no volume ${fs} in ${image}`)
  return found
}

export async function listAll(
  reader: FsReader,
  image: string,
  volume: Volume,
  world: Reader = looking(),
): Promise<Listed> {
  const entries: Entry[] = []
  const errors: EntryError[] = []
  for await (const batch of reader.list(image, volume, world))
    for (const found of batch) {
      if (isEntry(found)) entries.push({ ...found, path: Buffer.from(found.path) })
      else errors.push(found)
    }
  return { entries, errors }
}

async function bytesOf(piece: Piece): Promise<Buffer> {
  const { origin } = piece
  if (origin.type === 'file')
    return readFileSync(Buffer.concat([Buffer.from(`${origin.root}/`), origin.inside]))
  const chunks: Buffer[] = []
  if (origin.type === 'stream') {
    for await (const chunk of origin.bytes) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }
  const image = openSync(origin.place, 'r')
  for (const { start, end } of origin.ranges) {
    const chunk = Buffer.alloc(start === -1 ? end : end - start)
    if (start !== -1 && readSync(image, chunk, 0, chunk.length, start) !== chunk.length)
      throw new Error(`bytes ${start} to ${end} are past the end of ${origin.place}`)
    chunks.push(chunk)
  }
  closeSync(image)
  return Buffer.concat(chunks)
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16)

/** Path (Latin-1) to digest of content, for every file that was listed, through the reader's `contents`. */
export async function contentsOf(
  reader: FsReader,
  image: string,
  volume: Volume,
  entries: readonly Entry[],
  world: Reader = looking(),
): Promise<ReadonlyMap<string, string>> {
  const files = entries.filter(({ type }) => type === 'f')
  async function* asked(): AsyncGenerator<Entry> {
    yield* files
  }
  const digests = new Map<string, string>()
  for await (const piece of reader.contents(image, volume, asked(), world)) {
    const bytes = await bytesOf(piece)
    if (bytes.length !== piece.size) throw new Error(`${piece.size} bytes stated, ${bytes.length} given`)
    digests.set(piece.key.path.toString('latin1'), sha(bytes))
  }
  return digests
}

/** The same by names in UTF-8, as a mounted volume shows them. */
export const inUtf8 = (digests: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...digests].map(([name, digest]) => [Buffer.from(name, 'latin1').toString('utf8'), digest]))

/** Paths in Latin-1, sorted. */
export const pathsOf = (found: readonly { readonly path: Buffer }[]): string[] =>
  found.map(({ path }) => path.toString('latin1')).toSorted()

/** Where the content of an entry begins in the image; -1: it has none, or is not there. */
export const startOf = ({ entries }: Listed, path: string): number =>
  entries.find((entry) => entry.path.equals(Buffer.from(path)))?.extents?.[0]?.start ?? -1

/** What is compared of an entry, beside its path. */
export interface Compared {
  readonly times?: 'ns' | 's' | 'no'
  readonly modes?: boolean
  readonly links?: boolean
  /** Names that the maker adds. */
  readonly but?: readonly string[]
}

const line = (entry: Entry, how: Compared): string =>
  [
    entry.type,
    entry.size,
    how.times === 'no' || entry.path.length === 0
      ? ''
      : how.times === 's'
        ? String((entry.mtimeNs ?? 0n) / 1_000_000_000n)
        : String(entry.mtimeNs),
    how.modes === false ? '' : `${entry.mode?.toString(8)} ${entry.uid} ${entry.gid} ${entry.rdev}`,
    how.links === false
      ? ''
      : `${entry.type === 'd' ? '' : entry.nlink} ${entry.target?.toString('latin1') ?? ''}`,
  ].join(' | ')

const asLines = (entries: readonly Entry[], how: Compared): Record<string, string> =>
  Object.fromEntries(
    entries
      .map((entry): [string, string] => [entry.path.toString('latin1'), line(entry, how)])
      .filter(([path]) => !(how.but ?? []).includes(path))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** The tree and the listing, each as path to what is known of it: equal when nothing is missing, extra or different. */
export const sideBySide = (
  tree: string,
  entries: readonly Entry[],
  how: Compared = {},
): { readonly expected: Record<string, string>; readonly actual: Record<string, string> } => ({
  expected: asLines(walkTree(tree), how),
  actual: asLines(entries, how),
})

/** Path to digest, of every file of a tree. */
export function contentsOfTree(tree: string): ReadonlyMap<string, string> {
  const files = walkTree(tree).filter(({ type }) => type === 'f')
  return new Map(
    files.map(({ path }) => [
      path.toString('latin1'),
      sha(readFileSync(Buffer.concat([Buffer.from(`${tree}/`), path]))),
    ]),
  )
}
