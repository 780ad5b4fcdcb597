// Goes down the directories of NTFS by their indexes, and makes entries of what they name.
import { nobody, type Entry, type EntryError } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import { UnreadError } from '../../model/unread.ts'
import { Claims } from '../volumes/claims.ts'
import {
  badName,
  faultOf,
  hiddenNames,
  metBefore,
  missingContent,
  missingNames,
  orNothing,
} from '../faults.ts'
import { bytesOf, extentsOfIndex, indexOf } from './directory.ts'
import type { IndexName } from './index-tree.ts'
import { attributes, type Reference } from './layout.ts'
import { mostInterix, parseInterix, parseReparse, type Special } from './links.ts'
import { streamOf, type NtfsFile, type NtfsVolume } from './volume.ts'
import { joinPath } from '../reader.ts'
import { mend, utf8Of } from '../utf16.ts'

export const rootRecord = 5
/** Records below this number are the filesystem's own. */
export const firstRecord = 16

/** Streams of one file are told apart by this part of their numbers; the content without a name has 0. */
export const streamStep = 2n ** 48n
/** What is named and cannot be read has a number that no stream has, so that nobody takes other bytes for it. */
const noStream = 0x7fffn

export class NtfsWalk {
  /** First records of the files that were met. */
  readonly met = new InodeSet()
  /** Directories of which some names could not be read. */
  readonly broken = new Set<number>()
  /** Directories whose own record cannot be read: where they are. */
  readonly unread = new Map<number, { readonly path: Buffer; readonly sequence: number }>()
  readonly claims: Claims
  /** Entries but the root. */
  entries = 0
  readonly #volume: NtfsVolume
  readonly #entered = new InodeSet()

  constructor(volume: NtfsVolume) {
    this.#volume = volume
    this.claims = new Claims(volume.layout.clusters + 1)
  }

  async *all(): AsyncGenerator<Entry | EntryError> {
    // The filesystem's own files are no entries, but their clusters are not free.
    for (let number = 0; number < firstRecord; number += 1) {
      const file = await this.#volume.file(number).catch(orNothing)
      if (number !== rootRecord && file !== null) this.#meet(file)
    }
    const root = { number: rootRecord, sequence: 0 }
    yield* this.#named(Buffer.alloc(0), { file: root, isDirectory: true, size: 0, mtimeNs: null })
  }

