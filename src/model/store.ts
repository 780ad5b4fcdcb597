// Which store `by-hash:` must be: the one that the database knows, by the id in its marker file.
import { ObserveError, survivable } from './errors.ts'
import { blobPlace, storeMarker } from './places.ts'
import type { Reader } from './world.ts'

/** Ids of a store: as the database knows it (null: it knows of none yet), and as the marker file says (null: there is none). */
export interface StoreIds {
  readonly known: string | null
  readonly found: string | null
}

/** The id of the store that the database knows; null: it knows of none yet. */
export async function knownStoreId(
  query: <Row>(sql: string) => Promise<readonly Row[]>,
): Promise<string | null> {
  const [row] = await query<{ store_id: string }>("select store_id from store where root = 'by-hash'")
  return row?.store_id ?? null
}

/** The id in the marker file; null: there is none. */
export const markedStoreId = async (world: Pick<Reader, 'text'>): Promise<string | null> =>
  (await world.text(storeMarker))?.trim() ?? null

/** Throws ObserveError where another filesystem, or none, is in the place of the store: that says nothing about its contents. */
export async function needKnownStore(
  known: string | null,
  world: Pick<Reader, 'text' | 'path'>,
): Promise<StoreIds> {
  const found = await markedStoreId(world)
  if (known === null || known === found) return { known, found }
  const is = found === null ? 'has no marker' : `is the store ${found}`
  throw new ObserveError(
    `by-hash: (${world.path('by-hash:')}) ${is}, the database knows the store ${known}`,
    {
      hint: 'Mount the right filesystem there, or set the root to where the store lies now.',
    },
  )
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
