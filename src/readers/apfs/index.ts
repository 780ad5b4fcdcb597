// APFS read from the image itself: each volume of a container, names, links, both forks, and where each file lies.
//
// 7-Zip opens a container only at the beginning of a file, and sleuthkit sees no pool in one.
import { bareRoot, type Entry, type EntryError, type Volume } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Place, Reader } from '../../model/world.ts'
import { ApfsContainer } from './container.ts'
import type { ApfsHead } from './layout.ts'
import { ApfsWalk, nameStep, volumeStep } from './walk.ts'
import { hiddenNames } from '../faults.ts'
import { icat, unpacked } from '../icat.ts'
import { Pages } from '../pages.ts'
import { byRangesOr, inBatches, joinPath, type FsReader } from '../reader.ts'
import { mend } from '../utf16.ts'

export const apfs: FsReader = {
  name: 'apfs',
  reads: ({ type }) => type === 'apfs',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRangesOr((image, volume, world) => (key) => bytesOf(key, image, volume, world)),
}

const root = bareRoot(2n ** 57n - 1n)

/** The one volume of a container is its tree; of several each is a folder with the volume's name. */
async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const container = await ApfsContainer.open(new Pages(image, start, world))
  const { blockBytes, blocks, volumes } = container.head
  const isOne = volumes.length === 1
  if (!isOne) yield root
  let index = -1
  for await (const one of container.volumes()) {
    index += 1
    if (one instanceof RunError) {
      if (isOne) throw one
      yield hiddenNames(Buffer.alloc(0), one, `volume ${index + 1} of the container: `)
      continue
    }
    const { head } = one
    const name = mend(head.name) ?? head.name
    const path = isOne ? Buffer.alloc(0) : joinPath(Buffer.alloc(0), name)
    const refused = refusal(head)
    if (refused !== null) {
      if (isOne) yield root
      yield hiddenNames(path, new RunError(refused))
      continue
    }
    if (head.snapshots > 0) world.line(`${head.snapshots} snapshots of ${name.toString()} are not read`)
    const walk = new ApfsWalk(container.tree(head), head, { start, blockBytes, blocks, index })
    yield* walk.all(path)
    // The root is no folder that is counted.
    const lost = head.files + head.folders + head.links + head.others - (walk.met.size - 1)
    if (lost > 0 && !walk.isBroken)
      yield hiddenNames(path, new RunError(`${lost} files and folders that the volume counts have no name`))
  }
}

const refusal = ({ isEncrypted, isSealed }: ApfsHead): string | null =>
  isEncrypted
    ? 'the volume is encrypted, and the key is not on this medium'
    : isSealed
      ? 'the sealed volume of a system is not read'
      : null

/** A file that Mac OS has compressed; one of which only the name is known is none. */
async function* bytesOf(
  { ino }: Entry,
  image: Place,
  { start }: Volume,
  world: Reader,
): AsyncGenerator<Buffer> {
  const number = ino % volumeStep
  if (number >= nameStep) throw new ObserveError('its inode cannot be read')
  yield* unpacked(async () => {
    const block = await blockOf(image, start, Number(ino / volumeStep), world)
    return icat(world.path(image), start, number, ['-P', 'apfs', '-B', String(block)])
  }, world)
}

/** Where the head of a volume is, which sleuthkit wants to be told. */
async function blockOf(image: Place, start: number, wanted: number, world: Reader): Promise<number> {
  const container = await ApfsContainer.open(new Pages(image, start, world))
  let index = 0
  for await (const one of container.volumes()) {
    if (index === wanted && !(one instanceof RunError)) return one.block
    index += 1
  }
  throw new RunError(`volume ${wanted + 1} of the container cannot be read`)
}
