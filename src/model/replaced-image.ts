// Whether the image of a medium is the first one, or took the place of another.
import type { Medium } from './medium.ts'
import type { Reader } from './world.ts'

/** The digest that the image's proofs keep where it took the place of another one; empty: it is the first, or nobody has proven it. */
export async function replacedImage(
  { hash }: Pick<Medium, 'hash'>,
  world: Pick<Reader, 'catalogue' | 'query'>,
): Promise<string> {
  // Of what the database has never met nothing was proven.
  if ((await world.catalogue(hash)) === null) return ''
  const [proof] = await world.query<{ image: string | null }>(
    "select facts ->> 'image' as image from proof where medium_hash = $1 and stage = 'image' and ok order by proof_id desc limit 1",
    [hash],
  )
  return proof?.image ?? ''
}
