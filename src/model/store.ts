// Which filesystem a root must be: the one that the database knows, by the id in its marker file.
import { each } from './each.ts'
import { ObserveError, survivable } from './errors.ts'
import { blobPlace, rootMarker } from './places.ts'
import { shellWord } from './shell.ts'
import type { Reader, RootName, Writer } from './world.ts'

/** Ids of a root: as the database knows it (null: it knows of none yet), and as the marker file says (null: there is none). */
export interface RootIds {
  readonly known: string | null
  readonly found: string | null
}

/** A root of products beside the store of contents. */
export type ProductRoot = Extract<RootName, 'image' | 'raw' | 'archive'>
export const productRoots: readonly ProductRoot[] = ['image', 'raw', 'archive']

/** The id of a root that the database knows; null: it knows of none yet. */
export async function knownRootId(root: RootName, query: Reader['query']): Promise<string | null> {
  const [row] = await query<{ store_id: string }>('select store_id from store where root = $1', [root])
  return row?.store_id ?? null
}

/** The id in the marker file; null: there is none. */
export const markedRootId = async (root: RootName, world: Pick<Reader, 'text'>): Promise<string | null> =>
  (await world.text(rootMarker(root)))?.trim() ?? null

/** Why a root is not the one that the database knows; null: it is, or the database knows none. */
export function otherRoot(root: RootName, path: string, { known, found }: RootIds): string | null {
  if (known === null || known === found) return null
  const is = found === null ? 'is not there, or has no marker' : `is marked ${found}`
  return `${root}: (${path}) ${is}, and the database knows it as ${known}`
}

export function otherRootHint(root: RootName, path: string, { known }: RootIds): string {
  const marker = shellWord(`${path}/${rootMarker(root).replace(`${root}:`, '')}`)
  const take = `mkdir -p ${shellWord(path)} && echo ${known} >${marker}`
  return `Mount the right filesystem there, or set the root ${root} to where it lies now. If it is lost for good, and this folder is to take its place: ${take}`
}

/** Throws ObserveError where another filesystem, or none, is in the place of a root: that says nothing about what it holds. */
export async function needKnownRoot(
  root: RootName,
  known: string | null,
  world: Pick<Reader, 'text' | 'path'>,
): Promise<RootIds> {
  const ids = { known, found: await markedRootId(root, world) }
  const path = world.path(`${root}:`)
  const other = otherRoot(root, path, ids)
  if (other !== null) throw new ObserveError(other, { hint: otherRootHint(root, path, ids) })
  return ids
}

/** The same, with what the database knows asked for as well. */
export async function needRoot(
  root: RootName,
  query: Reader['query'],
  world: Pick<Reader, 'text' | 'path'>,
): Promise<void> {
  await needKnownRoot(root, await knownRootId(root, query), world)
}

/** A root that is to be written to: it must be the one that the database knows; where that knows none, this one is marked. */
export async function takeRoot(root: ProductRoot, world: Writer): Promise<void> {
  const known = await knownRootId(root, (sql, params) => world.query(sql, params))
  if (known !== null) {
    await needKnownRoot(root, known, world)
    return
  }
  await world.transaction(async (tx) => {
    // One at a time: whoever comes second finds what the first has made.
    await tx.execute('lock table store in share row exclusive mode')
    const { known: now, found } = await needKnownRoot(
      root,
      await knownRootId(root, (sql, params) => tx.query(sql, params)),
      world,
    )
    if (now !== null) return
    const [made] = await tx.query<{ id: string }>('select gen_random_uuid()::text as id')
    const id = found ?? made?.id ?? ''
    // The marker first: of one that the database does not know the next run takes the id.
    if (found === null) await world.create(rootMarker(root), each([Buffer.from(`${id}\n`)]))
    await tx.execute('insert into store (root, store_id) values ($1, $2)', [root, id])
  })
}

/** What lies under the name of a content that the store does not hold, to be said behind it; empty: nothing. */
export async function inPlaceOf(blob: string, world: Pick<Reader, 'stat'>): Promise<string> {
  try {
    const found = await world.stat(blobPlace(blob))
    if (found === null) return ''
    return found.kind === 'directory' ? 'a folder lies in its place' : 'a link lies in its place'
  } catch (error) {
    survivable(error)
    return 'something that is no file lies in its place'
  }
}
