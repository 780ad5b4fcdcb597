// A reader of filesystems: one tool, asked for names and for bytes.
//
// Of a damaged medium some bytes were never read. The `read` of the world that a reader is given fails there (UnreadError),
// and `Pages` passes that on. So a reader of ours tells damage by these rules, and by nothing else:
// - Names, tables and all else but contents are read through `Pages`.
// - Of a directory of which a part was not read it gives the names in the rest (`Pages.readable`), and `unreadNames`.
// - What has a name, and whose own record (inode, MFT record) was not read, is an EntryError `EIO` with its path. A file of which
//   it is only not known where its bytes lie is listed with the extents that are known, and an EntryError `content`.
// - What is not needed for names and places (bitmaps, journals, copies of tables) is not read, so damage there hits nothing.
// - `extents` of a directory say where its names lie, those of a file where its content lies; contents are not looked at: who
//   copies compares their ranges with what was not read.
import type { Command } from '../model/command.ts'
import type { Entry, EntryError, Volume } from '../model/entry.ts'
import { RunError } from '../model/errors.ts'
import { rangesText } from '../model/unread.ts'
import type { Piece, Place, Range, Reader } from '../model/world.ts'

/** What one tool can do for one volume of an image. */
export interface FsReader {
  readonly name: string
  /** It takes a program's or a driver's word for names and bytes; left out: it reads the image's own bytes itself. */
  readonly isHearsay?: true
  /** What this machine lacks where it cannot be used: a package, or more. */
  readonly needs?: string
  /** Whether it understands what is on this volume. */
  reads(volume: Volume): boolean
  /** Its version; null: it cannot be used on this machine. */
  version(world: Reader, volume: Volume): Promise<string | null>
  /**
   * Every entry of the volume, its root (with an empty path) among them, and what could not be read as errors.
   * Throws RunError where the listing is not to be trusted: another reader is to be tried.
   */
  list(image: Place, volume: Volume, world: Reader): AsyncIterable<readonly (Entry | EntryError)[]>
  /** The bytes of some of the files that `list` gave, asked for in its order and given in its order. */
  contents(
    image: Place,
    volume: Volume,
    entries: AsyncIterable<Entry>,
    world: Reader,
  ): AsyncIterable<Piece<Entry>>
}

const versionMs = 30_000

/** What a program says of its version, by a pattern with one group; null where it is not installed. */
export async function versionOf(
  world: Pick<Reader, 'has' | 'probe'>,
  file: string,
  args: readonly string[],
  pattern: RegExp,
): Promise<string | null> {
  if (!(await world.has(file))) return null
  const { stdout, stderr } = await world.probe({ file, args, timeoutMs: versionMs, accept: [1] })
  return pattern.exec(`${stdout.toString('latin1')}\n${stderr}`)?.[1] ?? 'of an unknown version'
}

/** A listing may take hours; silence may not. */
export const listing = (file: string, args: readonly string[]): Command => ({
  file,
  args,
  timeoutMs: 24 * 3_600_000,
  idleMs: 15 * 60_000,
})

/** Gathers single values into batches. */
export async function* inBatches<T>(values: AsyncIterable<T>, size = 256): AsyncGenerator<readonly T[]> {
  let batch: T[] = []
  for await (const value of values) {
    batch.push(value)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** A directory of which these bytes (in the image) were never read. */
export const unreadNames = (path: Buffer, unread: readonly Range[]): EntryError => ({
  error: 'EIO',
  path,
  message: `names may be missing here: ${rangesText(unread)} of the image were never read`,
})

/** `a/b` of `a` and `b`; a name in the root stands alone. */
export const joinPath = (path: Buffer, name: Buffer): Buffer =>
  path.length === 0 ? name : Buffer.concat([path, Buffer.from('/'), name])

/** `contents` of a reader whose entries all have their ranges. */
export async function* byRanges(
  image: Place,
  _volume: Volume,
  entries: AsyncIterable<Entry>,
): AsyncGenerator<Piece<Entry>> {
  for await (const key of entries) {
    const { size, extents, path } = key
    if (extents === null) throw new RunError(`the ranges of ${JSON.stringify(path.toString())} are not known`)
    yield { key, size, origin: { type: 'ranges', place: image, ranges: extents } }
  }
}

type BytesOf = (key: Entry) => AsyncIterable<Buffer>

/** `contents` of a reader some of whose entries have no ranges: `open` is called at the first of these, and gives the bytes of each. */
export const byRangesOr = (
  open: (image: Place, volume: Volume, world: Reader) => BytesOf | Promise<BytesOf>,
): FsReader['contents'] =>
  async function* (image, volume, entries, world) {
    let bytesOf: BytesOf | null = null
    for await (const key of entries) {
      const { size, extents } = key
      if (extents !== null) {
        yield { key, size, origin: { type: 'ranges', place: image, ranges: extents } }
        continue
      }
      bytesOf ??= await open(image, volume, world)
      yield { key, size, origin: { type: 'stream', bytes: bytesOf(key) } }
    }
  }
