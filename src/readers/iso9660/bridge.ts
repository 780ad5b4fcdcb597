// A disc that is UDF and ISO 9660 in one: one side is read, and the other one for the files that the first does not name.
import { counted } from '../../model/counted.ts'
import { hash } from 'node:crypto'
import { isEntry, type Entry, type EntryError, type Volume } from '../../model/entry.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Reader } from '../../model/world.ts'
import { faultOf, orNothing } from '../faults.ts'
import { iso9660 } from './index.ts'
import { findTrees, type Trees } from './trees.ts'
import { Pages } from '../pages.ts'
import { sessionOf } from '../volumes/sessions.ts'

type Batches = AsyncIterable<readonly (Entry | EntryError)[]>

/**
 * All of `udf`, and of the other side what is missing there. Where the other side has RockRidge it comes first: it has the
 * links and owners of Unix, which makers of discs leave out of UDF.
 */
export async function* bothSides(
  image: Place,
  volume: Volume,
  world: Reader,
  udf: Batches,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const trees = await findTrees(new Pages(image, volume.start, world), sessionOf(volume)).catch(orNone)
  if (trees instanceof UnreadError) {
    const message = 'whether the disc has an ISO 9660 side was never read: it may hold other names than these'
    yield [{ error: 'EIO', path: Buffer.alloc(0), message }]
    yield* udf
    return
  }
  if (trees === null) {
    yield* udf
    return
  }
  const isUnix = trees.main.side === 'rockridge'
  const iso = iso9660.list(image, volume, world)
  const [first, second, name] = isUnix ? [iso, udf, 'UDF'] : [udf, iso, 'ISO 9660']
  const known = new Known()
  for await (const batch of first) {
    for (const found of batch) if (isEntry(found)) known.take(found)
    yield batch
  }
  const more = new More()
  try {
    for await (const batch of second) {
      const news = batch.filter((found) => !isEntry(found) || more.isNews(found, known))
      if (news.length > 0) yield news
    }
  } catch (error) {
    world.line(`its ${name} side cannot be read: ${faultOf(error).message}`)
    return
  }
  for (const text of more.lines(name, known)) world.line(text)
}

function orNone(error: unknown): Trees | UnreadError | null {
  return error instanceof UnreadError ? error : orNothing(error)
}

/** What the first side named: contents by the place where they begin, and paths by their digest. */
class Known {
  directories = 0
  /** Names without content: empty files, links, pipes. */
  empty = 0
  readonly #places = new InodeSet()
  readonly #paths = new InodeSet()

  take({ type, size, extents, path }: Entry): void {
    if (type === 'd') this.directories += 1
    else if (type !== 'f' || size === 0) this.empty += 1
    else this.#note(path, extents)
  }

  #note(path: Buffer, extents: Entry['extents']): void {
    this.#places.add(placeOf(extents))
    this.#paths.add(digestOf(path))
  }

  hasPlace = ({ extents }: Entry): boolean => this.#places.has(placeOf(extents))

  hasPath = ({ path }: Entry): boolean => this.#paths.has(digestOf(path))
}

const digestOf = (path: Buffer): bigint => hash('sha256', path, 'buffer').readBigUInt64LE(0)

const placeOf = (extents: Entry['extents']): bigint =>
  BigInt(extents?.find(({ start }) => start !== -1)?.start ?? 0)

/** What the second side names. */
class More {
  #files = 0
  #twins = 0
  #directories = 0
  #empty = 0

  /** Whether a file of the second side is to be listed: no place of the first, and a name that it does not have. */
  isNews(entry: Entry, known: Known): boolean {
    if (entry.type === 'd') this.#directories += 1
    else if (entry.type !== 'f' || entry.size === 0) this.#empty += 1
    if (entry.type !== 'f' || entry.size === 0) return false
    if (known.hasPlace(entry)) return false
    if (known.hasPath(entry)) {
      this.#twins += 1
      return false
    }
    this.#files += 1
    return true
  }

  *lines(name: string, known: Known): Generator<string> {
    if (this.#files > 0)
      yield `${counted(this.#files, 'file is', 'files are')} named only on the ${name} side, and listed by that name`
    if (this.#twins > 0)
      yield `${counted(this.#twins, 'file')} of the ${name} side ${this.#twins === 1 ? 'has' : 'have'} the name of another that lies elsewhere, and ${this.#twins === 1 ? 'is' : 'are'} not listed`
    const [directories, empty] = [this.#directories - known.directories, this.#empty - known.empty]
    if (directories > 0) yield `the ${name} side has ${counted(directories, 'directory', 'directories')} more`
    if (empty > 0) yield `the ${name} side has ${empty} names without content more`
  }
}
