// Goes down the directories of a volume of btrfs, subvolumes among them, and makes entries of what its trees say.
import { bareRoot, typeOfMode, type Entry, type EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import { faultOf, hiddenNames, metBefore, missingContent, missingNames } from '../faults.ts'
import { joinPath } from '../reader.ts'
import {
  isRefOf,
  kinds,
  parseInode,
  parseName,
  trees,
  type BtrfsInode,
  type BtrfsName,
  type RootRecord,
} from './layout.ts'
import { entryNumber, standInNumber } from './numbers.ts'
import { piecesOf, placed } from './pieces.ts'
import type { BtrfsVolume } from './volume.ts'

const mostTargetBytes = 65_536

interface Subvolume {
  readonly id: bigint
  readonly root: RootRecord
}

export class BtrfsWalk {
  /** Something could not be read, and was told. */
  isBroken = false
  /** Subvolumes that have a name. */
  readonly met = new Set<bigint>([trees.top])
  readonly #volume: BtrfsVolume
  readonly #entered = new InodeSet()

  constructor(volume: BtrfsVolume) {
    this.#volume = volume
  }

  /** Throws RunError where the root directory cannot be read. */
  async *all(): AsyncGenerator<Entry | EntryError> {
    let top: Subvolume
    let inode: BtrfsInode
    try {
      top = { id: trees.top, root: await this.#volume.root(trees.top) }
      inode = await this.#inode(top, top.root.directory)
    } catch (error) {
      throw new RunError(`the root directory cannot be read: ${faultOf(error).message}`, { cause: error })
    }
    yield* this.#entry(Buffer.alloc(0), top, top.root.directory, inode)
  }

  async *#named(path: Buffer, subvolume: Subvolume, id: bigint): AsyncGenerator<Entry | EntryError> {
    let inode: BtrfsInode
    try {
      inode = await this.#inode(subvolume, id)
      entryNumber(subvolume.id, id)
    } catch (error) {
      const fault = faultOf(error)
      const word = fault instanceof UnreadError ? 'EIO' : 'unreadable-directory'
      yield this.#told({ error: word, path, message: `inode ${id}: ${fault.message}` })
      return
    }
    yield* this.#entry(path, subvolume, id, inode)
  }

  async *#entry(
    path: Buffer,
    subvolume: Subvolume,
    id: bigint,
    inode: BtrfsInode,
  ): AsyncGenerator<Entry | EntryError> {
    const { nlink, mtimeNs, uid, gid, rdev, size } = inode
    const type = typeOfMode(inode.mode)
    const own = {
      type,
      path,
      ino: entryNumber(subvolume.id, id),
      nlink: type === 'd' ? 1 : nlink,
      size: 0,
      mtimeNs,
      mode: inode.mode & 0o7777,
      uid,
      gid,
      rdev: type === 'b' || type === 'c' ? rdev : 0n,
      target: null,
      extents: null,
    }
    if (type === 'f') {
      const { extents, fault } = await placed(this.#volume, subvolume.root, id, size)
      yield { ...own, size, extents }
      if (fault !== null) yield missingContent(path, fault.message)
    } else if (type === 'l') {
      const target = await this.#target(subvolume, id, size)
      if (target instanceof RunError) {
        yield own
        yield missingContent(path, `where it points: ${target.message}`)
      } else yield { ...own, size: target.length, target }
    } else {
      yield own
      if (type === 'd') yield* this.#below(path, subvolume, id, size)
    }
  }

  async *#below(
    path: Buffer,
    subvolume: Subvolume,
    id: bigint,
    size: number,
  ): AsyncGenerator<Entry | EntryError> {
    if (!this.#entered.add(entryNumber(subvolume.id, id))) {
      yield this.#told(missingNames(path, metBefore))
      return
    }
    // The size of a directory is twice the length of all its names.
    let missing = size
    let isWhole = true
    for await (const found of this.#volume.of(subvolume.root, id, kinds.name)) {
      let named: BtrfsName
      try {
        if ('fault' in found) throw found.fault
        named = parseName(found.value)
      } catch (error) {
        isWhole = false
        yield this.#told(hiddenNames(path, faultOf(error)))
        continue
      }
      missing -= named.name.length * 2
      const inside = joinPath(path, named.name)
      if (named.isSubvolume) yield* this.#subvolume(inside, subvolume, id, named)
      else yield* this.#named(inside, subvolume, named.id)
    }
    if (isWhole && missing > 0)
      yield this.#told(hiddenNames(path, new RunError(`${missing / 2} bytes of its names are not there`)))
  }

  /** Another subvolume stands there, or, in a snapshot, an empty directory in the place of one. */
  async *#subvolume(
    path: Buffer,
    above: Subvolume,
    directory: bigint,
    { name, id }: BtrfsName,
  ): AsyncGenerator<Entry | EntryError> {
    let subvolume: Subvolume
    try {
      if (!(await this.#stands(above.id, directory, name, id))) {
        yield { ...bareRoot(standInNumber(above.id, id)), path, mode: 0o755 }
        return
      }
      if (this.met.has(id)) throw new RunError(`subvolume ${id} was met before`)
      this.met.add(id)
      subvolume = { id, root: await this.#volume.root(id) }
    } catch (error) {
      yield this.#told(hiddenNames(path, faultOf(error), `subvolume ${id}: `))
      return
    }
    yield* this.#named(path, subvolume, subvolume.root.directory)
  }

  async #stands(above: bigint, directory: bigint, name: Buffer, id: bigint): Promise<boolean> {
    const key = { id: above, kind: kinds.rootRef, offset: id }
    for await (const found of this.#volume.items(this.#volume.head.roots, key, key)) {
      if ('fault' in found) throw found.fault
      return isRefOf(found.value, directory, name)
    }
    return false
  }

  async #inode({ root }: Subvolume, id: bigint): Promise<BtrfsInode> {
    for await (const found of this.#volume.of(root, id, kinds.inode)) {
      if ('fault' in found) throw found.fault
      return parseInode(found.value)
    }
    throw new RunError('it is not there')
  }

  async #target({ root }: Subvolume, id: bigint, size: number): Promise<Buffer | RunError> {
    try {
      if (size > mostTargetBytes) throw new RunError(`${size} bytes are too many`)
      const pieces: Buffer[] = []
      for await (const { extent, length } of piecesOf(this.#volume, root, id, size)) {
        if (extent.type !== 'inline' || extent.packing !== 'none') throw new RunError('it makes no sense')
        pieces.push(extent.stored.subarray(0, length))
      }
      return Buffer.concat(pieces)
    } catch (error) {
      return faultOf(error)
    }
  }

  #told(error: EntryError): EntryError {
    this.isBroken = true
    return error
  }
}
