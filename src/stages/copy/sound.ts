// Whether an image is still what was proven of it: before anything is copied from it.
import { VerifyError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage } from '../../model/places.ts'
import { provenImage } from '../../model/proven-image.ts'
import type { Reader } from '../../model/world.ts'

/** Throws where the image is not what was proven of it: what has rotted in it would pass for contents. Read where this run has not read it. */
export async function needSoundImage(medium: Medium, world: Reader): Promise<void> {
  const image = medium.source.type === 'directory' ? null : await findImage(medium, world)
  if (image === null) return
  const proof = await provenImage(medium, world)
  if (proof === null || (await world.digestOnce(image.place)).blake3 === proof.content) return
  throw new VerifyError('the image is not what was proven of it any more: nothing is copied from it', {
    hint: `ntt verify --depth hash ${medium.name} proves the image; then ntt apply takes it from the archive, where there is one. Else the medium is needed again.`,
  })
}
