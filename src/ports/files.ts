// Files and devices, looked at: stat, read, names. What is not there is null; what cannot be looked at throws.
import { constants, type BigIntStats } from 'node:fs'
import { open, readFile, readdir, stat, type FileHandle } from 'node:fs/promises'
import { ObserveError, errnoOf } from '../model/errors.ts'
import type { FileStat, Place, Range, Reader, Writer } from '../model/world.ts'
import { libc } from './libc.ts'
import { isAbsent, stopIfAsked, unseen } from './errno.ts'
import { openProducts } from './products.ts'
import { needReadable } from './readable.ts'
import { locate, type Roots } from './roots.ts'
import { walkDirectory } from './walk.ts'

const chunkBytes = 1024 * 1024
const textBytes = 16 * 1024 * 1024

export interface FilesOptions {
  readonly roots: Roots
  /** The run; part of every temporary name. */
  readonly run: string
  readonly signal: AbortSignal
}

type Looks = Pick<Reader, 'path' | 'stat' | 'read' | 'text' | 'names' | 'walk' | 'fileBytes' | 'forget'>
type Makes = Pick<Writer, 'create' | 'publish' | 'part' | 'discard' | 'setAside'>

/** The file verbs of a Reader and a Writer. */
export function openFiles({ roots, run, signal }: FilesOptions): Looks & Makes {
  const path = (place: Place): string => locate(place, roots).path
  return {
    path,
    stat: (place) => statFile(path(place)),
    read: (place, range) => readChunks(path(place), range, signal),
    text: (place) => readText(path(place)),
    names: (place) => readNames(path(place)),
    walk: (directory) => walkDirectory(directory, signal),
    forget: (place) => forget(path(place)),
    fileBytes: (file) => readFileBytes(file, signal),
    ...openProducts({ roots, run, signal }),
  }
}

/** Links are followed: a declared source may be one. */
async function statFile(path: string): Promise<FileStat | null> {
  try {
    const found = await stat(path, { bigint: true })
    needReadable(found, path)
    return {
      kind: kindOf(found),
      bytes: found.isBlockDevice() ? await capacityOf(path, found.rdev) : Number(found.size),
      mtimeNs: found.mtimeNs.toString(),
      ctimeNs: found.ctimeNs.toString(),
      ino: found.ino.toString(),
      mode: Number(found.mode) & 0o7777,
    }
  } catch (error) {
    if (isAbsent(error)) return null
    throw unseen(`look at ${path}`, error)
  }
}

/** What is not there, or may not be opened, is told by whoever reads it. */
async function forget(path: string): Promise<void> {
  const { O_RDONLY, O_NONBLOCK } = constants
  const file = await open(path, O_RDONLY | O_NONBLOCK).catch(() => null)
  if (file === null) return
  try {
    await libc()?.forgetBeside(file.fd)
  } finally {
    await file.close()
  }
}

function kindOf(found: BigIntStats): FileStat['kind'] {
  if (found.isFile()) return 'file'
  return found.isDirectory() ? 'directory' : 'device'
}

/** The kernel tells a device's size in units of 512 bytes, whatever its sectors are. */
async function capacityOf(path: string, rdev: bigint): Promise<number> {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)
  const size = `/sys/dev/block/${major}:${minor}/size`
  try {
    const units = (await readFile(size, 'latin1')).trim()
    if (!/^\d+$/.test(units)) throw new ObserveError(`${size} is not a number: ${units}`)
    return Number(units) * 512
  } catch (error) {
    if (error instanceof ObserveError) throw error
    throw new ObserveError(`the kernel does not tell the size of ${path} (${size})`, { cause: error })
  }
}

/** Opens for reading without a trace on the file's access time, where that is ours to decide. */
async function openQuietly(path: string): Promise<FileHandle> {
  needReadable(await stat(path), path)
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOATIME)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error
    return await open(path, constants.O_RDONLY)
  }
}

/** Chunks of at most 1 MiB; the next one is being read while the caller works on this one. Ends where the file does. */
async function* readChunks(
  path: string,
  range: Range | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const end = range?.end ?? Number.POSITIVE_INFINITY
  let position = range?.start ?? 0
  const file = await openQuietly(path).catch((error: unknown) => {
    throw unseen(`open ${path}`, error)
  })
  // Most ranges are small, and fit into one small buffer.
  const roomBytes = Math.min(chunkBytes, Math.max(0, end - position))
  const buffers: Buffer[] = []
  let turn = 0
  const next = (): Promise<Buffer> => {
    const start = position
    const wanted = Math.max(0, Math.min(roomBytes, end - start))
    if (wanted === 0) return Promise.resolve(Buffer.alloc(0))
    const buffer = (buffers[turn] ??= Buffer.allocUnsafeSlow(roomBytes))
    turn = 1 - turn
    const reading = file.read(buffer, 0, wanted, start).then(
      ({ bytesRead }) => buffer.subarray(0, bytesRead),
      (error: unknown) => {
        throw unseen(`read ${path} at byte ${start}`, error)
      },
    )
    // It is awaited later; until then its failure is nobody's surprise.
    reading.catch(() => undefined)
    return reading
  }
  let reading = next()
  try {
    for (;;) {
      const chunk = await reading
      stopIfAsked(signal)
      if (chunk.length === 0) return
      position += chunk.length
      reading = next()
      yield chunk
    }
  } finally {
    await Promise.allSettled([reading])
    await file.close()
  }
}

async function* readFileBytes(path: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const told = path.toString()
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    throw unseen(`open ${told}`, error)
  })
  try {
    const buffer = Buffer.allocUnsafeSlow(chunkBytes)
    for (let position = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, position).catch((error: unknown) => {
        throw unseen(`read ${told} at byte ${position}`, error)
      })
      stopIfAsked(signal)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** A small text; null: it is not there. */
export async function readText(path: string): Promise<string | null> {
  const found = await statFile(path)
  if (found === null) return null
  if (found.bytes > textBytes) throw new ObserveError(`${path} is too large for a text: ${found.bytes} bytes`)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return null
    throw unseen(`read ${path}`, error)
  }
}

async function readNames(path: string): Promise<readonly string[] | null> {
  try {
    return (await readdir(Buffer.from(path), 'latin1')).toSorted()
  } catch (error) {
    if (isAbsent(error)) return null
    throw unseen(`list ${path}`, error)
  }
}
