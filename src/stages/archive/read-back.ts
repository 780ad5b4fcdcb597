// A new archive, read back before it gets its name: by the zstd program, and where that disagrees by a second decoder.
import { RunError } from '../../model/errors.ts'
import { both } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { readRange } from '../../model/range.ts'
import { PackError, readSeekTable, type Frame } from '../../model/seekable.ts'
import { TarError } from '../../model/tar.ts'
import type { FileStat, Place, Reader, Writer } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'
import { look, type Look } from './look.ts'
import { memberText, readContents, type Contents } from './read.ts'
import type { Written } from './write.ts'

/** What an archive was found to hold when it was read whole, and the file as it was then. */
export interface Found extends Look {
  readonly of: FileStat
  readonly contents: Contents
}

/** What was found, of the file under its name; null: it is another one than was read. Getting a name changes nothing but the ctime. */
export async function named(found: Found, place: Place, world: Reader): Promise<Found | null> {
  const now = await world.stat(place)
  return now !== null && isSame(found.of, now) ? { ...found, of: now } : null
}

/** Whether nobody has touched the file since. */
export const isUntouched = (then: FileStat, now: FileStat): boolean =>
  isSame(then, now) && then.ctimeNs === now.ctimeNs

const isSame = (then: FileStat, now: FileStat): boolean =>
  then.ino === now.ino && then.bytes === now.bytes && then.mtimeNs === now.mtimeNs

/**
 * Throws unless frames, seek table and every member are what was read from their sources; returns what was found. null: somebody touched the
 * file meanwhile, so that it has to be read again.
 */
export async function readBack(
  medium: Medium,
  part: Place,
  written: Written,
  world: Writer,
): Promise<Found | null> {
  const told = (done: number): void => world.progress(written.bytes + done, 2 * written.bytes, 'bytes')
  const before = await world.stat(part)
  const [contents, inside] = await both(
    unpacked(unpackedBy(world, part), world, told),
    structure(medium, part, world),
  )
  const byProgram = differing(written, contents)
  if (byProgram === null && typeof contents !== 'string') {
    if (typeof inside === 'string')
      throw new RunError(`the archive was written wrong: ${inside}`, { hint: storageHint })
    const after = await world.stat(part)
    if (before === null || after === null || !isUntouched(before, after)) return null
    return { of: after, ...inside, contents }
  }
  // Who is wrong, the storage or the program? A person at night should not have to change a disk for a bad zstd.
  const byUs = differing(written, await unpacked(decoded(part, world), world, told))
  if (byUs !== null) throw new RunError(`the archive was written and ${byProgram}`, { hint: storageHint })
  throw new RunError(`the archive was written, and zstd does not agree: ${byProgram}`, {
    hint: 'Another decoder reads it back whole, so the zstd on PATH is not to be trusted: ntt doctor',
  })
}

const storageHint = 'the storage under the archive root alters what it is given; nothing was replaced'

/** Its frames, its manifest and their places; or what is wrong with them, as a clause. */
async function structure(medium: Medium, part: Place, world: Writer): Promise<Look | string> {
  try {
    const inside = await look(medium, part, world, await framesOf(part, world))
    const failed = inside.checks.find(({ ok }) => !ok)
    return failed === undefined ? inside : `${failed.name}: ${failed.actual}`
  } catch (error) {
    if (!isDamage(error)) throw error
    return error.message
  }
}

async function framesOf(part: Place, world: Writer): Promise<readonly Frame[]> {
  const size = (await world.stat(part))?.bytes ?? 0
  const frames = await readSeekTable((start, end) => readRange(world, part, { start, end }), size)
  if (frames === null) throw new PackError('it has no table of its frames')
  return frames
}

/** By our own decoder. */
async function* decoded(part: Place, world: Writer): AsyncGenerator<Buffer> {
  yield* world.unpack(part, await framesOf(part, world))
}

const isDamage = (error: unknown): error is Error => error instanceof PackError || error instanceof TarError

/** What is in it, or why nobody can tell, as a clause. */
async function unpacked(
  bytes: AsyncIterable<Buffer>,
  world: Writer,
  told: (done: number) => void,
): Promise<Contents | string> {
  try {
    return await readContents(bytes, world, told)
  } catch (error) {
    if (!isDamage(error)) throw error
    return `cannot be read back: ${error.message}`
  }
}

/** How what was unpacked differs from what was written, as a clause; null: it does not. */
function differing(written: Written, contents: Contents | string): string | null {
  if (typeof contents === 'string') return contents
  const { members, tree } = contents
  const differs = written.members.find(({ name, bytes: size, blake3 }, index) => {
    const found = members[index]
    return found?.name !== name || found.bytes !== size || found.blake3 !== blake3
  })
  if (differs !== undefined) return `does not hold ${differs.name} (${memberText(differs)})`
  if (members.length !== written.members.length) return `holds ${members.length} members`
  return tree?.blake3 === written.tree?.blake3 ? null : 'does not hold its tree'
}
