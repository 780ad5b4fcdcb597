// Everything below a directory, as bytes: synchronous calls in slices, four times as fast as awaited ones.
//
// Names are latin1 strings, one character a byte, and go back to the kernel as Buffers; `withFileTypes` is not used,
// because it costs an lstat of its own where the filesystem does not tell types (reference/throughput.md section 2).
import { closeSync, constants, fstatSync, opendirSync, readdirSync, readlinkSync, type Dir } from 'node:fs'
import { setImmediate as breathe } from 'node:timers/promises'
import { typeOfMode, type Entry, type EntryError } from '../model/entry.ts'
import { ObserveError, errnoOf } from '../model/errors.ts'
import { stopIfAsked, unseen } from './errno.ts'
import { lookAt, lookIn, type Stat } from './look.ts'
import { openBeneath, openRoot } from './open-beneath.ts'

const slice = 256
/** Directories on the way down that stay open; what lies deeper is looked at by its path. */
const mostOpen = 128
/** A directory of more bytes than this has some million names, and they are not held all at once. */
const mostSorted = 16 * 1024 * 1024
/** Names of such a one that are fetched at a time. */
const manyNames = 1024

/** A directory whose names are being gone through. */
interface Open {
  /** null: it did not stay open. */
  readonly fd: number | null
  /** As it was when its names were read. */
  readonly ino: bigint
  /** With a slash at the end, from the root of the machine and from the root of the walk. */
  readonly path: string
  readonly inside: string
  readonly names: Iterator<string, undefined>
}

/**
 * The root and all that is below it, a directory before its entries, names in byte order; those of a directory with a million names or more
 * in the order in which the filesystem has them. Links are not followed, other
 * filesystems not entered (told as an error `other-filesystem`), files not opened. What cannot be looked at is told in
 * its place; only a root that cannot be looked at throws. A directory is listed by the way that leads to it without any link,
 * and looked at again when its last name has been: one that was put in its place meanwhile is told as an error (ENOTDIR for a link, ESTALE for another directory).
 * `sorted`: bytes of a directory up to which its names are put in order.
 */
export async function* walkDirectory(
  directory: string,
  signal: AbortSignal,
  sorted = mostSorted,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  const top = Buffer.from(directory.replace(/\/+$/, '') || '/').toString('latin1')
  const root = lookAtRoot(top, directory)
  const descriptor = openTop(top, directory)
  try {
    yield* walkOpen(descriptor, top, directory, root, signal, sorted)
  } finally {
    closeSync(descriptor)
  }
}

async function* walkOpen(
  descriptor: number,
  top: string,
  directory: string,
  root: { readonly entry: Entry; readonly dev: bigint },
  signal: AbortSignal,
  sorted: number,
): AsyncGenerator<readonly (Entry | EntryError)[]> {
  let found: (Entry | EntryError)[] = [root.entry]
  const open: Open[] = [
    {
      fd: descriptor,
      path: top === '/' ? top : `${top}/`,
      inside: '',
      ino: root.entry.ino,
      names: namesOfRoot(descriptor, directory, sorted),
    },
  ]
  try {
    for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
      const name = nextName(at, found)
      if (name === undefined) {
        open.pop()
        if (at.inside === '') continue
        const inside = at.inside.slice(0, -1)
        if (at.fd !== null) closeSync(at.fd)
        try {
          closeSync(reach(descriptor, inside, at.ino))
        } catch (error) {
          found.push(failed(inside, 'find it again', error))
        }
        continue
      }
      const seen = look(at, name, root.dev)
      found.push(seen)
      if ('type' in seen && seen.type === 'd') {
        const inside = at.inside + name
        try {
          const fd = reach(descriptor, inside, seen.ino)
          const names = namesIn(fd, sorted)
          const stays = open.length < mostOpen
          if (!stays) closeSync(fd)
          const path = `${at.path}${name}/`
          open.push({ fd: stays ? fd : null, path, inside: `${inside}/`, ino: seen.ino, names })
        } catch (error) {
          found.push(failed(inside, 'list the directory', error))
        }
      }
      if (found.length >= slice) {
        yield found
        found = []
        await breathe()
        stopIfAsked(signal)
      }
    }
  } finally {
    for (const { fd, names } of open) {
      names.return?.()
      if (fd !== null && fd !== descriptor) closeSync(fd)
    }
  }
  if (found.length > 0) yield found
}

