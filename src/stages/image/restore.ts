// An image out of its archive: unpacked beside, compared with the manifest, then given its name.
import { RunError } from '../../model/errors.ts'
import { manifestName, parseManifest, type Manifest } from '../../model/manifest.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, imagePlace, mapBeside } from '../../model/places.ts'
import { PackError } from '../../model/seekable.ts'
import { TarError } from '../../model/tar.ts'
import { untar, type TarMember } from '../../model/untar.ts'
import type { Digest, Place, Reader, Writer } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'

/** The members of an archive of this medium, by the last part of their names. */
export async function* membersOf(
  medium: Medium,
  world: Reader,
): AsyncGenerator<TarMember & { readonly is: string }> {
  for await (const member of untar(unpackedBy(world, archivePlace(medium)))) {
    yield { ...member, is: member.name.toString('utf8').replace(/^.*\//, '') }
  }
}

/** Restores image and map. Nothing gets its name before the archive was read to its end and all its digests agreed. */
export async function restore(medium: Medium, world: Writer): Promise<void> {
  const parts: { name: string; from: Place; to: Place; digest: Digest }[] = []
  let manifest: Manifest | null = null
  try {
    for await (const member of membersOf(medium, world)) {
      const to = placeFor(member.is, medium)
      if (to !== null && member.type === 'file') {
        const from = world.part(to)
        const digest = await world.create(from, told(member, world))
        parts.push({ name: member.is, from, to, digest })
      } else if (member.is === manifestName) manifest = parseManifest(await textOf(member))
    }
  } catch (error) {
    if (!(error instanceof PackError || error instanceof TarError)) throw error
    throw new RunError(`the archive cannot be read to its end: ${error.message}`, { cause: error })
  }
  const image = parts.find(({ to }) => to === imagePlace(medium))
  if (image === undefined) throw new RunError('the archive holds no image of this medium')
  for (const { name, digest } of manifest === null ? [] : parts) {
    const said = manifest?.members.find((member) => member.name === name)
    if (said?.blake3 !== digest.blake3)
      throw new RunError(`${name} in the archive is not what its manifest says`)
  }
  // The image last: with it the medium is imaged again.
  for (const { from, to } of parts.toReversed()) {
    if ((await world.stat(to)) === null) await world.publish(from, to)
  }
}

function placeFor(name: string, medium: Medium): Place | null {
  if (name === `${medium.hash}.img`) return imagePlace(medium)
  return name === `${medium.hash}.map` ? mapBeside(imagePlace(medium)) : null
}

async function* told({ content, size }: TarMember, world: Reader): AsyncGenerator<Buffer> {
  let done = 0
  for await (const chunk of content) {
    done += chunk.length
    world.progress(done, size, 'bytes')
    yield chunk
  }
}

async function textOf({ content, size }: TarMember): Promise<string> {
  if (size > 16 * 1024 * 1024) throw new PackError(`a manifest of ${size} bytes`)
  const chunks: Buffer[] = []
  for await (const chunk of content) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}
