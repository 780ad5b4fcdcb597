// An enumeration whose source is away, against the one that the archive holds.
import { ObserveError, messageOf } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, rawPlace } from '../../model/places.ts'
import { PackError } from '../../model/seekable.ts'
import type { Check } from '../../model/stage.ts'
import { TarError } from '../../model/tar.ts'
import { membersOf } from '../../model/unarchive.ts'
import type { Digest, Reader } from '../../model/world.ts'

/** What lies there is, byte for byte, what was archived. Throws ObserveError where no archive can say so: that it differs is the archive's to tell. */
export async function sameAsArchived(medium: Medium, world: Reader): Promise<Check> {
  const away = 'there is nothing to walk again: neither image nor directory is there'
  if ((await world.stat(archivePlace(medium))) === null) throw new ObserveError(away)
  const archived = await digestOfArchived(medium, world).catch((error: unknown) => {
    if (!(error instanceof PackError || error instanceof TarError)) throw error
    throw new ObserveError(`${away}, and the archive cannot be read: ${messageOf(error)}`, { cause: error })
  })
  const { blake3 } = await world.digest(rawPlace(medium))
  if (archived?.blake3 !== blake3)
    throw new ObserveError(`${away}, and the archive does not hold this enumeration`)
  return { name: 'archived', ok: true, expected: blake3, actual: blake3 }
}

async function digestOfArchived(medium: Medium, world: Reader): Promise<Digest | null> {
  let digest: Digest | null = null
  for await (const { is, type, content } of membersOf(medium, world)) {
    if (is !== `${medium.hash}.raw` || type !== 'file') continue
    const hasher = world.hasher()
    for await (const chunk of content) hasher.update(chunk)
    digest = hasher.digest()
  }
  return digest
}
