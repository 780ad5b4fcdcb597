// ext2, ext3 and ext4 read from the image itself: names, nanoseconds, owners, links, and where each file lies.
//
// The journal is never replayed (it would write): what is read is the volume as it stands, like the kernel's `noload`.
import type { Entry, EntryError, Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import { intersect } from '../../model/ranges.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { extentTree, inlineContent, parseNames, type ExtInode, type ExtName } from './layout.ts'
import { ExtVolume } from './volume.ts'
import { badName, faultOf, metBefore, missingContent, missingNames, unnamed } from '../faults.ts'
import { Pages } from '../pages.ts'
import { byRanges, inBatches, joinPath, unreadNames, type FsReader } from '../reader.ts'
import { mend } from '../utf16.ts'

const rootInode = 2
const mostDirectoryBytes = 2 ** 31

interface Mapped {
  readonly extents: readonly Range[]
  readonly unread: string | null
}

export const ext: FsReader = {
  name: 'ext',
  reads: ({ type }) => type === 'ext2' || type === 'ext3' || type === 'ext4',
  version: () => Promise.resolve('1'),
  list: (image, volume, world) => inBatches(list(image, volume, world)),
  contents: byRanges,
}

async function* list(image: Place, { start }: Volume, world: Reader): AsyncGenerator<Entry | EntryError> {
  const pages = new Pages(image, start, world)
  const volume = await ExtVolume.open(start, pages)
  const { usedInodes, needsRecovery } = volume.head
  if (needsRecovery) world.line('its journal was not replayed: it is read as it stands')
  const walk = new Walk(volume, pages)
  yield* walk.all()
  const lost = usedInodes - walk.inodes
  const message = `${lost} of ${usedInodes} inodes in use have no name`
  if (lost > usedInodes / 2 && !walk.isBroken)
    yield missingNames(Buffer.alloc(0), `${message}: names are missing`)
  else if (lost > 0 && !needsRecovery && !volume.head.hasValueInodes && !walk.isBroken) yield unnamed(message)
}

class Walk {
  /** A directory could not be read, and was told. */
  isBroken = false
  /** Of a directory some bytes were never read. */
  #isUnread = false
  readonly #volume: ExtVolume
  readonly #pages: Pages
  readonly #entered = new InodeSet()
  readonly #linked = new InodeSet()
  #single = 0

  constructor(volume: ExtVolume, pages: Pages) {
    this.#volume = volume
    this.#pages = pages
  }

  /** Distinct inodes that were met, but those that the filesystem keeps for itself. */
  get inodes(): number {
    return this.#single + this.#linked.size
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    const inode = await this.#volume.inode(rootInode)
    if (inode.type !== 'd') throw new RunError('the root directory cannot be read')
    const extents = await this.#volume.extents(rootInode, inode)
    yield entryOf(rootInode, inode, Buffer.alloc(0), extents, null)
    yield* this.#below(Buffer.alloc(0), rootInode, inode, extents)
    if (this.isBroken && !this.#isUnread && this.inodes === 0)
      throw new RunError('the root directory cannot be read')
  }

  async *#below(
    path: Buffer,
    ino: number,
    inode: ExtInode,
    extents: readonly Range[],
  ): AsyncGenerator<Entry | EntryError> {
    if (!this.#entered.add(BigInt(ino))) {
      yield this.#unreadable(path, metBefore)
      return
    }
    const { names, fault, unread } = await this.#names(ino, inode, extents)
    if (unread.length > 0) {
      this.isBroken = true
      this.#isUnread = true
      yield unreadNames(path, unread)
    }
    if (fault !== null) yield this.#unreadable(path, `${fault}: names below it are missing`)
    // In the order of the table of inodes: that of the names is the order of their hashes, and would fetch the table anew for each.
    for (const { name, ino: inside } of names.toSorted((one, other) => one.ino - other.ino)) {
      const mended = mend(name)
      const below = joinPath(path, mended ?? name)
      if (mended !== null) yield badName(below)
      yield* this.#entry(below, inside)
    }
  }

  async *#entry(path: Buffer, ino: number): AsyncGenerator<Entry | EntryError> {
    let inode: ExtInode
    let mapped: Mapped
    try {
      inode = await this.#volume.inode(ino)
      mapped = await this.#mapped(ino, inode)
    } catch (error) {
      const fault = faultOf(error)
      const word = fault instanceof UnreadError ? 'EIO' : 'unreadable-directory'
      yield this.#unreadable(path, `inode ${ino}: ${fault.message}`, word)
      return
    }
    const { type } = inode
    if (type === '?' || inode.nlink === 0) {
      yield this.#unreadable(path, `inode ${ino} is not in use`)
      return
    }
    if (type === 'd' || inode.nlink === 1) {
      if (ino >= this.#volume.head.firstInode) this.#single += 1
    } else this.#linked.add(BigInt(ino))
    const { extents, unread } = mapped
    const target = type === 'l' ? await this.#target(inode, extents) : null
    yield entryOf(ino, inode, path, extents, target)
    if (unread !== null && type === 'd')
      yield this.#unreadable(path, `${unread}: names below it are missing`, 'EIO')
    else if (unread !== null || (type === 'l' && target === null))
      yield missingContent(path, unread ?? 'where it points was never read')
    else if (type === 'd') yield* this.#below(path, ino, inode, extents)
  }

  /** Where the content of an inode lies; `unread`: why that is not known. */
  async #mapped(ino: number, inode: ExtInode): Promise<Mapped> {
    if (isShortLink(inode)) return { extents: [], unread: null }
    try {
      return { extents: await this.#volume.extents(ino, inode), unread: null }
    } catch (error) {
      if (!(error instanceof UnreadError)) throw error
      return { extents: [], unread: `of the map of its content, ${error.message}` }
    }
  }

  /** What can be read of a directory, and what is wrong with the rest. */
  async #names(
    ino: number,
    { size, flags }: ExtInode,
    extents: readonly Range[],
  ): Promise<{
    readonly names: readonly ExtName[]
    readonly fault: string | null
    readonly unread: readonly Range[]
  }> {
    const names: ExtName[] = []
    let fault: string | null = null
    let unread: readonly Range[] = []
    const isInline = (flags & inlineContent) !== 0
    try {
      if (size > mostDirectoryBytes || extents.some(({ start }) => start === -1))
        throw new RunError('a part of it is not there')
      const read = await this.#pages.readable(extents)
      unread = read.unread
      const bytes = Buffer.from(read.bytes)
      const { blockBytes } = this.#volume.head
      // Inline, the parent's number comes first, and the rest is one chain of records in each piece.
      const pieces = isInline ? inlineOf(bytes) : blocksOf(bytes, extents, blockBytes, unread)
      for (const piece of pieces) {
        try {
          names.push(...parseNames(piece))
        } catch (error) {
          fault ??= faultOf(error).message
        }
      }
    } catch (error) {
      fault = faultOf(error).message
    }
    const self = names.find(({ name }) => name.equals(dot))
    const parent = names.find(({ name }) => name.equals(dots))
    const begin = extents[0]?.start ?? 0
    const head = { start: begin, end: begin + this.#volume.head.blockBytes }
    const beginsUnread = intersect([head], unread).length > 0
    if (!isInline && !beginsUnread && self?.ino !== ino) fault ??= 'it does not begin with itself'
    return { names: names.filter((one) => one !== self && one !== parent), fault, unread }
  }

  /** null: it is not there, or was never read. */
  async #target(inode: ExtInode, extents: readonly Range[]): Promise<Buffer | null> {
    if (isShortLink(inode)) return Buffer.from(inode.block.subarray(0, inode.size))
    if (extents.some(({ start }) => start === -1)) return null
    const { bytes, unread } = await this.#pages.readable(extents)
    return unread.length > 0 ? null : Buffer.from(bytes)
  }

  #unreadable(
    path: Buffer,
    message: string,
    error: 'EIO' | 'unreadable-directory' = 'unreadable-directory',
  ): EntryError {
    this.isBroken = true
    return { error, path, message }
  }
}

