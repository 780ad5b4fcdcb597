// Calls of the C library that Node does not have: a flush of a whole filesystem, an early start of write-back, a page cache that forgets, an address in memory, a rename that replaces nothing, a large pipe, a look at what lies in an open directory.
import { createRequire } from 'node:module'
import { constants } from 'node:os'

/** All return 0 or the name of an errno. */
export interface Libc {
  /** Has another thread flush the filesystem of an open file; tells write errors that occurred since the file was opened. */
  syncfsBeside(fd: number): Promise<string | 0>
  /** Has another thread begin to write out a range of a file: where the disk is slow, even that may take its time. Tells nothing: the flush at the end will. */
  writebackBeside(fd: number, offset: number, bytes: number): Promise<void>
  /** Renames; EEXIST where the new name is taken, EINVAL where the filesystem cannot do it in one step. */
  renameNew(from: string, to: string): string | 0
  /** Opens below an open directory, through no link at all; the descriptor, or the name of an errno. */
  openBeneath(root: number, inside: Buffer, flags: number): string | number
  /** Looks at an entry of an open directory, no link followed; null where the machine cannot. `name` ends in a zero byte; `into` as statx(2) has it. */
  readonly statx: ((directory: number, name: Buffer, into: Buffer) => string | 0) | null
  /** Drops what the page cache has of an open file and the disk has too. Where it cannot, what is read may come from memory. */
  forget(fd: number): void
  /** The same by another thread: of a large file it takes its time. */
  forgetBeside(fd: number): Promise<void>
  /** Where it lies in memory. */
  addressOf(memory: ArrayBuffer): bigint
  /** A pipe that holds so many bytes where the kernel allows it; null where there is none to be had. */
  pipe(bytes: number): { readonly reading: number; readonly writing: number } | null
}

const writeFlag = 2
const [workingDirectory, replaceNothing] = [-100, 1]
/** openat2(2) has this number on every machine, and no wrapper in the C library. */
const openat2 = 437
/** RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; Node does not name O_CLOEXEC. */
const [beneath, closeOnExec] = [0x08n | 0x04n, 0o2000000]
/** statx(2): AT_SYMLINK_NOFOLLOW and AT_NO_AUTOMOUNT, as lstat(2) does; STATX_BASIC_STATS. */
const [asLstat, basicStats] = [0x100 | 0x800, 0x7ff]
/** posix_fadvise(2): POSIX_FADV_DONTNEED; no bytes are all. */
const needNoMore = 4
/** fcntl(2): F_SETPIPE_SZ. */
const setPipeSize = 1031

let loaded: Libc | null | undefined

/** null where the addon or the C library cannot be loaded. Loaded when first asked for. */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load()
  return loaded
}

/** A function of C: called at once, or by another thread, which then tells an error of the bridge or the result. */
interface Called {
  (...args: readonly unknown[]): number
  async(...args: readonly unknown[]): void
}

interface Koffi {
  load(library: string | null): { func(prototype: string): Called }
  errno(): number
  address(memory: Uint8Array): bigint
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
    const advise = c.func('int posix_fadvise(int fd, int64_t offset, int64_t bytes, int advice)')
    const rename = c.func(
      'int renameat2(int olddirfd, const char *old, int newdirfd, const char *new, unsigned int flags)',
    )
    const open = c.func(
      'long syscall(long number, long root, const void *path, const void *how, unsigned long bytes)',
    )
    const pipe = c.func('int pipe2(void *ends, int flags)')
    const control = c.func('int fcntl(int fd, int command, ...)')
    const statx = maybe(() =>
      c.func('int statx(int directory, const void *name, int flags, unsigned int mask, void *into)'),
    )
    const how = Buffer.alloc(24)
    how.writeBigUInt64LE(beneath, 16)
    return {
      openBeneath(root, inside, flags) {
        how.writeBigUInt64LE(BigInt(flags | closeOnExec), 0)
        const opened = open(openat2, root, Buffer.concat([inside, Buffer.alloc(1)]), how, how.length)
        return opened >= 0 ? opened : told(opened)
      },
      statx:
        statx === null
          ? null
          : (directory, name, into) => told(statx(directory, name, asLstat, basicStats, into)),
      pipe(bytes) {
        const ends = Buffer.alloc(8)
        if (pipe(ends, closeOnExec) !== 0) return null
        const [reading, writing] = [ends.readInt32LE(0), ends.readInt32LE(4)]
        // A kernel that gives less room gives a pipe all the same.
        control(writing, setPipeSize, 'int', bytes)
        return { reading, writing }
      },
      renameNew: (from, to) => told(rename(workingDirectory, from, workingDirectory, to, replaceNothing)),
      syncfsBeside: (fd) =>
        // Of a call by another thread the errno is there while it is answered.
        new Promise((resolve, reject) =>
          syncfs.async(fd, (error: unknown, result: number) =>
            error === null ? resolve(told(result)) : reject(error as Error),
          ),
        ),
      forget: (fd) => void advise(fd, 0, 0, needNoMore),
      forgetBeside: (fd) => new Promise((resolve) => advise.async(fd, 0, 0, needNoMore, () => resolve())),
      addressOf: (memory) => koffi.address(new Uint8Array(memory)),
      writebackBeside: (fd, offset, bytes) =>
        new Promise((resolve) => syncRange.async(fd, offset, bytes, writeFlag, () => resolve())),
    }
  } catch {
    return null
  }
}

/** What an older C library lacks is null. */
function maybe<T>(load: () => T): T | null {
  try {
    return load()
  } catch {
    return null
  }
}
