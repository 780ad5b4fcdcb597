// The witness of an archive: its members against its manifest, and against what they were made from.
import { fingerprint } from '../../model/canonical.ts'
import { listName, manifestName, type Manifest } from '../../model/manifest.ts'
import { both } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, rawPlace } from '../../model/places.ts'
import { readRange } from '../../model/range.ts'
import { PackError, readSeekTable } from '../../model/seekable.ts'
import type { Check, Depth, Verification } from '../../model/stage.ts'
import { TarError } from '../../model/tar.ts'
import type { Reader } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'
import { belongs, contentBytes, look } from './look.ts'
import { placeOfPart } from './members.ts'
import { isUntouched, type Found } from './read-back.ts'
import { memberText, readContents, treeTally, type Contents } from './read.ts'
import { treeMembers } from './tree.ts'

/**
 * Proves what lies under an archive's name. One without a seek table, of the older pipeline, is read whole at any depth. `made`: it
 * has been made just now, and this is what was found in it before it got its name; where it is another file since, it is read again.
 */
export async function proveArchive(
  medium: Medium,
  world: Reader,
  depth: Depth,
  made: Found | null,
): Promise<Verification> {
  const place = archivePlace(medium)
  const stat = await world.stat(place)
  if (stat === null) return { checks: [{ ...whole, actual: 'nothing' }], figures: {} }
  const figures = { bytes: stat.bytes }
  if (made !== null && isUntouched(made.of, stat)) return proveWhole(medium, figures, made, world)
  try {
    const frames = await readSeekTable((start, end) => readRange(world, place, { start, end }), stat.bytes)
    if (frames === null) {
      const contents = await unpackWhole(medium, world, null)
      return told(medium, figures, await provePlain(medium, contents, world), contents)
    }
    const looking = look(medium, place, world, frames)
    if (depth === 'counts') {
      const { manifest, checks } = await looking
      const sizes = await compareSizes(medium, manifest, world)
      return { checks: [...checks, ...sizes], figures: { ...figures, content_bytes: contentBytes(frames) } }
    }
    const [inside, contents] = await both(looking, unpackWhole(medium, world, contentBytes(frames)))
    return await proveWhole(medium, figures, { ...inside, contents }, world)
  } catch (error) {
    if (!(error instanceof PackError || error instanceof TarError)) throw error
    return { checks: [{ ...whole, actual: error.message }], figures }
  }
}

async function proveWhole(
  medium: Medium,
  figures: Readonly<Record<string, number>>,
  { manifest, checks, contents }: Omit<Found, 'of'>,
  world: Reader,
): Promise<Verification> {
  const members = compareMembers(manifest, contents)
  const sources = await compareSources(medium, contents, world)
  const copied = await compareCopied(medium, contents, world)
  return told(medium, figures, [...checks, ...members, ...sources, ...copied], contents)
}

const whole = { name: 'whole', ok: false, expected: 'a whole archive' } as const

/** Every byte, by the zstd program: another one than wrote it. */
function unpackWhole(medium: Medium, world: Reader, total: number | null): Promise<Contents> {
  return readContents(unpackedBy(world, archivePlace(medium)), world, (bytes) =>
    world.progress(bytes, total, 'bytes'),
  )
}

