// Contents that are not as they should be: all are counted, the first few kept, and told by the paths that hold them.
import { inPlaceOf } from '../../model/store.ts'
import type { Reader } from '../../model/world.ts'

export const examplesKept = 20
/** So many paths of bad contents are named; an empty file may have millions. */
const pathsOfBad = 1000

/** Counts all, keeps the first few. */
export class Examples {
  count = 0
  /** Blob to what is to be said of it, which may be nothing. */
  readonly kept = new Map<string, string>()
  get isFull(): boolean {
    return this.kept.size >= examplesKept
  }

  add(blob: string, about = ''): void {
    this.count += 1
    if (!this.isFull) this.kept.set(blob, about)
  }
}

/** Contents that are not as they should be, by their paths. */
export interface Bad {
  readonly lines: readonly string[]
  /** A path that holds one of them; undefined: none does any more. */
  readonly first: Buffer | undefined
}

/** Each path that holds one of these contents, with the content and what is wrong with it. */
export async function withPaths(id: number, { count, kept }: Examples, world: Reader): Promise<Bad> {
  const blobs = [...kept.keys()]
  const rows = await world.query<{ blob: string; path: Buffer }>(
    `select encode(o.blob_id, 'hex') as blob, p.path from outcome o join path p on p.medium_id = $1 and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.blob_id = any (select decode(unnest($2::text[]), 'hex'))
      order by o.blob_id, p.fs, p.path limit ${pathsOfBad + 1}`,
    [id, blobs],
  )
  const lines = rows
    .slice(0, pathsOfBad)
    .map(({ blob, path }) => `${path.toString('latin1')}: ${blob}${kept.get(blob) ?? ''}`)
  const named = new Set(rows.map(({ blob }) => blob))
  const told = [
    ...lines,
    ...blobs.filter((blob) => !named.has(blob)).map((blob) => `${blob}${kept.get(blob) ?? ''}`),
    ...(rows.length > pathsOfBad ? ['and more paths'] : []),
    ...(count > kept.size ? [`and ${count - kept.size} more contents`] : []),
  ]
  return { lines: told, first: rows[0]?.path }
}

/** What lies in the place of a content that is not there, to be said behind it. */
export async function inPlace(blob: string, world: Reader): Promise<string> {
  const instead = await inPlaceOf(blob, world)
  return instead === '' ? '' : `: ${instead}`
}
