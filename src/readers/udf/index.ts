// UDF read from the image itself: DVDs, packet-written discs, hard disks; the place of every file, no root, no tool.
//
// 7-Zip opens only some kinds, libarchive ends with 0 and lists nothing. What is read is checked by the
// sums that each structure carries, so that a directory of zeros is not taken for an empty one.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import { bytesIn } from '../../model/ranges.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { badName, faultOf, metBefore, missingContent, missingNames } from '../faults.ts'
import { bothSides } from '../iso9660/bridge.ts'
import { Pages } from '../pages.ts'
import { byRanges, inBatches, joinPath, unreadNames, type FsReader } from '../reader.ts'
import { sessionOf } from '../volumes/sessions.ts'
import { parseNames, targetOf, type UdfName, type UdfNode, type UdfPointer } from './layout.ts'
import { UdfVolume } from './volume.ts'
import { mend } from '../utf16.ts'

const mostDirectoryBytes = 1 << 28

export const udf: FsReader = {
  name: 'udf',
  reads: ({ type }) => type === 'udf',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => bothSides(image, volume, world, inBatches(list(image, volume, world))),
  contents: byRanges,
}

async function* list(image: Place, found: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const { start, bytes } = found
  const pages = new Pages(image, start, world)
  const volume = await UdfVolume.open(start, bytes, pages, sessionOf(found))
  const walk = new Walk(volume, pages)
  yield* walk.all()
  const told = volume.integrity
  if (told === null) return
  if (!told.isClosed) world.line('it was not closed when it was last written to: it is read as it stands')
  else if (walk.files < told.files || walk.directories < told.directories) {
    const counts = `${told.files} files and ${told.directories} directories, ${walk.files} and ${walk.directories} have a name`
    world.line(`the volume says that it holds ${counts}`)
    // A root that was emptied looks like one of a new disc; the volume knows better.
    if (walk.files * 2 < told.files && !walk.isBroken)
      yield missingNames(Buffer.alloc(0), `it says that it holds ${counts}`)
  }
}

interface Names {
  readonly names: readonly UdfName[]
  readonly fault: string | null
  /** What of the directory was never read of the medium. */
  readonly unread: readonly Range[]
}

class Walk {
  /** A directory could not be read, and was told. */
  isBroken = false
  /** Distinct ones, the root included. */
  files = 0
  directories = 0
  readonly #volume: UdfVolume
  readonly #pages: Pages
  readonly #entered = new InodeSet()
  readonly #linked = new InodeSet()

  constructor(volume: UdfVolume, pages: Pages) {
    this.#volume = volume
    this.#pages = pages
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    const node = await this.#volume.node(this.#volume.root)
    if (node.type !== 'd') throw new RunError('the root is no directory')
    yield* this.#found(Buffer.alloc(0), this.#volume.root, node)
  }

  async *#below(path: Buffer, pointer: UdfPointer, node: UdfNode): AsyncGenerator<Entry | EntryError> {
    const { names, fault, unread } = await this.#names(pointer, node)
    if (unread.length > 0) {
      this.isBroken = true
      yield unreadNames(path, unread)
    } else if (fault !== null) yield this.#unreadable(path, `${fault}: names below it are missing`)
    for (const one of names) {
      if (one.isParent || one.isDeleted) continue
      const name = mend(one.name)
      const inside = joinPath(path, name ?? one.name)
      if (name !== null) yield badName(inside)
      if (one.isDoubtful)
        yield this.#unreadable(path, `the name ${JSON.stringify(inside.toString())} is damaged`)
      try {
        yield* this.#found(inside, one.pointer, await this.#volume.node(one.pointer))
      } catch (error) {
        const fault = faultOf(error)
        yield this.#unreadable(inside, fault.message, fault instanceof UnreadError ? 'EIO' : undefined)
      }
    }
  }

  /** An entry and all below it. Throws RunError only where nothing of it was given yet. */
  async *#found(path: Buffer, pointer: UdfPointer, node: UdfNode): AsyncGenerator<Entry | EntryError> {
    const ino = this.#volume.numberOf(pointer)
    const extents = await this.#volume.extents(pointer, node)
    const { type, nlink, mtimeNs, mode, uid, gid, rdev } = node
    const target = type === 'l' ? targetOf(Buffer.from(await this.#pages.all(extents))) : null
    const entry: Entry = {
      type,
      path,
      ino,
      nlink: type === 'd' ? 1 : nlink,
      size: type === 'f' ? node.size : (target?.length ?? 0),
      mtimeNs,
      mode,
      uid,
      gid,
      rdev,
      target,
      extents: type === 'f' || type === 'd' ? extents : null,
    }
    yield entry
    const there = bytesIn(extents)
    if (type === 'f' && there < node.size)
      yield missingContent(path, `its descriptors break off after ${there} of ${node.size} bytes`)
    if (node.hasStreams)
      yield missingContent(path, 'it has named streams beside its content, which are not read')
    if (type !== 'd') {
      if (nlink === 1 || this.#linked.add(ino)) this.files += 1
      return
    }
    if (!this.#entered.add(ino)) {
      yield this.#unreadable(path, metBefore)
      return
    }
    this.directories += 1
    yield* this.#below(path, pointer, node)
  }

  /** What can be read of a directory, and what is wrong with the rest. */
  async #names(pointer: UdfPointer, node: UdfNode): Promise<Names> {
    try {
      if (node.size > mostDirectoryBytes) throw new RunError(`a directory of ${node.size} bytes`)
      const extents = await this.#volume.extents(pointer, node)
      const written = extents.filter(({ start }) => start !== -1)
      const { bytes, unread } = await this.#pages.readable(written)
      const { names, gaps } = parseNames(Buffer.from(bytes))
      if (gaps > 0 || bytes.length < node.size) return { names, fault: 'a part of it is damaged', unread }
      const isWhole = node.size === 0 || names[0]?.isParent === true
      return { names, fault: isWhole ? null : 'it does not begin with the directory above it', unread }
    } catch (error) {
      return { names: [], fault: faultOf(error).message, unread: [] }
    }
  }

  #unreadable(path: Buffer, message: string, error = 'unreadable-directory'): EntryError {
    this.isBroken = true
    return { error, path, message }
  }
}