function told(
  { hash }: Medium,
  figures: Readonly<Record<string, number>>,
  checks: readonly Check[],
  { members, tree, manifest }: Contents,
): Verification {
  const content = [...members.map(({ name, blake3 }) => [name, blake3]), tree?.blake3 ?? null]
  const bytes = members.reduce((sum, member) => sum + member.bytes, tree?.bytes ?? 0)
  const image = members.find(({ name }) => name.replace(/^.*\//, '') === `${hash}.img`)
  return {
    checks,
    figures: { ...figures, members: members.length + (tree?.files ?? 0), content_bytes: bytes },
    facts: { format: manifest?.format ?? 'plain', members: members.slice(0, 100), tree },
    content: fingerprint(content),
    ...(image === undefined ? {} : { holds: { stage: 'image', content: image.blake3 } }),
  }
}

/** What was unpacked against what the manifest says. */
function compareMembers(manifest: Manifest, { members, tree, manifest: read }: Contents): readonly Check[] {
  const found = members.filter(({ name }) => name !== manifestName && name !== listName)
  const expected = manifest.members.map(({ name }) => name).join(', ')
  const actual = found.map(({ name }) => name).join(', ')
  return [
    { name: 'list', ok: read !== null && expected === actual, expected, actual },
    ...manifest.members.map((member): Check => {
      const same = found.find(({ name }) => name === member.name)
      return {
        name: `member ${member.name}`,
        ok: same !== undefined && same.bytes === member.bytes && same.blake3 === member.blake3,
        expected: memberText(member),
        actual: same === undefined ? 'nothing' : memberText(same),
      }
    }),
    ...(manifest.tree === null && tree === null
      ? []
      : [
          {
            name: 'tree',
            ok: manifest.tree?.blake3 === tree?.blake3 && manifest.tree?.files === tree?.files,
            expected: treeText(manifest.tree),
            actual: treeText(tree),
          },
        ]),
  ]
}

const treeText = (tree: Contents['tree']): string =>
  tree === null ? 'none' : `${tree.files} files, ${tree.bytes} bytes, blake3 ${tree.blake3.slice(0, 16)}…`

/** The sizes that the manifest states against image and raw as they are now, where they are. */
async function compareSizes(medium: Medium, { members }: Manifest, world: Reader): Promise<readonly Check[]> {
  const checks = members.map(async ({ name, bytes }): Promise<readonly Check[]> => {
    const place = await placeOfPart(medium, name, world)
    const stat = place === null ? null : await world.stat(place)
    if (stat === null) return []
    return [
      {
        name: `source ${name}`,
        ok: stat.bytes === bytes,
        expected: `${stat.bytes} bytes`,
        actual: `${bytes} bytes`,
      },
    ]
  })
  return (await Promise.all(checks)).flat()
}

/** The digests of what was unpacked against image and raw as they are now, where they are. */
async function compareSources(
  medium: Medium,
  { members }: Contents,
  world: Reader,
): Promise<readonly Check[]> {
  const checks: Check[] = []
  for (const member of members) {
    const place = await placeOfPart(medium, member.name, world)
    if (place === null) continue
    const source = await world.digestOnce(place)
    checks.push({
      name: `source ${member.name}`,
      ok: source.bytes === member.bytes && source.blake3 === member.blake3,
      expected: memberText(source),
      actual: memberText(member),
    })
  }
  return checks
}

/** The tree that was unpacked against what is enumerated and copied now: what was copied after the archive was made is not in it. */
async function compareCopied(medium: Medium, { tree }: Contents, world: Reader): Promise<readonly Check[]> {
  if (medium.source.type !== 'directory') return []
  const row = await world.catalogue(medium.hash)
  if (row?.outcome == null || (await world.stat(rawPlace(medium))) === null) return []
  const tally = treeTally(world)
  for await (const member of treeMembers(medium, world)) {
    if (!('leftOut' in member)) tally.add(member.header, member.blake3 ?? '')
  }
  const copied = tally.result()
  const ok = copied?.blake3 === tree?.blake3
  return [{ name: 'copied', ok, expected: treeText(copied), actual: treeText(tree) }]
}

/** An archive that has no frames: of the older pipeline, or one of ours that somebody packed anew. */
async function provePlain(medium: Medium, contents: Contents, world: Reader): Promise<readonly Check[]> {
  const { manifest } = contents
  if (manifest === null) return proveOlder(medium, contents, world)
  const sources = await compareSources(medium, contents, world)
  const copied = await compareCopied(medium, contents, world)
  return [belongs(medium, manifest), ...compareMembers(manifest, contents), ...sources, ...copied]
}

/**
 * An archive of the older pipeline: flat names that begin with the medium's hash, no manifest. zstd has compared its
 * checksums; the image in it is compared with the image, where there is one.
 */
async function proveOlder(medium: Medium, contents: Contents, world: Reader): Promise<readonly Check[]> {
  const named = contents.members.map(({ name, ...fact }) => ({ ...fact, name: name.replace(/^.*\//, '') }))
  const image = named.find(({ name }) => name === `${medium.hash}.img`)
  const foreign = named.filter(
    ({ name }) => /^[0-9a-f]{32}\.img$/.test(name) && name !== `${medium.hash}.img`,
  )
  const checks: Check[] = [
    {
      name: 'image',
      ok: image !== undefined && image.bytes > 0 && foreign.length === 0,
      expected: `${medium.hash}.img`,
      actual: named.map(({ name, bytes }) => `${name} (${bytes} bytes)`).join(', ') || 'no members',
    },
  ]
  return [...checks, ...(await compareSources(medium, { ...contents, members: named }, world))]
}