function lookAtRoot(top: string, directory: string): { entry: Entry; dev: bigint } {
  let stat: Stat
  try {
    // The declared directory itself may be reached through a link.
    stat = lookAt(Buffer.from(top === '/' ? top : `${top}/.`, 'latin1'))
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR')
      throw new ObserveError(`${directory} is not a directory`, { cause: error })
    throw unseen(`look at ${directory}`, error)
  }
  return { entry: entryOf(stat, '', null), dev: stat.dev }
}

function openTop(top: string, told: string): number {
  try {
    return openRoot(Buffer.from(top, 'latin1'))
  } catch (error) {
    throw unseen(`open ${told}`, error)
  }
}

function namesOfRoot(fd: number, told: string, sorted: number): Iterator<string, undefined> {
  try {
    return namesOf(fd, sorted)
  } catch (error) {
    throw unseen(`list ${told}`, error)
  }
}

/** The next name; undefined after the last. A list that breaks off is told, and ends. */
function nextName(at: Open, found: (Entry | EntryError)[]): string | undefined {
  try {
    return at.names.next().value
  } catch (error) {
    at.names.return?.()
    found.push(failed(at.inside.slice(0, -1), 'list the rest of the directory', error))
    return undefined
  }
}

/** Names of an open directory, all read and sorted; of a very large one as they come, read while they are gone through. */
function namesOf(fd: number, sorted: number): Iterator<string, undefined> {
  const path = `/proc/self/fd/${fd}`
  if (fstatSync(fd).size <= sorted) return readdirSync(path, 'latin1').toSorted().values()
  // Opened here, so that what cannot be opened fails at once.
  return namesFrom(opendirSync(path, { encoding: 'latin1', bufferSize: manyNames }))
}

function namesFrom(directory: Dir): Iterator<string, undefined> {
  const end = (): IteratorReturnResult<undefined> => {
    directory.closeSync()
    return { done: true, value: undefined }
  }
  return {
    next() {
      const one = directory.readSync()
      return one === null ? end() : { done: false, value: one.name }
    },
    return: end,
  }
}

/** Opens the directory that was seen with this number; throws where another, or a link, is in its place now. */
function reach(root: number, inside: string, ino: bigint): number {
  const { O_RDONLY, O_DIRECTORY, O_NONBLOCK } = constants
  const fd = openBeneath(root, Buffer.from(inside, 'latin1'), O_RDONLY | O_DIRECTORY | O_NONBLOCK)
  if (fstatSync(fd, { bigint: true }).ino === ino) return fd
  closeSync(fd)
  throw Object.assign(new Error('another directory is in its place'), { code: 'ESTALE' })
}

/** Closes it where its names cannot be read. */
function namesIn(fd: number, sorted: number): Iterator<string, undefined> {
  try {
    return namesOf(fd, sorted)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function look(at: Open, name: string, dev: bigint): Entry | EntryError {
  const inside = at.inside + name
  const path = (): Buffer => Buffer.from(at.path + name, 'latin1')
  try {
    const stat = (at.fd === null ? null : lookIn(at.fd, name)) ?? lookAt(path())
    if (stat.dev !== dev) {
      const message = 'another filesystem is mounted here; what is on it is not part of this medium'
      return { error: 'other-filesystem', path: Buffer.from(inside, 'latin1'), message }
    }
    const isLink = (stat.mode & constants.S_IFMT) === constants.S_IFLNK
    return entryOf(stat, inside, isLink ? readlinkSync(path(), 'buffer') : null)
  } catch (error) {
    return failed(inside, 'look at it', error)
  }
}

function failed(inside: string, doing: string, error: unknown): EntryError {
  const errno = errnoOf(error)
  if (errno === undefined) throw error
  return { error: errno, path: Buffer.from(inside, 'latin1'), message: `cannot ${doing}: ${errno}` }
}

function entryOf(stat: Stat, inside: string, target: Buffer | null): Entry {
  const type = typeOfMode(stat.mode)
  return {
    type,
    path: Buffer.from(inside, 'latin1'),
    ino: stat.ino,
    nlink: stat.nlink,
    size: type === 'f' ? stat.size : (target?.length ?? 0),
    mtimeNs: stat.mtimeNs,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    rdev: type === 'b' || type === 'c' ? stat.rdev : 0n,
    target,
    extents: null,
  }
}
