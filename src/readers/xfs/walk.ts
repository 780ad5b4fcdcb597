// Goes down the directories of xfs, and makes entries of what they name.
import type { Entry, EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import { bytesIn } from '../../model/ranges.ts'
import type { Range } from '../../model/world.ts'
import { contentOf } from './content.ts'
import { deviceOf, forms, type XfsInode } from './layout.ts'
import { parseBlock, parseShort, type XfsName } from './names.ts'
import type { Mapped, Seal, XfsVolume } from './volume.ts'
import { faultOf, hiddenNames, metBefore, missingContent } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { joinPath, unreadNames } from '../reader.ts'

const directorySeal: Seal = { sum: 4, place: 8, uuid: 24, owner: 40 }

export class XfsWalk {
  /** Of a directory some names could not be read, and that was told. */
  isBroken = false
  /** Inodes that were met. */
  readonly met = new InodeSet()
  readonly #volume: XfsVolume
  readonly #pages: Pages

  constructor(volume: XfsVolume, pages: Pages) {
    this.#volume = volume
    this.#pages = pages
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    const { root } = this.#volume.head
    const inode = await this.#volume.inode(root)
    if (inode.type !== 'd') throw new RunError('the root directory cannot be read')
    yield* this.#known(Buffer.alloc(0), inode, root)
  }

  /** `above`: the directory that names it. */
  async *#named(
    parent: Buffer,
    { name, ino, type }: XfsName,
    above: bigint,
  ): AsyncGenerator<Entry | EntryError> {
    if (name.includes(0x2f) || name.includes(0)) {
      yield this.#hidden(parent, new RunError(`what stands for a name of inode ${ino} is none`))
      return
    }
    const path = joinPath(parent, name)
    let inode: XfsInode
    try {
      inode = await this.#volume.inode(ino)
      if (inode.type === '?' || inode.nlink === 0) throw new RunError('it is not in use')
      // Of a directory whose own record is damaged the names can still be had.
      if (inode.isFalse && inode.type !== 'd') throw new RunError('its checksum is wrong')
    } catch (error) {
      const fault = faultOf(error)
      yield type === null || type === 'd' || fault instanceof UnreadError
        ? this.#hidden(path, fault, `inode ${ino}: `)
        : this.#gone(path, `inode ${ino}: ${fault.message}`)
      return
    }
    if (type !== null && type !== inode.type)
      yield this.#hidden(path, new RunError(`inode ${ino} is of another kind than its directory says`))
    yield* this.#known(path, inode, above)
  }

  async *#known(path: Buffer, inode: XfsInode, above: bigint): AsyncGenerator<Entry | EntryError> {
    const { ino, type, nlink } = inode
    const isNew = this.met.add(ino)
    if (type === 'd' && !isNew) {
      yield this.#hidden(path, new RunError(metBefore))
      return
    }
    if (type === 'd') {
      const mapped = inode.form === forms.local ? null : await this.#volume.map(inode)
      const extents = mapped === null ? localOf(inode) : this.#places(mapped)
      yield entryOf(path, inode, extents, null)
      if (inode.isFalse) yield this.#hidden(path, new RunError(`inode ${ino}: its checksum is wrong`))
      yield* mapped === null ? this.#short(path, inode, above) : this.#below(path, inode, mapped, above)
      return
    }
    const { extents, target, fault } = await contentOf(inode, this.#volume, this.#pages)
    yield entryOf(path, inode, extents, target)
    if (fault !== null) yield missingContent(path, `where its content lies is not known: ${fault.message}`)
    if (!isNew && nlink === 1) yield missingContent(path, `inode ${ino} has another name, and counts one`)
  }

  /** Names in the inode itself. */
  async *#short(path: Buffer, inode: XfsInode, above: bigint): AsyncGenerator<Entry | EntryError> {
    const { fork, size, ino } = inode
    try {
      if (size > fork.length) throw new RunError('its list of names is longer than its room')
      // A copy: the page that it comes from is gone before all below is read.
      const short = parseShort(Buffer.from(fork.subarray(0, size)), this.#volume.head.hasKinds)
      if (short.above !== above) yield this.#hidden(path, new RunError(isElsewhere))
      for (const one of short.names) yield* this.#named(path, one, ino)
    } catch (error) {
      yield this.#hidden(path, faultOf(error))
    }
  }

  /** Names in blocks, one after the other, so that not all names of a directory are held at once. */
  async *#below(
    path: Buffer,
    { ino, size }: XfsInode,
    mapped: Mapped,
    above: bigint,
  ): AsyncGenerator<Entry | EntryError> {
    let { fault } = mapped
    const unread: Range[] = []
    let [isSelf, isAbove] = [false, false]
    for (const ranges of this.#volume.directoryBlocks(mapped.runs)) {
      if (ranges === null) {
        fault ??= new RunError('a part of a block of it is not there')
        continue
      }
      const block = await this.#block(ranges, ino)
      unread.push(...block.unread)
      fault ??= block.fault
      for (const one of block.names) {
        if (isDots(one.name, 1)) isSelf ||= one.ino === ino
        else if (isDots(one.name, 2)) isAbove ||= one.ino === above
        else yield* this.#named(path, one, ino)
      }
    }
    if (unread.length > 0) {
      this.isBroken = true
      yield unreadNames(path, unread)
    }
    if (fault === null && unread.length === 0) {
      if (!isSelf) fault = new RunError('it does not begin with itself')
      else if (!isAbove) fault = new RunError(isElsewhere)
      else if (endOf(mapped, this.#volume.head.blockBytes) !== size)
        fault = new RunError('its size says otherwise')
    }
    if (fault !== null) yield this.#hidden(path, fault)
  }

  async #block(
    ranges: readonly Range[],
    ino: bigint,
  ): Promise<{
    readonly names: readonly XfsName[]
    readonly unread: readonly Range[]
    readonly fault: RunError | null
  }> {
    const { head } = this.#volume
    try {
      const { bytes, unread } = await this.#pages.readable(ranges)
      // A copy, as names are views of it.
      const block = Buffer.from(bytes)
      const { names, fault } = parseBlock(
        block,
        head,
        unread.length === 0 ? block.length : readTo(ranges, unread),
      )
      if (unread.length > 0 || fault !== null) return { names, unread, fault }
      return { names, unread, fault: this.#sealFault(block, ranges, ino) }
    } catch (error) {
      return { names: [], unread: [], fault: faultOf(error) }
    }
  }

  #sealFault(block: Buffer, [first]: readonly Range[], ino: bigint): RunError | null {
    try {
      this.#volume.expectSealed(block, directorySeal, (first?.start ?? 0) - this.#volume.start, ino)
      return null
    } catch (error) {
      return faultOf(error)
    }
  }

  /** Where the names of a directory lie. */
  #places({ runs }: Mapped): readonly Range[] {
    return [...this.#volume.directoryBlocks(runs)].flatMap((ranges) => ranges ?? [])
  }

  /** Of what is no directory the kernel says so too. */
  #gone(path: Buffer, message: string): EntryError {
    this.isBroken = true
    return { error: 'EUCLEAN', path, message }
  }

  #hidden(path: Buffer, fault: RunError, about = ''): EntryError {
    this.isBroken = true
    return hiddenNames(path, fault, about)
  }
}

