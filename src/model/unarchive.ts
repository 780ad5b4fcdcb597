// Products out of an archive: unpacked beside, compared with its manifest, then given their names.
import { RunError } from './errors.ts'
import { manifestName, parseManifest, treeName, type Manifest } from './manifest.ts'
import type { Medium } from './medium.ts'
import { archivePlace, imagePlace, mapBeside, rawPlace } from './places.ts'
import { PackError } from './seekable.ts'
import { TarError } from './tar.ts'
import { untar, type TarMember } from './untar.ts'
import type { Digest, Hasher, Place, Reader, Writer } from './world.ts'
import { unpackedBy } from './zstd.ts'

/**
 * The members of an archive of this medium, by the last part of their names; `is` is empty for those of a tree, whose names a
 * medium chose. Throws TarError where a product is there twice: nobody could say which one it is.
 */
export async function* membersOf(
  medium: Pick<Medium, 'hash'>,
  world: Reader,
): AsyncGenerator<TarMember & { readonly is: string }> {
  const products = ['img', 'map', 'raw'].map((kind) => `${medium.hash}.${kind}`)
  const met = new Set<string>()
  for await (const member of untar(unpackedBy(world, archivePlace(medium)))) {
    const name = member.name.toString('utf8')
    const is = name.startsWith(`${treeName}/`) ? '' : name.replace(/^.*\//s, '')
    if (products.includes(is)) {
      if (met.has(is)) throw new TarError(`it holds ${is} twice`)
      met.add(is)
    }
    yield { ...member, is }
  }
}

/** Restores image and map. */
export async function restoreImage(medium: Medium, world: Writer): Promise<void> {
  const image = imagePlace(medium)
  const places = { [`${medium.hash}.img`]: image, [`${medium.hash}.map`]: mapBeside(image) }
  if (!(await restore(medium, places, image, world)))
    throw new RunError('the archive holds no image of this medium')
}

/** Restores the enumeration. False: the archive holds none. */
export const restoreRaw = (medium: Medium, world: Writer): Promise<boolean> =>
  restore(medium, { [`${medium.hash}.raw`]: rawPlace(medium) }, rawPlace(medium), world)

/**
 * Members by name to their places; false where `needed` is not among them. Nothing gets its name before the archive was read
 * to its end and all its digests agreed; what lies there, and is not the same, is set aside only then.
 */
async function restore(
  medium: Medium,
  places: Readonly<Record<string, Place>>,
  needed: Place,
  world: Writer,
): Promise<boolean> {
  const parts: { name: string; from: Place; to: Place; digest: Digest }[] = []
  let manifest: Manifest | null = null
  try {
    for await (const member of membersOf(medium, world)) {
      const to = places[member.is]
      if (to !== undefined && member.type === 'file') {
        const from = world.part(to)
        const hasher = world.hasher()
        await world.create(from, told(member, hasher, world))
        parts.push({ name: member.is, from, to, digest: hasher.digest() })
      } else if (member.is === manifestName) manifest = parseManifest(await textOf(member))
    }
  } catch (error) {
    if (!(error instanceof PackError || error instanceof TarError)) throw error
    throw new RunError(`the archive cannot be read to its end: ${error.message}`, { cause: error })
  }
  if (!parts.some(({ to }) => to === needed)) return false
  for (const { name, digest } of manifest === null ? [] : parts) {
    const said = manifest?.members.find((member) => member.name === name)
    if (said?.blake3 !== digest.blake3)
      throw new RunError(`${name} in the archive is not what its manifest says`)
  }
  // What is needed comes last: with it the product is there again.
  for (const { from, to, digest } of parts.toSorted((one) => (one.to === needed ? 1 : -1))) {
    if ((await world.stat(to)) !== null) {
      const there = await world.digest(to)
      if (there.blake3 === digest.blake3) continue
      world.line(`${to} was not what the archive holds: set aside`)
      await world.setAside(to, 'failed-proof')
    }
    await world.publish(from, to)
  }
  return true
}

async function* told({ content, size }: TarMember, hasher: Hasher, world: Reader): AsyncGenerator<Buffer> {
  let done = 0
  for await (const chunk of content) {
    hasher.update(chunk)
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
