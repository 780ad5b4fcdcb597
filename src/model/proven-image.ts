// What the record tells of the image of a medium: what it holds, and whether it took the place of another one.
import type { Medium } from './medium.ts'
import type { Reader } from './world.ts'

export interface ProvenImage {
  /** BLAKE3. */
  readonly content: string
  /** The digest that it had when it took the place of another image; it may have been read further since. Empty: it is the first. */
  readonly replaced: string
}

/** By its last good proof that read it; null: there is none. */
export async function provenImage(
  { hash }: Pick<Medium, 'hash'>,
  world: Pick<Reader, 'catalogue' | 'query'>,
): Promise<ProvenImage | null> {
  // Of what the database has never met nothing was proven.
  if ((await world.catalogue(hash)) === null) return null
  const [proof] = await world.query<ProvenImage>(
    `select content, coalesce(facts ->> 'image', '') as replaced from proof
      where medium_hash = $1 and stage = 'image' and ok and content is not null order by proof_id desc limit 1`,
    [hash],
  )
  return proof ?? null
}
