// The store as a directory: its marker, the folder for this run's temporary files, and those that dead runs left.
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ObserveError } from '../../model/errors.ts'
import { isAbsent, unwritten } from '../errno.ts'
import { flock } from '../flock.ts'
import { makeDirectories } from '../folders.ts'
import { renameNew } from '../rename-new.ts'

const markerName = '.ntt-store'
const temps = '.ntt-tmp'
const idPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface StoreFolder {
  /** What the marker file says: which store this is, wherever it is mounted. */
  readonly id: string
  /** A new folder for temporary files, below the store. */
  temporary(): string
  remove(folder: string): void
  close(): void
}

/** Makes the store's directory and its marker if need be, clears what dead runs left, and takes a folder for this run. */
export async function openFolder(root: string, run: string): Promise<StoreFolder> {
  try {
    makeDirectories(join(root, temps))
    await removeStale(root)
    const own = await takeOwn(root, run)
    const id = takeMarker(root, own.folder)
    let count = 0
    return {
      id,
      temporary() {
        count += 1
        const folder = `${own.folder}/${count}`
        try {
          mkdirSync(join(root, folder), { mode: 0o755 })
        } catch (error) {
          throw unwritten('by-hash:', root, error)
        }
        return folder
      },
      remove: (folder) => rmSync(join(root, folder), { recursive: true, force: true }),
      close() {
        rmSync(join(root, own.folder), { recursive: true, force: true })
        rmSync(join(root, own.lock), { force: true })
        closeSync(own.fd)
      },
    }
  } catch (error) {
    throw unwritten('by-hash:', root, error)
  }
}

/** The id in the marker, made where there is none; whoever comes second takes the first one's. */
function takeMarker(root: string, own: string): string {
  const marker = join(root, markerName)
  const there = readMarker(marker)
  if (there !== null) return there
  const mine = join(root, own, 'marker')
  writeFileSync(mine, `${randomUUID()}\n`, { flag: 'wx', flush: true })
  chmodSync(mine, 0o444)
  if (!renameNew(mine, marker)) rmSync(mine)
  const made = readMarker(marker)
  if (made === null) throw new ObserveError(`${marker} was made and is not there`)
  return made
}

function readMarker(marker: string): string | null {
  let text: string
  try {
    text = readFileSync(marker, 'latin1').trim()
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
  if (!idPattern.test(text)) throw new ObserveError(`${marker} does not hold the id of a store`)
  return text
}

interface Own {
  readonly folder: string
  readonly lock: string
  readonly fd: number
}

/** A folder whose lock says that we live; the kernel frees it with us, on whatever host. */
async function takeOwn(root: string, run: string): Promise<Own> {
  for (let count = 0; ; count += 1) {
    const folder = `${temps}/${run}${count === 0 ? '' : `-${count}`}`
    const lock = `${folder}.lock`
    const { O_CREAT, O_RDWR } = constants
    const fd = openSync(join(root, lock), O_CREAT | O_RDWR, 0o644)
    // Another of our processes has it, or somebody has just removed it.
    if ((await flock(fd, 'exclusive', 0)) && fstatSync(fd).nlink > 0) {
      rmSync(join(root, folder), { recursive: true, force: true })
      mkdirSync(join(root, folder), { mode: 0o755 })
      return { folder, lock, fd }
    }
    closeSync(fd)
  }
}

/** Removes the folders of runs whose locks are free. */
async function removeStale(root: string): Promise<void> {
  const names = readdirSync(join(root, temps))
  for (const lock of names.filter((name) => name.endsWith('.lock'))) {
    let fd: number
    try {
      fd = openSync(join(root, temps, lock), constants.O_RDWR)
    } catch (error) {
      if (isAbsent(error)) continue
      throw error
    }
    try {
      if (!(await flock(fd, 'exclusive', 0))) continue
      rmSync(join(root, temps, lock.slice(0, -'.lock'.length)), { recursive: true, force: true })
      rmSync(join(root, temps, lock), { force: true })
    } finally {
      closeSync(fd)
    }
  }
}
