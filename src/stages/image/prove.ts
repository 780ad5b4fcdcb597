// The witness of an image: its size, its map, and every byte of it; or, where it lives in the archive, the member there.
import { equal } from '../../model/check.ts'
import { covers, healthOf, parsedMapfile, type Mapfile } from '../../model/mapfile.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage, mapBeside, type FoundImage } from '../../model/places.ts'
import { PackError } from '../../model/seekable.ts'
import type { Check, Depth, Verification } from '../../model/stage.ts'
import { TarError } from '../../model/tar.ts'
import type { FileStat, Reader } from '../../model/world.ts'
import { membersOf } from '../../model/unarchive.ts'

export async function prove(medium: Medium, world: Reader, depth: Depth): Promise<Verification> {
  const found = await findImage(medium, world)
  return found === null ? proveArchived(medium, world, depth) : proveFile(medium, found, world, depth)
}

async function proveFile(
  medium: Medium,
  { place, stat }: FoundImage,
  world: Reader,
  depth: Depth,
): Promise<Verification> {
  const text = await world.text(mapBeside(place))
  const map = text === null ? null : (parsedMapfile(text) ?? 'broken')
  const checks: Check[] = [
    equal('kind', 'a file', stat.kind === 'file' ? 'a file' : `a ${stat.kind}`),
    { name: 'size', ok: stat.bytes > 0, expected: 'more than 0 bytes', actual: `${stat.bytes} bytes` },
  ]
  if (medium.bytes !== null) checks.push(equal('medium', `${medium.bytes} bytes`, `${stat.bytes} bytes`))
  if (map === 'broken')
    checks.push({ name: 'map', ok: false, expected: 'a map of ddrescue', actual: 'something else' })
  else if (map !== null) checks.push(mapCheck(map, stat.bytes), policyCheck(map, medium, stat.bytes))
  else if (medium.source.type === 'device')
    checks.push({ name: 'map', ok: false, expected: 'a map', actual: 'none' })
  const health = map === null || map === 'broken' ? {} : { health: healthOf(map, stat.bytes) }
  const facts = { ...health, file: fileText(stat) }
  const figures = { bytes: stat.bytes, ...(map === null || map === 'broken' ? {} : mapFigures(map)) }
  if (depth === 'counts') return { checks, figures, facts }
  const digest = await world.digest(place)
  checks.push(equal('read', `${stat.bytes} bytes`, `${digest.bytes} bytes`))
  return { checks, figures, facts: { ...facts, blake3: digest.blake3 }, content: digest.blake3 }
}

/** A file as it is now: another one in its place, or one that was written to, has another. */
export const fileText = ({ ino, mtimeNs, bytes }: Pick<FileStat, 'ino' | 'mtimeNs' | 'bytes'>): string =>
  `inode ${ino}, mtime ${mtimeNs}, ${bytes} bytes`

const mapCheck = (map: Mapfile, bytes: number): Check => ({
  name: 'map',
  ok: covers(map, bytes) && map.end === bytes,
  expected: `a map of 0 to ${bytes}`,
  actual: `${map.start} to ${map.end}`,
})

const policyCheck = (map: Mapfile, { policy }: Medium, bytes: number): Check => ({
  name: 'rescued',
  ok: bytes > 0 && (map.rescued / bytes) * 100 >= policy.rescued,
  expected: `at least ${policy.rescued} %`,
  actual: `${map.rescued} of ${bytes} bytes`,
})

const mapFigures = ({ rescued, bad, pending, untried }: Mapfile) => ({
  rescued_bytes: rescued,
  bad_bytes: bad,
  pending_bytes: pending,
  untried_bytes: untried,
})

/** The image's member of the archive. At depth counts its header; at depth hash every byte, and the archive to its end. */
async function proveArchived(medium: Medium, world: Reader, depth: Depth): Promise<Verification> {
  const wanted = `${medium.hash}.img`
  let image: { bytes: number; blake3: string } | null = null
  try {
    for await (const member of membersOf(medium, world)) {
      if (member.is !== wanted || member.type !== 'file') continue
      const hasher = world.hasher()
      if (depth === 'counts') {
        image = { bytes: member.size, blake3: '' }
        break
      }
      let done = 0
      for await (const chunk of member.content) {
        hasher.update(chunk)
        done += chunk.length
        world.progress(done, member.size, 'bytes')
      }
      image = { bytes: member.size, blake3: hasher.digest().blake3 }
    }
  } catch (error) {
    if (!(error instanceof PackError || error instanceof TarError)) throw error
    return {
      checks: [{ name: 'archive', ok: false, expected: 'a whole archive', actual: error.message }],
      figures: {},
    }
  }
  const check = {
    name: 'archive',
    ok: image !== null && image.bytes > 0,
    expected: `${wanted}, with content`,
    actual: image === null ? 'no such member' : `${image.bytes} bytes`,
  }
  const known =
    image === null || depth === 'counts' ? {} : { content: image.blake3, facts: { blake3: image.blake3 } }
  return { checks: [check], figures: { bytes: image?.bytes ?? 0 }, ...known }
}
