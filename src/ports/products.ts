// Products, made: written beside, flushed, renamed, the directory flushed. Nothing outside the named roots is ever written.
import { constants, readdirSync, rmSync } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RefusedError } from '../model/errors.ts'
import type { Place, Writer } from '../model/world.ts'
import { isAbsent, stopIfAsked, unwritten } from './errno.ts'
import { flushDirectory, makeDirectories } from './folders.ts'
import { libc } from './libc.ts'
import { renameNew } from './rename-new.ts'
import { locate, type Located, type Roots } from './roots.ts'

const ending = '.part'

/** The writing file verbs. */
export function openProducts({
  roots,
  run,
  signal,
}: {
  readonly roots: Roots
  readonly run: string
  readonly signal: AbortSignal
}): Pick<Writer, 'create' | 'publish' | 'part' | 'discard' | 'setAside'> {
  const mine = `.${run}${ending}`
  const at = (place: Place): Located => {
    const found = locate(place, roots)
    if (found.root === null || found.name === '') throw new TypeError(`not ours to write: ${place}`)
    return found
  }

  /** Makes the directory, clears what dead runs left for this product, and names a file that is only ours. */
  const part = (place: Place): Place => {
    const { path } = at(place)
    try {
      makeDirectories(dirname(path))
      removeStale(path, mine)
    } catch (error) {
      throw unwritten(place, path, error)
    }
    return `${place}${mine}`
  }

  const create: Writer['create'] = async (place, bytes) => {
    const whole = at(place)
    // What is a part already is nobody's to look at: it needs no other name while it grows.
    const isPart = whole.path.endsWith(mine)
    const path = isPart ? whole.path : at(part(place)).path
    try {
      if (isPart) makeDirectories(dirname(path))
      await writeFile(path, bytes, signal)
      // Nobody looks for a part after a power cut: its final name is flushed with its directory.
      if (isPart) return
      await rename(path, whole.path)
      await flushDirectory(dirname(path))
    } catch (error) {
      rmSync(path, { force: true })
      throw unwritten(place, whole.path, error)
    }
  }

  return {
    part,
    create,
    async publish(from, place, { replace = false } = {}) {
      const [source, target] = [at(from).path, at(place).path]
      try {
        await flush(source)
        if (replace) await rename(source, target)
        else if (!renameNew(source, target)) throw taken(place)
        await flushDirectory(dirname(target))
        if (dirname(source) !== dirname(target)) await flushDirectory(dirname(source))
      } catch (error) {
        throw unwritten(place, target, error)
      }
    },
    async discard(place) {
      const { path } = at(place)
      if (!path.endsWith(mine)) throw new TypeError(`not a part of this run: ${place}`)
      try {
        await rm(path, { force: true })
      } catch (error) {
        throw unwritten(place, path, error)
      }
    },
    async setAside(place, why) {
      const { path } = at(place)
      const word = why.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
      try {
        for (let count = 0; ; count += 1) {
          const beside = `.aside-${word}-${run}${count === 0 ? '' : `-${count}`}`
          if (!renameNew(path, path + beside)) continue
          await flushDirectory(dirname(path))
          return place + beside
        }
      } catch (error) {
        if (isAbsent(error)) return null
        throw unwritten(place, path, error)
      }
    },
  }
}

const taken = (place: Place): RefusedError =>
  new RefusedError(`${place} is already there`, {
    hint: 'Nothing is replaced unasked. Look at it, then plan again.',
  })

/**
 * Temporary files of this product by other runs. Whoever writes a product holds its medium, so their writers are dead,
 * or have lost the medium and must fail.
 */
function removeStale(path: string, mine: string): void {
  const [folder, name] = [dirname(path), basename(path)]
  for (const other of readdirSync(folder)) {
    if (other.startsWith(`${name}.`) && other.endsWith(ending) && !other.endsWith(mine)) {
      rmSync(join(folder, other), { force: true })
    }
  }
}

/** Writes a new file whole and flushes it; what an earlier try of this run left under the name goes. */
async function writeFile(path: string, bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  rmSync(path, { force: true })
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants
  const file = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o644)
  const writeback = new Writeback(file.fd)
  try {
    await file.chmod(0o644)
    for await (const chunk of bytes) {
      stopIfAsked(signal)
      await writeAll(file, chunk)
      writeback.grown(chunk.length)
    }
    await writeback.settled()
    await file.sync()
  } finally {
    await writeback.settled()
    await file.close()
  }
}

/** What is handed to the disk at a time, while the rest is still being made. */
const writebackBytes = 16 * 1024 * 1024

/** Has a growing file written out as it grows, so that its flush at the end has little left to wait for. */
class Writeback {
  readonly #fd: number
  #bytes = 0
  #begun = 0
  #beginning: Promise<void> | null = null

  constructor(fd: number) {
    this.#fd = fd
  }

  grown(bytes: number): void {
    this.#bytes += bytes
    const more = this.#bytes - this.#begun
    const c = libc()
    // One range at a time: a disk that is slower than we are is not asked for more.
    if (c === null || more < writebackBytes || this.#beginning !== null) return
    this.#beginning = c.writebackBeside(this.#fd, this.#begun, more).then(() => {
      this.#beginning = null
    })
    this.#begun = this.#bytes
  }

  /** The descriptor is needed no more. */
  async settled(): Promise<void> {
    await this.#beginning
  }
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, written)
    written += bytesWritten
  }
}

/** Flushes a finished file, which must be one, with the mode of a product. */
async function flush(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw new TypeError(`${path} is not a file`)
    // Even the mode that it has already would have to be written anew.
    if ((found.mode & 0o7777) !== 0o644) await file.chmod(0o644)
    await file.sync()
  } finally {
    await file.close()
  }
}
