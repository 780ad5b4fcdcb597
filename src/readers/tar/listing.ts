// A reader whose tool writes the whole volume as a tar stream: names and contents both come out of that.
import type { Entry, EntryType, Volume } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { TarError, type TarType } from '../../model/tar.ts'
import { untar, type TarMember } from '../../model/untar.ts'
import type { Piece, Place, Reader } from '../../model/world.ts'
import { inBatches, type FsReader } from '../reader.ts'

const letters: Readonly<Record<TarType, EntryType>> = {
  file: 'f',
  link: 'f',
  symlink: 'l',
  directory: 'd',
  fifo: 'p',
  char: 'c',
  block: 'b',
}

/** Starts the tool; its stdout is the archive. */
export type Pack = (image: Place, volume: Volume, world: Reader) => AsyncIterable<Buffer>

/** `list` and `contents` of a reader by its archive; a hard link must follow its file, before any other file. */
export const byTar = (pack: Pack): Pick<FsReader, 'list' | 'contents'> => ({
  list: (image, volume, world) => inBatches(entries(pack(image, volume, world))),
  contents: (image, volume, wanted, world) => pieces(pack(image, volume, world), wanted),
})

async function* entries(archive: AsyncIterable<Buffer>): AsyncGenerator<Entry> {
  /** A file and its further names wait until all of them are known. */
  let names: Entry[] = []
  for await (const { member, ino } of members(archive)) {
    const entry = entryOf(member, ino)
    if (member.type === 'link') {
      const [first] = names
      if (first !== undefined) names.push({ ...entry, size: first.size })
      continue
    }
    yield* linked(names)
    names = [entry]
  }
  yield* linked(names)
}

const linked = (names: readonly Entry[]): readonly Entry[] =>
  names.map((entry) => ({ ...entry, nlink: names.length }))

/** Members with a number each, in the order of the archive, from 1; a further name has the number of its file. */
async function* members(
  archive: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly member: TarMember; readonly ino: bigint }> {
  let ino = 0n
  let file = Buffer.alloc(0)
  try {
    for await (const member of untar(archive)) {
      if (member.type === 'link') {
        if (member.target === null || !member.target.equals(file))
          throw new RunError('a hard link does not follow its file')
      } else {
        ino += 1n
        file = Buffer.from(member.name)
      }
      yield { member, ino }
    }
  } catch (error) {
    if (error instanceof TarError)
      throw new RunError(`the stream is no archive: ${error.message}`, { cause: error })
    throw error
  }
}

function entryOf(member: TarMember, ino: bigint): Entry {
  const { type, size, mode, uid, gid, mtime, target, major, minor } = member
  const isLink = type === 'symlink'
  return {
    type: letters[type],
    path: pathOf(member.name),
    ino,
    nlink: 1,
    size: isLink ? (target?.length ?? 0) : size,
    mtimeNs: BigInt(mtime) * 1_000_000_000n,
    mode: mode & 0o7777,
    uid,
    gid,
    rdev: type === 'char' || type === 'block' ? (BigInt(major) << 32n) + BigInt(minor) : 0n,
    target: isLink && target !== null ? Buffer.from(target) : null,
    extents: null,
  }
}

/** `./a/b/` is `a/b`, `./` is the root. */
function pathOf(name: Buffer): Buffer {
  let [start, end] = [0, name.length]
  if (name[0] === 0x2e && (name.length === 1 || name[1] === 0x2f)) start = Math.min(2, name.length)
  while (end > start && name[end - 1] === 0x2f) end -= 1
  return Buffer.from(name.subarray(start, end))
}

/** One pass over the archive; of several names of one file only one may be asked for. */
async function* pieces(
  archive: AsyncIterable<Buffer>,
  wanted: AsyncIterable<Entry>,
): AsyncGenerator<Piece<Entry>> {
  const asked = wanted[Symbol.asyncIterator]()
  let next = await asked.next()
  for await (const { member, ino } of members(archive)) {
    if (next.done === true) break
    if (member.type !== 'file' || ino !== next.value.ino) continue
    yield { key: next.value, size: next.value.size, origin: { type: 'stream', bytes: member.content } }
    next = await asked.next()
  }
  if (next.done !== true)
    throw new RunError(`${JSON.stringify(next.value.path.toString())} is not in the stream any more`)
}
