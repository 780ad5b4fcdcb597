// Whether what lies in a drive is a certain medium: by its hash, by what is declared of it, and by what was read of it before.
import type { Identity, Medium } from './medium.ts'
import { imagePlace, mapBeside, unfinishedPlace } from './places.ts'
import { parseMapfile, unreadRanges } from './mapfile.ts'
import { readRange } from './range.ts'
import { subtract } from './ranges.ts'
import { blake3By, hashOf, unexpected, versionOf, volumeLabel, type SourceLook } from './source.ts'
import { samples } from './identity.ts'
import type { Place, Range, Reader } from './world.ts'

/** What a person would do where a drive holds another medium. */
export const putIn = (name: string, drive: string): string =>
  `put ${name} into ${drive} and run \`ntt apply ${name}\``

/** `null`: it is. Else what lies there instead, as a clause: `the volume label is HOLIDAY_98, declared CEH_005`. */
export async function otherThan(
  medium: Pick<Medium, 'hash' | 'version' | 'expect' | 'source'>,
  look: SourceLook,
  world: Reader,
): Promise<string | null> {
  const { expect } = medium
  const label = expect.volume === undefined ? null : await volumeLabel(medium.source.path, world)
  const surprise = unexpected(expect, look, label)
  if (surprise !== null) return surprise
  const blake3 = blake3By(world)
  if (look.bytes > 0 && versionOf(look, medium.hash, blake3) !== null) return null
  const before = await comparedWithImage(medium, look, world)
  if (before === 'same') return null
  if (before === 'other') {
    return `it is ${await called(medium.source.path, look, world)}, and differs from what was read of ${medium.hash} before`
  }
  // Nothing was read before. A hash over sectors that cannot be read is none; a hash that a person made up proves nothing.
  if (look.unread.length > 0) return null
  if (medium.version === 'declared' && Object.keys(expect).length > 0) return null
  return `it is ${await called(medium.source.path, look, world)}, not ${medium.hash}`
}

/** What lies there, for people: its hash, its label, and its name if the catalogue has met it. */
async function called(path: Place, look: SourceLook, world: Reader): Promise<string> {
  if (look.bytes === 0) return 'empty'
  const blake3 = blake3By(world)
  const hash = hashOf(look, false, blake3)
  const label = await volumeLabel(path, world)
  const names = await Promise.all(
    [hash, hashOf(look, true, blake3)].map(async (one) => (await world.catalogue(one))?.name ?? null),
  )
  const name = names.find((one) => one !== null)
  return [
    `medium ${hash}`,
    ...(name === undefined ? [] : [`(${name})`]),
    ...(label === null ? [] : [`labelled ${label}`]),
  ].join(' ')
}

/** What can be read at the ends of the source against what an earlier session read there. */
export async function comparedWithImage(
  medium: Pick<Identity, 'hash'>,
  look: SourceLook,
  world: Reader,
): Promise<'same' | 'other' | 'nothing'> {
  for (const image of [imagePlace(medium), unfinishedPlace(medium)]) {
    const text = await world.text(mapBeside(image))
    const stat = await world.stat(image)
    if (text === null || stat === null) continue
    const map = parseMapfile(text)
    if (map.end !== look.bytes) return 'other'
    const { head, tail } = samples(look.bytes)
    const holes = [...unreadRanges(map, look.bytes), ...look.unread].toSorted((a, b) => a.start - b.start)
    const [first, last] = [subtract(head, holes), subtract(tail, holes)]
    if (first.length + last.length === 0) return 'nothing'
    const same =
      (await isSame(image, first, head.start, look.head, world)) &&
      (await isSame(image, last, tail.start, look.tail, world))
    return same ? 'same' : 'other'
  }
  return 'nothing'
}

async function isSame(
  image: Place,
  ranges: readonly Range[],
  at: number,
  bytes: Buffer,
  world: Reader,
): Promise<boolean> {
  for (const { start, end } of ranges) {
    const read = await readRange(world, image, { start, end })
    if (!read.equals(bytes.subarray(start - at, end - at))) return false
  }
  return true
}
