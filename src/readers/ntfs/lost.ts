// Files of NTFS that no directory names, or whose directory cannot be read: the file table knows each file's name and where it belongs.
import type { Entry, EntryError } from '../../model/entry.ts'
import { InodeSet } from '../../model/inodes.ts'
import { indexOf } from './directory.ts'
import { attributes, wide, type FileName } from './layout.ts'
import { streamOf, type NtfsFile, type NtfsVolume } from './volume.ts'
import { firstRecord, rootRecord, type NtfsWalk } from './walk.ts'
import { faultOf, missingNames, orNothing } from '../faults.ts'
import { joinPath } from '../reader.ts'
import { mend, utf8Of } from '../utf16.ts'

const deepest = 1024
/** What lies here was found without a directory; the name is made up. */
const madeUp = Buffer.from('$Orphans')

export class NtfsLost {
  /** Names that were found. */
  found = 0
  readonly #volume: NtfsVolume
  readonly #walk: NtfsWalk
  readonly #told = new Set<number>()
  readonly #listed = new Map<number, InodeSet>()

  constructor(volume: NtfsVolume, walk: NtfsWalk) {
    this.#volume = volume
    this.#walk = walk
  }

  /** Directories first: what lies below them is then found by their indexes. */
  async *all(): AsyncGenerator<Entry | EntryError> {
    const used = await this.#usedRecords()
    let left = this.#walk.broken.size + this.#walk.unread.size
    /** Records that nothing names, one behind the other: they are told as one. */
    let gap: { first: number; last: number } | null = null
    for (let number = firstRecord; number < this.#volume.table.records; number += 1) {
      const kind = await this.#kindOf(number)
      if (kind === 'unreadable') {
        const isUsed = ((used?.[number >>> 3] ?? 0xff) & (1 << (number & 7))) !== 0
        if (!isUsed || this.#volume.table.unreadable.has(BigInt(number))) continue
        if (gap !== null && gap.last === number - 1) gap.last = number
        else {
          if (gap !== null) yield unnamed(recordsOf(gap))
          gap = { first: number, last: number }
        }
        continue
      }
      if (kind === 'free' || this.#walk.met.has(BigInt(number))) continue
      left += 1
      if (kind === 'directory') yield* this.#directory(number)
    }
    if (gap !== null) yield unnamed(recordsOf(gap))
    if (left === 0) return
    for (let number = firstRecord; number < this.#volume.table.records; number += 1)
      if ((await this.#kindOf(number)) === 'file') yield* this.#file(number)
  }

  async #kindOf(number: number): Promise<'free' | 'file' | 'directory' | 'unreadable'> {
    const bytes = await this.#volume.table.rawRecord(number).catch(orNothing)
    if (bytes === null || bytes.toString('latin1', 0, 4) !== 'FILE') return 'unreadable'
    const flags = bytes.readUInt16LE(0x16)
    if ((flags & 1) === 0 || wide(bytes, 0x20) !== 0) return 'free'
    return (flags & 2) === 0 ? 'file' : 'directory'
  }

  async *#directory(number: number): AsyncGenerator<Entry | EntryError> {
    // What could not be read was told when it was asked for.
    if (this.#volume.table.unreadable.has(BigInt(number))) return
    // Whatever was found last: its directory, or the directory of that one, may be as unknown.
    while (!this.#walk.met.has(BigInt(number))) {
      const file = await this.#read(number)
      if (typeof file === 'string') {
        yield unnamed(file)
        return
      }
      const [name] = file.names
      if (name === undefined) return
      const way = await this.#wayTo(file, name)
      if (way === null) return
      const top = way.unmet ?? { file, path: way.path }
      this.found += 1
      yield* this.#placeless(way)
      yield* this.#walk.known(top.path, top.file)
    }
  }

  async *#file(number: number): AsyncGenerator<Entry | EntryError> {
    const isMet = this.#walk.met.has(BigInt(number))
    const { broken, unread } = this.#walk
    if ((isMet && broken.size + unread.size === 0) || this.#volume.table.unreadable.has(BigInt(number)))
      return
    const file = await this.#read(number)
    if (typeof file === 'string') {
      if (!isMet) yield unnamed(file)
      return
    }
    for (const name of file.names) {
      if (isMet && !(await this.#isMissing(name, number))) continue
      const way = await this.#wayTo(file, name)
      if (way === null) continue
      this.found += 1
      yield* this.#placeless(way)
      yield* this.#walk.known(way.path, file)
    }
  }

  /** Tells once of each directory that nobody knows where it belongs. */
  *#placeless({ placeless }: Way): Generator<EntryError> {
    if (placeless === null || this.#told.has(placeless.number)) return
    const { number, root, isGone } = placeless
    this.#told.add(number)
    yield {
      error: isGone ? 'bad-name' : 'unreadable-directory',
      path: root,
      message: `directory ${number} ${isGone ? 'is gone' : 'cannot be read'}: where it was is made up`,
    }
  }

  async #read(number: number): Promise<NtfsFile | string> {
    try {
      return await this.#volume.file(number)
    } catch (error) {
      return `record ${number} of the file table: ${faultOf(error).message}: names may be missing`
    }
  }

  /** Whether a directory of which some names could not be read does not name this file. */
  async #isMissing({ parent }: FileName, number: number): Promise<boolean> {
    if (this.#walk.unread.has(parent.number)) return true
    if (!this.#walk.broken.has(parent.number)) return false
    let listed = this.#listed.get(parent.number)
    if (listed === undefined) {
      listed = new InodeSet()
      const directory = await this.#volume.file(parent.number).catch(orNothing)
      if (directory !== null)
        for await (const { names } of indexOf(directory, this.#volume))
          for (const { file } of names) listed.add(BigInt(file.number))
      this.#listed.set(parent.number, listed)
    }
    return !listed.has(BigInt(number))
  }

  /**
   * Where a name belongs, by the names of the directories above it; null: below what is the filesystem's own. `unmet`: the
   * uppermost of these directories that was not met.
   */
  async #wayTo(file: NtfsFile, name: FileName): Promise<Way | null> {
    const steps: { readonly file: NtfsFile; readonly name: Buffer }[] = [{ file, name: nameOf(name) }]
    let { parent } = name
    let placeless: Way['placeless'] = null
    let root: Buffer = Buffer.alloc(0)
    while (parent.number !== rootRecord) {
      if (parent.number < firstRecord) return null
      const known = this.#walk.unread.get(parent.number)
      if (known !== undefined && known.sequence === parent.sequence) {
        root = known.path
        break
      }
      const above = await this.#volume.file(parent.number).catch(orNothing)
      const next = above?.names[0]
      const { record } = above ?? {}
      if (
        above === null ||
        next === undefined ||
        record?.isUsed !== true ||
        !record.isDirectory ||
        record.sequence !== parent.sequence ||
        steps.length > deepest
      ) {
        root = joinPath(madeUp, Buffer.from(String(parent.number)))
        placeless = { number: parent.number, root, isGone: above !== null }
        break
      }
      steps.push({ file: above, name: nameOf(next) })
      ;({ parent } = next)
    }
    let path: Buffer = root
    let unmet: Way['unmet'] = null
    for (const step of steps.toReversed()) {
      path = joinPath(path, step.name)
      if (step.file.record.isDirectory && !this.#walk.met.has(BigInt(step.file.number)))
        unmet ??= { file: step.file, path }
    }
    return { path, placeless, unmet }
  }

  /** Which records are in use, as the table itself says; null: it cannot be read. */
  async #usedRecords(): Promise<Buffer | null> {
    const table = await this.#volume.file(0).catch(orNothing)
    const stream = table === null ? undefined : streamOf(table, attributes.bitmap, '')
    const extents = stream?.extents ?? null
    if (stream === undefined || extents === null || extents.some(({ start }) => start === -1)) return null
    return this.#volume.pages.all(extents).then((bytes) => Buffer.from(bytes), orNothing)
  }
}

interface Way {
  readonly path: Buffer
  /** The directory above all others, where its name and place are made up. */
  readonly placeless: { readonly number: number; readonly root: Buffer; readonly isGone: boolean } | null
  readonly unmet: { readonly file: NtfsFile; readonly path: Buffer } | null
}

function nameOf({ units }: FileName): Buffer {
  const name = utf8Of(units)
  return mend(name) ?? name
}

const recordsOf = ({ first, last }: { readonly first: number; readonly last: number }): string =>
  `records ${first} to ${last} of the file table cannot be read: names may be missing`

const unnamed = (message: string): EntryError => missingNames(Buffer.alloc(0), message)
