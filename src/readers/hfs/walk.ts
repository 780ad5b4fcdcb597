// Goes down the folders of HFS and HFS+ by the catalog, and makes entries of what it says.
import { bareRoot, nobody, typeOfMode, type Entry, type EntryError } from '../../model/entry.ts'
import { InodeSet } from '../../model/inodes.ts'
import { Claims } from '../volumes/claims.ts'
import { badName, hiddenNames, metBefore, missingContent, missingNames, orNothing } from '../faults.ts'
import type { File, Folder } from './catalog.ts'
import { dataFork, resourceFork, type HfsVolume, type Lie, type Said } from './volume.ts'
import { joinPath } from '../reader.ts'
import { mend } from '../utf16.ts'

export const rootFolder = 2
/** The resource fork of a file has its number and this. */
export const forkStep = 2n ** 32n
/** A file of which only the name is known has its number and this, so that nobody takes other bytes for it. */
const nameStep = 2n ** 33n

const longestTarget = 65_536
/** Where the files and folders lie that have several names. */
const privateNames = ['\0\0\0\0HFS+ Private Data', '.HFS+ Private Directory Data\r']

export class HfsWalk {
  /** Numbers of the catalog that were met. */
  readonly met = new InodeSet()
  readonly claims: Claims
  /** Something could not be read, and was told. */
  isBroken = false
  /** Entries but the root. */
  entries = 0
  /** Folders of files and of folders with several names; 0: there is none. */
  readonly privates = [0, 0]
  readonly #volume: HfsVolume
  readonly #entered = new InodeSet()

  constructor(volume: HfsVolume) {
    this.#volume = volume
    this.claims = new Claims(volume.header.blocks)
    for (const { first, blocks } of volume.own) this.claims.claim(first, blocks)
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    // Zeros in names are sorted in a way of their own, so these two are not sought but met.
    for await (const one of this.#volume.members(rootFolder)) {
      if (!('fault' in one) && one.record.type === 'folder') this.keepPrivate(one.name, one.record.id)
    }
    let root: Folder | null = null
    for await (const one of this.#volume.members(1))
      if (!('fault' in one) && one.record.type === 'folder' && one.record.id === rootFolder) root = one.record
    yield* this.folder(Buffer.alloc(0), rootFolder, root)
  }

  /** Takes note of a folder of the root that is the filesystem's own. */
  keepPrivate(name: Buffer, id: number): void {
    const index = privateNames.indexOf(name.toString('latin1'))
    if (index === -1) return
    this.privates[index] = id
    this.met.add(BigInt(id))
  }

  /** A folder, and all below it. `record` null: it cannot be read. */
  async *folder(path: Buffer, id: number, record: Folder | null): AsyncGenerator<Entry | EntryError> {
    if (path.length > 0) this.entries += 1
    this.met.add(BigInt(id))
    yield { ...bareRoot(BigInt(id)), ...ownOf(record), path }
    if (record === null) yield this.#told(path, 'its record cannot be read')
    if (!this.#entered.add(BigInt(id))) {
      yield this.#told(path, metBefore)
      return
    }
    for await (const one of this.#volume.members(id)) {
      if ('fault' in one) {
        this.isBroken = true
        yield hiddenNames(path, one.fault)
      } else yield* this.member(path, one)
    }
  }

  /** What a record says of a member of the folder with a path. */
  async *member(folder: Buffer, { name: stored, record }: Said): AsyncGenerator<Entry | EntryError> {
    if (record.type === 'thread' || this.privates.includes(record.id)) return
    const mended = mend(stored)
    const path = joinPath(folder, mended ?? stored)
    if (mended !== null) yield badName(path)
    if (record.type === 'folder') yield* this.folder(path, record.id, record)
    else yield* this.#file(path, record)
  }

  async *#file(path: Buffer, record: File): AsyncGenerator<Entry | EntryError> {
    const isFirst = this.met.add(BigInt(record.id))
    const { kind, special, isLinked } = record
    if (kind === 'hlnkhfs+') yield* this.#linked(path, record)
    else if (kind === 'fdrpMACS' && isLinked && special > 0) yield* this.#linkedFolder(path, record)
    else yield* this.file(path, record, 1, isFirst)
  }

