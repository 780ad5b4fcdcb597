// sleuthkit: one pass of fiwalk gives path, inode, time and the byte ranges of every file; no root, no mount.
import { bareRoot, type Entry, type EntryError, type EntryType, type Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { parseDfxml, type DfxmlFile, type DfxmlRun } from './dfxml.ts'
import { missingNames } from '../faults.ts'
import { icat } from '../icat.ts'
import { push } from '../ranges.ts'
import { byRangesOr, listing, versionOf, type FsReader } from '../reader.ts'

/** Type as blkid tells it to what fiwalk calls it. */
const families: Readonly<Record<string, RegExp>> = {
  vfat: /^fat(12|16|32)$/,
  exfat: /^exfat$/,
}

const letters: Readonly<Record<string, EntryType>> = {
  r: 'f',
  d: 'd',
  l: 'l',
  b: 'b',
  c: 'c',
  p: 'p',
  h: 's',
}

/** What sleuthkit shows in the root of FAT and exFAT as if it were a file: label, allocation bitmap, upcase table. */
const fatTables = /^(\$ALLOC_BITMAP|\$UPCASE_TABLE|\$EMPTY_VOLUME_LABEL.*|[^/]* \(Volume Label Entry\))$/
const readByNobody = 0o111

export const fiwalk: FsReader = {
  name: 'fiwalk',
  isHearsay: true,
  reads: ({ type }) => type !== null && type in families,
  needs: 'sleuthkit',
  version: (world) => versionOf(world, 'fiwalk', ['-V'], /SleuthKit Version: (\S+)/),
  list,
  contents: byRangesOr(
    (image, { start }, world) =>
      ({ ino }) =>
        world.stream(icat(world.path(image), start, ino)),
  ),
}

const walk = (image: string) => listing('fiwalk', ['-z', '-g', '-O', '-x', image])

async function* list(
  image: Place,
  volume: Volume,
  world: Reader,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const family = families[volume.type ?? '']
  const dots = volume.type === 'vfat' ? new Dots() : null
  let seen = false
  yield [bareRoot(2n)]
  for await (const batch of parseDfxml(world.stream(walk(world.path(image))))) {
    const out: (Entry | EntryError)[] = []
    for (const { volume: start, type, file } of batch) {
      if (start !== volume.start) continue
      if (family?.test(type) !== true) throw new RunError(`fiwalk takes the volume for ${type}`)
      seen = true
      if (file === null) continue
      const lost = dots?.missingBefore(file) ?? null
      if (lost !== null) out.push(lost)
      const entry = entryOf(file, volume)
      if (entry !== null) out.push(entry)
    }
    if (out.length > 0) yield out
  }
  if (!seen) throw new RunError(`fiwalk sees no filesystem at byte ${volume.start}`)
  const last = dots?.missingAtEnd() ?? null
  if (last !== null) yield [last]
}

/**
 * fiwalk ends with 0 after directories that it could not read. On FAT each directory but the root begins with its own `.`,
 * so one whose `.` does not follow was not read.
 */
class Dots {
  #waiting: Buffer | null = null

  missingBefore({ name, nameType }: DfxmlFile): EntryError | null {
    if (isSpecial(nameType)) return null
    const lost = this.#waiting
    this.#waiting = null
    const own = lost !== null && name.equals(Buffer.concat([lost, slashDot]))
    if (nameType === 'd' && !isDot(name)) this.#waiting = name
    return lost === null || own ? null : unreadable(lost)
  }

  missingAtEnd(): EntryError | null {
    return this.#waiting === null ? null : unreadable(this.#waiting)
  }
}

const unreadable = (path: Buffer): EntryError =>
  missingNames(path, 'the directory could not be read: names below it are missing')

const dot = Buffer.from('.')
const slashDot = Buffer.from('/.')
const slashDots = Buffer.from('/..')
const caret = 0x5e
const orphans = Buffer.from('$OrphanFiles/')

const endsWith = (name: Buffer, end: Buffer): boolean =>
  name.length >= end.length && name.subarray(name.length - end.length).equals(end)

const isSpecial = (nameType: string): boolean => nameType === 'v' || nameType === 'V'

/** `.`, `..`, `a/.` and `a/..`. */
const isDot = (name: Buffer): boolean =>
  name.equals(dot) || name.equals(Buffer.from('..')) || endsWith(name, slashDot) || endsWith(name, slashDots)

/** Real hidden files have the same mode, and real files may have the same name; hardly one has both. */
const isTable = ({ name, mode, size }: DfxmlFile): boolean =>
  fatTables.test(name.toString('latin1')) && (mode === readByNobody || size === 0)

/** A file object as an entry; null for what is no entry of the volume. Holes are known only where the format has them. */
function entryOf(file: DfxmlFile, { type }: Pick<Volume, 'type'>): Entry | null {
  const { name, nameType, ino } = file
  if (isSpecial(nameType) || isDot(name)) return null
  // Below this name are deleted files that sleuthkit found without a directory; no real name of the root hides it.
  if (name.subarray(0, orphans.length).equals(orphans)) return null
  const isFat = type === 'vfat' || type === 'exfat'
  if (isFat && nameType === 'r' && isTable(file)) return null
  if (type === 'vfat' && name.includes(caret))
    throw new RunError('fiwalk prints ^ for what is not ASCII in a short name: a name is lost')
  const kind = letters[nameType] ?? '?'
  return {
    type: kind,
    path: name,
    ino,
    nlink: file.nlink,
    size: kind === 'f' || kind === 'l' ? file.size : 0,
    mtimeNs: timeOf(file.mtime),
    mode: isFat ? null : file.mode,
    uid: isFat ? null : file.uid,
    gid: isFat ? null : file.gid,
    rdev: 0n,
    target: null,
    extents: kind === 'f' || kind === 'd' || kind === 'l' ? extentsOf(file.runs, file.size, !isFat) : null,
  }
}

/** `2026-11-23T21:06:59Z` in nanoseconds; without a zone it is what the clock on the wall showed, kept as if UTC. */
export function timeOf(text: string): bigint | null {
  if (text === '') return null
  const ms = Date.parse(text.endsWith('Z') ? text : `${text}Z`)
  if (Number.isNaN(ms)) throw new RunError(`fiwalk gave a time that is none: ${text}`)
  return BigInt(ms) * 1_000_000n
}

/**
 * Runs in file order, cut to the size, neighbours joined; null where some of it is not stored as plain bytes. What the runs
 * leave out is a hole where `sparse` says that the format has holes, else it is missing, and the sum is less than the size.
 */
export function extentsOf(runs: readonly DfxmlRun[], size: number, sparse: boolean): readonly Range[] | null {
  if (runs.some(({ type }) => type !== '')) return null
  const ranges: { start: number; end: number }[] = []
  let at = 0
  const add = (start: number, bytes: number): void => {
    if (bytes <= 0) return
    push(ranges, { start, end: start === -1 ? bytes : start + bytes })
    at += bytes
  }
  for (const { file, image, bytes } of runs.toSorted((a, b) => a.file - b.file)) {
    if (file < at) return null
    if (file > at && !sparse) return ranges
    add(-1, Math.min(file, size) - at)
    add(image ?? -1, Math.min(bytes, size - at))
  }
  if (sparse) add(-1, size - at)
  return ranges
}
