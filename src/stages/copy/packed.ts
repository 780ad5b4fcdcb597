// Contents out of the tree in the archive of a directory that is away.
import { ObserveError } from '../../model/errors.ts'
import { treeName } from '../../model/manifest.ts'
import { tarTime } from '../../model/tar.ts'
import { untar } from '../../model/untar.ts'
import type { Piece, Place, Reader } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'
import type { Named } from './worklist.ts'

/**
 * Their contents in the order of the archive, each under the first name of its file; what is not in it fails. Memory: all
 * that are due at once, because what is not in the archive shows only at its end.
 */
export async function* packedContents(
  archive: Place,
  names: AsyncIterable<Named>,
  world: Reader,
): AsyncGenerator<Piece<Named>> {
  const due = new Map<string, Named>()
  for await (const name of names) due.set(name.entry.path.toString('latin1'), name)
  if (due.size === 0) return
  // Of a file whose first name is left out the archive may have the content under that one, and a link under the name that is due.
  const behind = new Map<string, Named>()
  yield* members(archive, due, behind, world)
  if (behind.size > 0) yield* members(archive, behind, new Map(), world)
  for (const key of [...due.values(), ...behind.values()])
    yield { key, size: key.entry.size, origin: { type: 'stream', bytes: failing(awayText) } }
}

const below = `${treeName}/`

/** What is due and is a file; it is taken out of `due`. Of a hard link the name that it leads to is put into `behind`. */
async function* members(
  archive: Place,
  due: Map<string, Named>,
  behind: Map<string, Named>,
  world: Reader,
): AsyncGenerator<Piece<Named>> {
  for await (const { type, name, target, size, mtime, content } of untar(unpackedBy(world, archive))) {
    const path = name.toString('latin1')
    const key = path.startsWith(below) ? due.get(path.slice(below.length)) : undefined
    if (key === undefined || (type !== 'file' && type !== 'link')) continue
    due.delete(path.slice(below.length))
    if (type === 'file' && (size !== key.entry.size || mtime !== tarTime(key.entry.mtimeNs)))
      yield { key, size: key.entry.size, origin: { type: 'stream', bytes: failing(otherText) } }
    else if (type === 'file') yield { key, size, origin: { type: 'stream', bytes: content } }
    else behind.set(target?.toString('latin1').slice(below.length) ?? '', key)
  }
}

const awayText = 'it is not in the archive, and its directory is away'
const otherText =
  'the archive has it with another size or time, from before it was enumerated again, and its directory is away'

/** The stream of a content that cannot be had. */
const failing = (message: string): AsyncIterable<Buffer> => ({
  [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new ObserveError(message)) }),
})