  /** One of several names of a file, which lies in a folder of its own. */
  async *#linked(path: Buffer, { id, special, mtimeNs }: File): AsyncGenerator<Entry | EntryError> {
    const found = await this.#volume.member(this.privates[0] ?? 0, `iNode${special}`)
    if (found?.record.type === 'file') {
      const isFirst = this.met.add(BigInt(found.record.id))
      yield* this.file(path, found.record, Math.max(1, found.record.special), isFirst)
      return
    }
    yield* this.unreadable(path, id, mtimeNs, `the file iNode${special} that it is a link to cannot be read`)
  }

  /** What is below a folder with several names is told below the first that is met; the others are links. */
  async *#linkedFolder(path: Buffer, record: File): AsyncGenerator<Entry | EntryError> {
    const name = `dir_${record.special}`
    const found = await this.#volume.member(this.privates[1] ?? 0, name)
    if (found?.record.type === 'folder' && !this.met.has(BigInt(found.record.id))) {
      yield* this.folder(path, found.record.id, found.record)
      return
    }
    this.entries += 1
    const target = Buffer.from(name)
    const own = { ...ownOf(record), path, ino: BigInt(record.id), nlink: 1, rdev: 0n, extents: null }
    yield { ...own, type: 'l', size: target.length, target }
    if (found?.record.type !== 'folder')
      yield this.#told(path, `the folder ${name} that it is a link to cannot be read`)
  }

  /** A file of which only the name is known. */
  *unreadable(
    path: Buffer,
    id: number,
    mtimeNs: bigint | null,
    message: string,
  ): Generator<Entry | EntryError> {
    this.entries += 1
    const ino = BigInt(id) + nameStep
    yield { ...nobody, type: 'f', path, ino, nlink: 1, size: 0, mtimeNs, extents: null }
    yield missingContent(path, message)
  }

  async *file(
    path: Buffer,
    record: File,
    nlink: number,
    isFirst: boolean,
  ): AsyncGenerator<Entry | EntryError> {
    const { id, mode, special, data, resource } = record
    const said = typeOfMode(mode)
    const type = said === 'd' || said === '?' ? 'f' : said
    const content = await this.#volume.lie(data, id, dataFork)
    const fork = await this.#volume.lie(resource, id, resourceFork)
    const isFree = !isFirst || (this.#claim(content) && this.#claim(fork))
    const own = { ...ownOf(record), path, ino: BigInt(id), nlink, target: null, rdev: 0n }
    const faults = [content.fault, isFree ? null : 'a part of it lies where another file lies']
    this.entries += 1
    if (record.isCompressed && data.size === 0) {
      const size = await this.#compressedSize(id)
      if (size === null) faults.push('it is compressed, and how cannot be read')
      yield { ...own, type: 'f', size: size ?? 0, extents: null }
    } else if (type === 'f') yield { ...own, type, size: data.size, extents: content.ranges }
    else if (type === 'l') {
      const target = await this.#target(content, data.size)
      if (target === null) faults.push('its target cannot be read')
      yield { ...own, type, size: target?.length ?? 0, target, extents: null }
    } else {
      const isDevice = type === 'b' || type === 'c'
      const rdev = isDevice ? (BigInt(special >>> 24) << 32n) + BigInt(special & 0xff_ffff) : 0n
      yield { ...own, type, size: 0, rdev, extents: null }
    }
    for (const message of faults) if (message !== null) yield missingContent(path, message)
    // The resource fork of a compressed file is its content, and is told as that.
    if (resource.size === 0 || (record.isCompressed && data.size === 0)) return
    this.entries += 1
    const beside = Buffer.concat([path, Buffer.from(':rsrc')])
    yield {
      ...own,
      type: 'f',
      path: beside,
      ino: own.ino + forkStep,
      size: resource.size,
      extents: fork.ranges,
    }
    if (fork.fault !== null) yield missingContent(beside, fork.fault)
  }

  #claim({ extents }: Lie): boolean {
    let isFree = true
    for (const { first, blocks } of extents) if (!this.claims.claim(first, blocks)) isFree = false
    return isFree
  }

  async #target({ ranges, fault }: Lie, size: number): Promise<Buffer | null> {
    if (fault !== null || size > longestTarget) return null
    try {
      return Buffer.from(await this.#volume.pages.all(ranges))
    } catch (error) {
      return orNothing(error)
    }
  }

  /** How long a file is whose content is compressed, as an attribute of it says; null: that cannot be read. */
  async #compressedSize(id: number): Promise<number | null> {
    if (this.#volume.attributes === null) return null
    for await (const found of this.#volume.attributes.of(id)) {
      if ('fault' in found) continue
      const { key, value } = found
      const name =
        key.length < 14 ? Buffer.alloc(0) : Buffer.from(key.subarray(14, 14 + key.readUInt16BE(12) * 2))
      if (name.swap16().toString('utf16le') !== 'com.apple.decmpfs' || value.length < 32) continue
      if (value.readUInt32BE(0) !== 0x10 || value.toString('latin1', 16, 20) !== 'fpmc') return null
      const size = Number(value.readBigUInt64LE(24))
      return Number.isSafeInteger(size) ? size : null
    }
    return null
  }

  #told(path: Buffer, message: string): EntryError {
    this.isBroken = true
    return missingNames(path, message)
  }
}

/** Owner, mode and time; what no Unix has written has none. */
function ownOf(record: Folder | File | null): Pick<Entry, 'mode' | 'uid' | 'gid' | 'mtimeNs'> {
  if (record === null || record.mode === 0)
    return { mode: null, uid: null, gid: null, mtimeNs: record?.mtimeNs ?? null }
  const { mode, uid, gid, mtimeNs } = record
  return { mode: mode & 0o7777, uid, gid, mtimeNs }
}
