// What is known of the image that files are copied from: whether it is still what was proven, and whether it is the first one.
import { VerifyError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage } from '../../model/places.ts'
import type { Reader } from '../../model/world.ts'

/** Throws where the image is not what was proven of it: what has rotted in it would pass for contents. Read where this run has not read it. */
export async function needSoundImage(medium: Medium, world: Reader): Promise<void> {
  const image = medium.source.type === 'directory' ? null : await findImage(medium, world)
  if (image === null) return
  const [proof] = await world.query<{ content: string }>(
    "select content from proof where medium_hash = $1 and stage = 'image' and ok and content is not null order by proof_id desc limit 1",
    [medium.hash],
  )
  if (proof === undefined || (await world.digestOnce(image.place)).blake3 === proof.content) return
  throw new VerifyError('the image is not what was proven of it any more: nothing is copied from it', {
    hint: `ntt verify --depth hash ${medium.name} proves the image; then ntt apply takes it from the archive, where there is one. Else the medium is needed again.`,
  })
}

/** The digest that the image's proofs keep where it took the place of another one; empty: it is the first, or nobody has proven it. */
export async function replacedImage({ hash }: Medium, world: Reader): Promise<string> {
  const [proof] = await world.query<{ image: string | null }>(
    "select facts ->> 'image' as image from proof where medium_hash = $1 and stage = 'image' and ok order by proof_id desc limit 1",
    [hash],
  )
  return proof?.image ?? ''
}