const isElsewhere = 'it says that it lies in another directory'

const isDots = (name: Buffer, count: number): boolean =>
  name.length === count && name.every((byte) => byte === 0x2e)

/** How many bytes of several ranges come before the first that was not read. */
function readTo(ranges: readonly Range[], unread: readonly Range[]): number {
  let before = 0
  for (const { start, end } of ranges) {
    const [hit] = unread
      .filter((one) => one.start >= start && one.start < end)
      .toSorted((a, b) => a.start - b.start)
    if (hit !== undefined) return before + hit.start - start
    before += end - start
  }
  return bytesIn(ranges)
}

/** The byte of a directory behind its last block of names. */
function endOf({ runs }: Mapped, blockBytes: number): number {
  const last = runs.findLast(({ offset }) => offset * blockBytes < 2 ** 35)
  return last === undefined ? 0 : (last.offset + last.blocks) * blockBytes
}

const localOf = ({ forkStart, size, fork }: XfsInode): readonly Range[] => [
  { start: forkStart, end: forkStart + Math.min(size, fork.length) },
]

function entryOf(
  path: Buffer,
  inode: XfsInode,
  extents: readonly Range[] | null,
  target: Buffer | null,
): Entry {
  const { ino, type, nlink, mtimeNs, mode, uid, gid, form, size } = inode
  return {
    type,
    path,
    ino,
    nlink,
    size: type === 'f' ? Math.min(size, Number.MAX_SAFE_INTEGER) : (target?.length ?? 0),
    mtimeNs,
    mode,
    uid,
    gid,
    rdev: (type === 'b' || type === 'c') && form === forms.device ? deviceOf(inode) : 0n,
    target,
    extents,
  }
}
