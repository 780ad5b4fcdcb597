// Calls of the C library that Node does not have: a flush of a whole filesystem, an early start of write-back, a rename that replaces nothing.
import { createRequire } from 'node:module'
import { constants } from 'node:os'

/** All return 0 or the name of an errno. */
export interface Libc {
  /** Flushes the filesystem of an open file; tells write errors that occurred since the file was opened. */
  syncfs(fd: number): string | 0
  /** Begins to write out a range of a file, and does not wait for it. */
  startWriteback(fd: number, offset: number, bytes: number): string | 0
  /** Renames; EEXIST where the new name is taken, EINVAL where the filesystem cannot do it in one step. */
  renameNew(from: string, to: string): string | 0
}

const writeFlag = 2
const [workingDirectory, replaceNothing] = [-100, 1]

let loaded: Libc | null | undefined

/** null where the addon or the C library cannot be loaded. Loaded when first asked for. */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load()
  return loaded
}

interface Koffi {
  load(library: string | null): { func(prototype: string): (...args: readonly unknown[]) => number }
  errno(): number
}

function load(): Libc | null {
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi
  } catch {
    return null
  }
  const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number as number, name]))
  const told = (result: number): string | 0 => {
    if (result === 0) return 0
    const errno = koffi.errno()
    return names.get(errno) ?? `errno ${errno}`
  }
  try {
    const c = koffi.load(null)
    const syncfs = c.func('int syncfs(int fd)')
    const syncRange = c.func('int sync_file_range(int fd, int64_t offset, int64_t bytes, unsigned int flags)')
    const rename = c.func(
      'int renameat2(int olddirfd, const char *old, int newdirfd, const char *new, unsigned int flags)',
    )
    return {
      renameNew: (from, to) => told(rename(workingDirectory, from, workingDirectory, to, replaceNothing)),
      syncfs: (fd) => told(syncfs(fd)),
      startWriteback: (fd, offset, bytes) => told(syncRange(fd, offset, bytes, writeFlag)),
    }
  } catch {
    return null
  }
}
