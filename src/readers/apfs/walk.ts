// Goes down the folders of one volume of APFS, and makes entries of what its tree says.
import { nobody, typeOfMode, type Entry, type EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { Range } from '../../model/world.ts'
import type { ApfsTree, Found } from './container.ts'
import { kinds, nameOf, parseInode, wide, type ApfsHead, type ApfsInode } from './layout.ts'
import { badName, faultOf, hiddenNames, metBefore, missingContent, missingNames } from '../faults.ts'
import { push } from '../ranges.ts'
import { joinPath } from '../reader.ts'
import { mend } from '../utf16.ts'

const rootFolder = 2
/** A resource fork has the number of its file and this; numbers are made so that they fit into 60 bits. */
const forkStep = 2n ** 55n
/** A file of which only the name is known has its number and this. */
export const nameStep = 2n ** 54n
/** The volumes of one container differ in this. */
export const volumeStep = 2n ** 56n

interface Place {
  /** Of the first block in the image. */
  readonly start: number
  readonly blockBytes: number
  readonly blocks: number
  /** Which of the volumes of the container. */
  readonly index: number
}

/** An attribute: its content, or the number under which that is, and its length. */
interface Attribute {
  readonly value: Buffer
  readonly stream: { readonly number: number; readonly size: number } | null
}

interface Known {
  readonly inode: ApfsInode | null
  readonly attributes: ReadonlyMap<string, Attribute>
  readonly fault: RunError | null
}

export class ApfsWalk {
  /** Something could not be read, and was told. */
  isBroken = false
  readonly met = new InodeSet()
  readonly #tree: ApfsTree
  readonly #head: ApfsHead
  readonly #place: Place
  readonly #entered = new InodeSet()

  constructor(tree: ApfsTree, head: ApfsHead, place: Place) {
    this.#tree = tree
    this.#head = head
    this.#place = place
  }

  all(path: Buffer): AsyncGenerator<Entry | EntryError> {
    return this.#named(path, rootFolder, true)
  }

  async *#named(path: Buffer, number: number, isFolder: boolean): AsyncGenerator<Entry | EntryError> {
    const { inode, attributes, fault } = await this.#known(number)
    if (inode === null) {
      yield* this.#unreadable(path, number, isFolder, fault ?? new RunError(`there is no inode ${number}`))
      return
    }
    this.met.add(BigInt(number))
    const { mtimeNs, uid, gid, nlink, mode, rdev } = inode
    const type = typeOfMode(mode)
    const ino = this.#ino(number)
    const own = {
      path,
      ino,
      mtimeNs,
      uid,
      gid,
      mode: mode & 0o7777,
      nlink: type === 'd' ? 1 : nlink,
      rdev: 0n,
      target: null,
    }
    const faults = [fault?.message ?? null]
    if (type === 'd') yield { ...own, type, size: 0, extents: null }
    else if (type === 'f' && inode.isCompressed && inode.size === 0) {
      const head = attributes.get('com.apple.decmpfs')?.value
      const isHead = head !== undefined && head.length >= 16 && head.toString('latin1', 0, 4) === 'fpmc'
      yield { ...own, type, size: isHead ? wide(head, 8) : 0, extents: null }
      if (!isHead) faults.push('it is compressed, and how cannot be read')
    } else if (type === 'f') {
      const content = await this.#extents(inode.content, inode.size)
      yield { ...own, type, size: inode.size, extents: content.extents }
      faults.push(content.fault)
    } else if (type === 'l') {
      const target = targetOf(attributes.get('com.apple.fs.symlink'))
      yield { ...own, type, size: target?.length ?? 0, target, extents: null }
      if (target === null) faults.push('its target cannot be read')
    } else yield { ...own, type, size: 0, rdev, extents: null }
    for (const message of faults)
      if (message !== null) yield type === 'd' ? missingNames(path, message) : missingContent(path, message)
    if (type === 'f') yield* this.#resource(own, attributes.get('com.apple.ResourceFork'), inode)
    if (type === 'd') yield* this.#below(path, number)
  }

  *#unreadable(
    path: Buffer,
    number: number,
    isFolder: boolean,
    fault: RunError,
  ): Generator<Entry | EntryError> {
    const own = { path, ino: this.#ino(number) + nameStep, nlink: 1, mtimeNs: null, ...nobody, extents: null }
    yield { ...own, type: isFolder ? 'd' : 'f', size: 0 }
    this.isBroken = true
    if (isFolder) yield hiddenNames(path, fault)
    else yield missingContent(path, fault.message)
  }

  async *#resource(
    own: Omit<Entry, 'type' | 'size' | 'extents'>,
    attribute: Attribute | undefined,
    { isCompressed, size }: ApfsInode,
  ): AsyncGenerator<Entry | EntryError> {
    // That of a compressed file is its content.
    if (attribute?.stream === undefined || attribute.stream === null || (isCompressed && size === 0)) return
    const { number, size: bytes } = attribute.stream
    const { extents, fault } = await this.#extents(number, bytes)
    const path = Buffer.concat([own.path, Buffer.from(':rsrc')])
    yield { ...own, type: 'f', path, ino: own.ino + forkStep, size: bytes, extents }
    if (fault !== null) yield missingContent(path, fault)
  }

  async *#below(path: Buffer, number: number): AsyncGenerator<Entry | EntryError> {
    if (!this.#entered.add(BigInt(number))) {
      this.isBroken = true
      yield missingNames(path, metBefore)
      return
    }
    for await (const found of this.#tree.of(number)) {
      const named = this.#nameIn(found)
      if (named === null) continue
      if (named instanceof RunError) {
        this.isBroken = true
        yield hiddenNames(path, named)
        continue
      }
      const mended = mend(named.name)
      const inside = joinPath(path, mended ?? named.name)
      if (mended !== null) yield badName(inside)
      yield* this.#named(inside, named.number, named.isFolder)
    }
  }

  /** null: the record is none of a name. */
  #nameIn(
    found: Found,
  ): { readonly name: Buffer; readonly number: number; readonly isFolder: boolean } | RunError | null {
    if ('fault' in found) return found.fault
    if (found.kind !== kinds.name) return null
    try {
      if (found.value.length < 18) throw new RunError('a name leads nowhere')
      const name = nameOf(found.key, this.#head.isHashed)
      return { name, number: wide(found.value, 0), isFolder: (found.value.readUInt16LE(16) & 15) === 4 }
    } catch (error) {
      return faultOf(error)
    }
  }

  /** The inode of a number, and its attributes. */
  async #known(number: number): Promise<Known> {
    let inode: ApfsInode | null = null
    let fault: RunError | null = null
    const attributes = new Map<string, Attribute>()
    try {
      for await (const found of this.#tree.of(number)) {
        if ('fault' in found) {
          fault ??= found.fault
          continue
        }
        if (found.kind === kinds.inode) inode = parseInode(found.value)
        else if (found.kind === kinds.attribute)
          attributes.set(nameOf(found.key, false).toString('utf8'), attributeOf(found.value))
        // What comes behind are pieces and names.
        else if (found.kind >= kinds.extent) break
      }
    } catch (error) {
      fault ??= faultOf(error)
    }
    return { inode, attributes, fault }
  }

  /** Where a content lies in the image, cut to its size; gaps are holes. */
  async #extents(
    number: number,
    size: number,
  ): Promise<{ readonly extents: readonly Range[]; readonly fault: string | null }> {
    const extents: { start: number; end: number }[] = []
    const { start, blockBytes, blocks } = this.#place
    let at = 0
    for await (const found of this.#tree.of(number)) {
      if ('fault' in found) return { extents, fault: found.fault.message }
      if (found.kind !== kinds.extent || found.key.length < 16 || found.value.length < 16) continue
      const [from, block] = [wide(found.key, 8), wide(found.value, 8)]
      const length = (found.value.readUInt32LE(4) & 0xff_ffff) * 2 ** 32 + found.value.readUInt32LE(0)
      if (from < at) return { extents, fault: 'its pieces lie over one another' }
      if (block + Math.ceil(length / blockBytes) > blocks)
        return { extents, fault: 'a piece of it lies outside of the container' }
      const gap = Math.min(from, size) - at
      if (gap > 0) push(extents, { start: -1, end: gap })
      at = Math.min(from, size)
      const taken = Math.min(length, size - at)
      if (taken <= 0) break
      const place = start + block * blockBytes
      push(extents, block === 0 ? { start: -1, end: taken } : { start: place, end: place + taken })
      at += taken
    }
    if (at < size) push(extents, { start: -1, end: size - at })
    return { extents, fault: null }
  }

  #ino(number: number): bigint {
    return BigInt(number) + BigInt(this.#place.index) * volumeStep
  }
}

function attributeOf(value: Buffer): Attribute {
  if (value.length < 4) throw new RunError('an attribute makes no sense')
  const own = value.subarray(4, 4 + value.readUInt16LE(2))
  const isStream = (value.readUInt16LE(0) & 1) !== 0 && own.length >= 16
  return { value: own, stream: isStream ? { number: wide(own, 0), size: wide(own, 8) } : null }
}

/** Up to its zero. */
function targetOf(attribute: Attribute | undefined): Buffer | null {
  if (attribute === undefined || attribute.stream !== null) return null
  const end = attribute.value.indexOf(0)
  return attribute.value.subarray(0, end === -1 ? attribute.value.length : end)
}
