// A new archive, read back before it gets its name: by the zstd program, and where that disagrees by a second decoder.
import { RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { readRange } from '../../model/range.ts'
import { PackError, readSeekTable, type Frame } from '../../model/seekable.ts'
import { TarError } from '../../model/tar.ts'
import type { Place, Writer } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'
import { look } from './look.ts'
import { memberText, readContents } from './read.ts'
import type { Written } from './write.ts'

/** Throws unless frames, seek table and every member are what was read from their sources. */
export async function readBack(medium: Medium, part: Place, written: Written, world: Writer): Promise<void> {
  const told = (done: number): void => world.progress(written.bytes + done, 2 * written.bytes, 'bytes')
  const byProgram = await disagreement(written, unpackedBy(world, part), world, told)
  if (byProgram === null) {
    const fault = await structure(medium, part, world)
    if (fault === null) return
    throw new RunError(`the archive was written wrong: ${fault}`, { hint: storageHint })
  }
  // Who is wrong, the storage or the program? A person at night should not have to change a disk for a bad zstd.
  const byUs = await disagreement(written, decoded(part, world), world, told)
  if (byUs !== null) throw new RunError(`the archive was written and ${byProgram}`, { hint: storageHint })
  throw new RunError(`the archive was written, and zstd does not agree: ${byProgram}`, {
    hint: 'Another decoder reads it back whole, so the zstd on PATH is not to be trusted: ntt doctor',
  })
}

const storageHint = 'the storage under the archive root alters what it is given; nothing was replaced'

/** What is wrong with its frames, its manifest or their places, as a clause; null: nothing. */
async function structure(medium: Medium, part: Place, world: Writer): Promise<string | null> {
  try {
    const { checks } = await look(medium, part, world, await framesOf(part, world))
    const failed = checks.find(({ ok }) => !ok)
    return failed === undefined ? null : `${failed.name}: ${failed.actual}`
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

/** How what was unpacked differs from what was written, as a clause; null: it does not. */
async function disagreement(
  written: Written,
  bytes: AsyncIterable<Buffer>,
  world: Writer,
  told: (done: number) => void,
): Promise<string | null> {
  try {
    const { members, tree } = await readContents(bytes, world, told)
    const differs = written.members.find(({ name, bytes: size, blake3 }, index) => {
      const found = members[index]
      return found?.name !== name || found.bytes !== size || found.blake3 !== blake3
    })
    if (differs !== undefined) return `does not hold ${differs.name} (${memberText(differs)})`
    if (members.length !== written.members.length) return `holds ${members.length} members`
    return tree?.blake3 === written.tree?.blake3 ? null : 'does not hold its tree'
  } catch (error) {
    if (!isDamage(error)) throw error
    return `cannot be read back: ${error.message}`
  }
}
