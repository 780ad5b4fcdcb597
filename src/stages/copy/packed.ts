// Contents out of the tree in the archive of a directory that is away.
import { ObserveError } from '../../model/errors.ts'
import { treeName } from '../../model/manifest.ts'
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
  const below = `${treeName}/`
  for await (const { type, name, size, content } of untar(unpackedBy(world, archive))) {
    const path = name.toString('latin1')
    if (type !== 'file' || !path.startsWith(below)) continue
    const key = due.get(path.slice(below.length))
    if (key === undefined) continue
    due.delete(path.slice(below.length))
    yield { key, size, origin: { type: 'stream', bytes: content } }
  }
  for (const key of due.values())
    yield { key, size: key.entry.size, origin: { type: 'stream', bytes: absent() } }
}

/** The stream of a content that cannot be had. */
const absent = (): AsyncIterable<Buffer> => ({
  [Symbol.asyncIterator]: () => ({
    next: () => Promise.reject(new ObserveError('it is not in the archive, and its directory is away')),
  }),
})
