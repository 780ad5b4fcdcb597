// archive: image, map, raw and manifest as one tar.zst in cold storage; any byte of it can be reached, any tool can read it.
import { counted } from '../../model/counted.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, findImage, rawPlace } from '../../model/places.ts'
import type { Decision, Stage } from '../../model/stage.ts'
import { plainHeader, tarBytes } from '../../model/tar.ts'
import type { FileStat, Place, Reader, Writer } from '../../model/world.ts'
import { unreadOf } from '../../model/unread.ts'
import { partsOf } from './members.ts'
import { isOutgrown } from './outgrown.ts'
import { proveArchive } from './prove.ts'
import { named, readBack, type Found } from './read-back.ts'
import { content, type Written } from './write.ts'

/** What does not change by looking; null: not there. */
type Look = Pick<FileStat, 'bytes' | 'mtimeNs' | 'ino'> | null

export interface Seen {
  readonly archive: Look
  /** What it should hold: an archive is proven again when one of these has changed. */
  readonly image: Look
  readonly raw: Look
  /** Of a directory: what its outcomes were decided by, for its files come from the store; null: nothing is copied, or no directory. */
  readonly copied: string | null
  /** Some of the image is not read. */
  readonly isDamaged: boolean
  /** It holds the medium as it was when less of it had been read. */
  readonly isOutgrown: boolean
}

const lookOf = (stat: FileStat | null): Look =>
  stat === null ? null : { bytes: stat.bytes, mtimeNs: stat.mtimeNs, ino: stat.ino }

const copiedOf = async ({ source, hash }: Medium, world: Reader): Promise<string | null> =>
  source.type === 'directory' ? ((await world.catalogue(hash))?.outcome?.origin ?? null) : null

export const archive: Stage<Seen> = {
  name: 'archive',
  root: 'archive',
  depths: { run: 'hash', prove: 'hash' },

  async observe(medium, world) {
    const there = await world.stat(archivePlace(medium))
    const image = await findImage(medium, world)
    return {
      archive: lookOf(there),
      image: lookOf(image?.stat ?? null),
      raw: lookOf(await world.stat(rawPlace(medium))),
      copied: await copiedOf(medium, world),
      isDamaged: image !== null && (await unreadOf(image, world)).length > 0,
      isOutgrown: there !== null && image !== null && (await isOutgrown(medium, there, image, world)),
    }
  },

  plan(medium, { archive: there, image, raw, ...seen }): Decision {
    const read = (image?.bytes ?? 0) + (raw?.bytes ?? 0)
    // How much the files of a directory come to, its lane knows.
    const work = medium.source.type === 'directory' ? {} : { work: { read, write: read } }
    if (there !== null && seen.isOutgrown) {
      const text = 'the image has been read further since it was archived'
      const because = { code: 'damaged', text } as const
      return { action: 'run', because, outgrown: true, ...work }
    }
    if (there !== null) {
      const because = { code: 'present', text: counted(there.bytes, 'byte') } as const
      return { action: 'keep', because, hasSources: true, ...(seen.isDamaged ? { follows: true } : {}) }
    }
    return {
      action: 'run',
      because: { code: 'absent', text: 'not archived yet' },
      ...work,
    }
  },

  async run(medium, { archive: there, isOutgrown: isLess }, world, replaces) {
    const place = archivePlace(medium)
    const why = isLess ? 'read-further' : replaces
    if (there !== null && why === null)
      throw new RunError('an archive is there, and nobody asked for a new one')
    // Asked before hours of packing, not after.
    if (!(await world.has('zstd'))) {
      throw new ObserveError('zstd is not installed, and nobody else is to read the archive back', {
        hint: 'ntt doctor tells which package it is in.',
      })
    }
    const part = world.part(place)
    try {
      const written = await pack(medium, part, world)
      world.line(
        `packed ${counted(written.bytes, 'byte')}; now it is read back, and gets its name after that`,
      )
      const found = await readBack(medium, part, written, world)
      // The old one gives way only now that a good one is there.
      if (there !== null && why !== null) await world.setAside(place, why)
      await world.publish(part, place)
      const proven = found === null ? null : await named(found, place, world)
      if (proven !== null) justMade.set(medium, proven)
    } catch (error) {
      // A part as large as the medium is not left lying about; what was published is no part any more.
      await world.discard(part)
      throw error
    }
  },

  async verify(medium, world, depth) {
    const made = justMade.get(medium) ?? null
    justMade.delete(medium)
    return proveArchive(medium, world, depth, made)
  },
}

/** For the witness that looks right after an archive was made: it has been read back, and its sources have not. */
const justMade = new WeakMap<Medium, Found>()

async function pack(medium: Medium, part: Place, world: Writer): Promise<Written> {
  const parts = await partsOf(medium, world)
  const written: Written = { members: [], tree: null, bytes: 0 }
  const bytes = parts.reduce((sum, { name, stat }) => sum + tarBytes(plainHeader(name, stat.bytes, 0)), 0)
  // Written once and read back once; how large a tree is, only its end tells.
  const total = medium.source.type === 'directory' ? null : 2 * bytes
  const passing = telling(content(medium, parts, world, written), (done) =>
    world.progress(done, total, 'bytes'),
  )
  await world.create(part, world.pack(passing))
  return written
}

async function* telling(bytes: AsyncIterable<Buffer>, told: (done: number) => void): AsyncGenerator<Buffer> {
  let done = 0
  for await (const chunk of bytes) {
    yield chunk
    done += chunk.length
    told(done)
  }
}
