// A look into an archive without unpacking it whole: its frames, its manifest, and the headers where the manifest says they are.
import { counted } from '../../model/counted.ts'
import type { Medium } from '../../model/medium.ts'
import {
  listName,
  manifestName,
  parseManifest,
  type Manifest,
  type MemberFact,
} from '../../model/manifest.ts'
import { readRange } from '../../model/range.ts'
import { PackError, declaredSize, frameHeaderBytes, framesOf, type Frame } from '../../model/seekable.ts'
import type { Check } from '../../model/stage.ts'
import { headerAt, plainHeader, tarBlock, tarBytes, tarEnd, type TarHeader } from '../../model/tar.ts'
import type { Place, Reader } from '../../model/world.ts'

/** The manifest lies at the end; it and its list are never larger than this. */
const tailBytes = 4 * 1024 * 1024

/** A member where it lies, and the manifest's own two members, which it does not list. */
export interface Look {
  readonly manifest: Manifest
  readonly checks: readonly Check[]
}

export async function look(
  medium: Pick<Medium, 'hash'>,
  place: Place,
  world: Reader,
  frames: readonly Frame[],
): Promise<Look> {
  const total = contentBytes(frames)
  const wrong = await wrongFrames(place, world, frames)
  const tail = await unpackFrom(place, world, frames, Math.max(0, total - tailBytes), total)
  const { manifest, own } = findManifest(tail)
  const expected = [...manifest.members, ...own]
  const found = await Promise.all(expected.map(({ at }) => headerOf(place, world, frames, at, tail)))
  const misplaced = expected.filter((member, index) => !isHeaderOf(member, found[index] ?? null))
  const accounted =
    expected.reduce((sum, { name, bytes }) => sum + tarBytes(plainHeader(name, bytes, 0)), 0) +
    (manifest.tree === null ? 0 : manifest.tree.end - manifest.tree.at) +
    tarEnd.length
  return {
    manifest,
    checks: [
      {
        name: 'frames',
        ok: wrong.length === 0,
        expected: `${counted(frames.length, 'frame')} as the seek table says`,
        actual:
          wrong.length === 0
            ? counted(frames.length, 'frame')
            : `another frame at ${wrong.slice(0, 3).join(', ')}`,
      },
      belongs(medium, manifest),
      {
        name: 'members',
        ok: misplaced.length === 0,
        expected: expected.map(({ name, bytes }) => `${name} ${bytes}`).join(', '),
        actual:
          misplaced.length === 0
            ? `${counted(expected.length, 'member')} as the manifest says`
            : `not in their places: ${misplaced.map(({ name }) => name).join(', ')}`,
      },
      {
        name: 'content',
        ok: accounted === total,
        expected: `${accounted} bytes by the manifest`,
        actual: `${total} bytes in the frames`,
      },
    ],
  }
}

/** Whose archive it says it is. */
export const belongs = (medium: Pick<Medium, 'hash'>, manifest: Manifest): Check => ({
  name: 'medium',
  ok: manifest.medium.hash === medium.hash,
  expected: medium.hash,
  actual: manifest.medium.hash,
})

export const contentBytes = (frames: readonly Frame[]): number => {
  const last = frames.at(-1)
  return last === undefined ? 0 : last.at + last.bytes
}

/** Where a frame is not one, or declares another size than the seek table. */
async function wrongFrames(
  place: Place,
  world: Reader,
  frames: readonly Frame[],
): Promise<readonly number[]> {
  const wrong: number[] = []
  for (const { start, bytes, packed } of frames) {
    const end = start + Math.min(frameHeaderBytes, packed)
    const header = await readRange(world, place, { start, end })
    if (declaredSize(header) !== bytes) wrong.push(start)
  }
  return wrong
}

interface Tail {
  /** Where it begins in the content. */
  readonly at: number
  readonly bytes: Buffer
}

async function unpackFrom(
  place: Place,
  world: Reader,
  frames: readonly Frame[],
  start: number,
  end: number,
): Promise<Tail> {
  const some = framesOf(frames, start, end)
  const chunks: Buffer[] = []
  for await (const chunk of world.unpack(place, some)) chunks.push(Buffer.from(chunk))
  return { at: some[0]?.at ?? 0, bytes: Buffer.concat(chunks) }
}

/** The last header of this name, looked for from the end: what lies behind it is text, in which no header can be found. */
function findManifest({ at, bytes }: Tail): {
  manifest: Manifest
  own: readonly Omit<MemberFact, 'blake3'>[]
} {
  const own: Omit<MemberFact, 'blake3'>[] = []
  const aligned = (tarBlock - (at % tarBlock)) % tarBlock
  const blocks = Math.floor((bytes.length - aligned) / tarBlock)
  for (let index = blocks - 1; index >= 0; index -= 1) {
    const start = aligned + index * tarBlock
    const header = headerAt(bytes.subarray(start, start + tarBlock))
    if (header === null) continue
    const name = header.name.toString('utf8')
    own.unshift({ name, bytes: header.size, at: at + start })
    if (name === listName && own.length === 1) continue
    if (name !== manifestName || own.length !== 2) break
    const text = bytes.subarray(start + tarBlock, start + tarBlock + header.size).toString('utf8')
    return { manifest: parseManifest(text), own }
  }
  throw new PackError('it does not end with a manifest')
}

async function headerOf(
  place: Place,
  world: Reader,
  frames: readonly Frame[],
  at: number,
  tail: Tail,
): Promise<TarHeader | null> {
  // All but the first lie at the end, as a rule, and that is unpacked already.
  const some = at < tail.at ? await unpackFrom(place, world, frames, at, at + tarBlock) : tail
  return headerAt(some.bytes.subarray(at - some.at, at - some.at + tarBlock))
}

const isHeaderOf = ({ name, bytes }: Omit<MemberFact, 'blake3'>, header: TarHeader | null): boolean =>
  header !== null && header.type === 'file' && header.size === bytes && header.name.equals(Buffer.from(name))