/** A target of less than 60 bytes stands where the map would be. */
const isShortLink = ({ type, size, flags }: ExtInode): boolean =>
  type === 'l' && size < 60 && (flags & extentTree) === 0

/** A directory has each of them once; a second one is a name that somebody forged. */
const [dot, dots] = [Buffer.from('.'), Buffer.from('..')]

/** The blocks of a directory that were read whole. */
function* blocksOf(
  bytes: Buffer,
  extents: readonly Range[],
  blockBytes: number,
  unread: readonly Range[],
): Generator<Buffer> {
  let from = 0
  for (const { start, end } of extents) {
    for (let at = start; at < end; at += blockBytes) {
      const block = { start: at, end: Math.min(at + blockBytes, end) }
      const piece = bytes.subarray(from, (from += block.end - at))
      if (unread.length === 0 || intersect([block], unread).length === 0) yield piece
    }
  }
}

const inlineOf = (bytes: Buffer): readonly Buffer[] =>
  [bytes.subarray(4, 60), bytes.subarray(60)].filter(({ length }) => length > 0)

function entryOf(
  ino: number,
  inode: ExtInode,
  path: Buffer,
  extents: readonly Range[],
  target: Buffer | null,
): Entry {
  const { type, nlink, mtimeNs, mode, uid, gid, rdev } = inode
  return {
    type,
    path,
    ino: BigInt(ino),
    nlink,
    size: type === 'f' ? inode.size : (target?.length ?? 0),
    mtimeNs,
    mode,
    uid,
    gid,
    rdev,
    target,
    extents: type === 'f' || type === 'd' ? extents : null,
  }
}