  /** An entry by what a directory says of it. */
  async *#named(
    path: Buffer,
    name: Pick<IndexName, 'file' | 'isDirectory' | 'size' | 'mtimeNs'> & Partial<IndexName>,
  ): AsyncGenerator<Entry | EntryError> {
    const { number, sequence } = name.file
    let file: NtfsFile
    try {
      file = await this.#volume.file(number)
      const { isUsed, base } = file.record
      if (!isUsed || base !== null) throw new RunError('it is not in use')
      if (sequence !== 0 && file.record.sequence !== sequence) throw new RunError('it is another file by now')
    } catch (error) {
      yield* this.#unreadable(path, name, faultOf(error))
      return
    }
    const { units, parent } = name
    // Both the directory and the file itself have the name.
    const isAgreed = file.names.some(
      (one) => one.parent.number === parent?.number && units?.equals(one.units) === true,
    )
    if (units !== undefined && file.fault === null && !isAgreed)
      yield { error: 'bad-name', path, message: `record ${number} has another name than the directory says` }
    yield* this.known(path, file)
  }

  *#unreadable(
    path: Buffer,
    {
      file: { number, sequence },
      isDirectory,
      size,
      mtimeNs,
    }: Pick<IndexName, 'file' | 'isDirectory' | 'size' | 'mtimeNs'>,
    fault: RunError,
  ): Generator<Entry | EntryError> {
    const ino = BigInt(number) + noStream * streamStep
    this.entries += 1
    const own = { path, ino, nlink: 1, mtimeNs, ...nobody, extents: null }
    yield isDirectory
      ? { ...own, type: 'd', size: 0 }
      : { ...own, type: 'f', size: Math.min(size, mostBytes) }
    const about = `record ${number}: `
    if (isDirectory) {
      this.unread.set(number, { path, sequence })
      yield hiddenNames(path, fault, about)
    } else if (fault instanceof UnreadError) yield { error: 'EIO', path, message: `${about}${fault.message}` }
    else yield missingContent(path, `${about}${fault.message}`)
  }

  /** A file with its named streams, and all below it. */
  async *known(path: Buffer, file: NtfsFile): AsyncGenerator<Entry | EntryError> {
    const isFree = this.#meet(file)
    const { isDirectory } = file.record
    const isRoot = path.length === 0
    const { special, fault } = await this.#special(file)
    const type = special?.type ?? (isDirectory ? 'd' : 'f')
    const ino = BigInt(file.number)
    const nlink = type === 'd' ? 1 : Math.max(1, file.names.length)
    const own = { path, ino, nlink, mtimeNs: file.mtimeNs, ...nobody }
    if (!isRoot) this.entries += 1
    if (type === 'd') yield { ...own, type, size: 0, extents: extentsOfIndex(file) }
    else if (type === 'f') yield { ...own, type, ...contentOf(file, special) }
    else {
      const { target, rdev } = special ?? { target: null, rdev: 0n }
      yield { ...own, type, size: target?.length ?? 0, rdev, target, extents: null }
    }
    const content = type === 'f' ? streamOf(file, attributes.data, '') : undefined
    const faults = [
      file.fault,
      fault,
      special?.elsewhere ?? null,
      content?.fault ?? null,
      content?.isEncrypted === true ? 'it is encrypted, and the key is not on this medium' : null,
      isFree ? null : 'a part of it lies where another file lies',
    ]
    for (const message of faults)
      if (message !== null)
        yield isDirectory && message === file.fault
          ? missingNames(path, message)
          : missingContent(path, message)
    yield* this.#streams(file, own)
    if (type === 'd') yield* this.#below(path, file)
  }

  /** Named streams stand beside their file, as `name:stream`. */
  *#streams(file: NtfsFile, own: Omit<Entry, 'type' | 'size' | 'extents'>): Generator<Entry | EntryError> {
    let ordinal = 0n
    for (const stream of file.streams) {
      if (stream.type !== attributes.data || stream.name === '') continue
      ordinal += 1n
      const units = utf8Of(Buffer.from(stream.name, 'utf16le'))
      const path = Buffer.concat([own.path, Buffer.from(':'), mend(units) ?? units])
      const ino = own.ino + ordinal * streamStep
      const { size, extents, fault, isEncrypted } = stream
      this.entries += 1
      yield {
        ...own,
        type: 'f',
        path,
        ino,
        nlink: Math.max(1, file.names.length),
        size,
        extents: isEncrypted ? null : extents,
      }
      if (fault !== null) yield missingContent(path, fault)
    }
  }

  async *#below(path: Buffer, file: NtfsFile): AsyncGenerator<Entry | EntryError> {
    if (!this.#entered.add(BigInt(file.number))) {
      yield missingNames(path, metBefore)
      return
    }
    for await (const { names, fault } of indexOf(file, this.#volume)) {
      let wrong = fault
      for (const name of names) {
        if (name.parent.number !== file.number) wrong ??= new RunError('it has names of another directory')
        if (name.isShort || name.parent.number !== file.number || name.file.number === rootRecord) continue
        const isOwn = file.number === rootRecord && name.file.number < firstRecord
        const units = utf8Of(name.units)
        const mended = mend(units)
        const inside = joinPath(path, mended ?? units)
        if (isOwn) {
          await this.#passOver(inside, name.file)
          continue
        }
        if (mended !== null) yield badName(inside)
        yield* this.#named(inside, name)
      }
      if (wrong === null) continue
      this.broken.add(file.number)
      yield hiddenNames(path, wrong)
    }
  }

  /** What lies below one of the filesystem's own directories is no entry, but it is known. */
  async #passOver(path: Buffer, { number }: Reference): Promise<void> {
    const file = await this.#volume.file(number).catch(orNothing)
    if (file?.record.isDirectory !== true) return
    const { entries } = this
    for await (const found of this.#below(path, file)) found satisfies Entry | EntryError
    this.entries = entries
    this.broken.delete(number)
  }

  /** What is no plain file and no plain directory. */
  async #special(
    file: NtfsFile,
  ): Promise<{ readonly special: Special | null; readonly fault: string | null }> {
    try {
      const reparse = streamOf(file, attributes.reparse, '')
      if (reparse !== undefined) {
        const special = parseReparse(await bytesOf(reparse, this.#volume), file.flags)
        // A directory that is kept elsewhere in part is a directory nevertheless.
        return { special: file.record.isDirectory && special?.type === 'f' ? null : special, fault: null }
      }
      const content = streamOf(file, attributes.data, '')
      const isSystem = (file.flags & 4) !== 0 && !file.record.isDirectory
      if (!isSystem || content === undefined || content.size > mostInterix || content.extents === null)
        return { special: null, fault: null }
      return { special: parseInterix(await bytesOf(content, this.#volume)), fault: null }
    } catch (error) {
      return { special: null, fault: faultOf(error).message }
    }
  }

  /** Takes note of a file; false if some of its clusters are another's as well. */
  #meet(file: NtfsFile): boolean {
    if (!this.met.add(BigInt(file.number))) return true
    let isFree = true
    for (const { runs } of file.streams)
      for (const { first, clusters } of runs)
        if (first !== -1 && !this.claims.claim(first, clusters)) isFree = false
    return isFree
  }
}

const mostBytes = Number.MAX_SAFE_INTEGER

function contentOf(file: NtfsFile, special: Special | null): Pick<Entry, 'size' | 'extents'> {
  const content = streamOf(file, attributes.data, '')
  if (content === undefined) return { size: 0, extents: file.fault === null ? [] : null }
  const isHidden = content.isEncrypted || (special?.elsewhere ?? null) !== null
  return { size: content.size, extents: isHidden ? null : content.extents }
}
