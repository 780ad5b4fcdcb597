// Where the contenders write: a fresh journaled filesystem of its own for each of them, where we may make one.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'

export interface Store {
  /** An empty folder; anything that was in it before is gone. */
  fresh(): string
  readonly folder: string
  /** What it is, for the table. */
  readonly note: string
  release(): void
}

/**
 * With root a loop image with ext4 and its journal, read and written past the cache of the filesystem below it, made anew each time:
 * so nobody works in what another one left. Without root a plain folder, emptied each time; then `note` says so.
 */
export function openStore(work: string, gigabytes: number): Store {
  const folder = join(work, 'store')
  mkdirSync(folder, { recursive: true })
  if (process.getuid?.() !== 0 || !existsSync('/dev/loop-control')) return plainFolder(folder)
  const image = join(work, 'store.ext4')
  const file = openSync(image, 'a')
  ftruncateSync(file, gigabytes * 2 ** 30)
  closeSync(file)
  let device = ''
  const release = (): void => {
    process.off('exit', leave)
    if (device === '') return
    unmount(folder)
    detach()
  }
  /** Where we are stopped, what is still at work there ends after us: the kernel takes both away when it has. */
  const leave = (): void => {
    execFileSync('umount', ['--lazy', folder])
    detach()
  }
  const detach = (): void => {
    execFileSync('losetup', ['--detach', device])
    device = ''
  }
  return {
    folder,
    note: `a fresh ext4 with a journal on a loop device, ${gigabytes} GiB, for each contender`,
    fresh() {
      release()
      // Discarding would give the blocks back, and the next contender would pay for them again.
      const options = ['-q', '-F', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1']
      execFileSync('mkfs.ext4', [...options, '-O', 'has_journal', '-m', '0', image])
      device = execFileSync('losetup', ['--find', '--show', '--direct-io=on', image]).toString().trim()
      try {
        // The tables are made lazily by a thread of the kernel: not while something is measured.
        execFileSync('mount', ['-o', 'noatime,noinit_itable', device, folder])
      } catch (error) {
        execFileSync('losetup', ['--detach', device])
        device = ''
        throw error
      }
      process.on('exit', leave)
      return folder
    },
    release,
  }
}

/** A run that was killed leaves its mount and its projects behind, which the next one would take for its own. */
export function clearWork(work: string): void {
  if (!existsSync(work)) return
  const folder = join(realpathSync(work), 'store')
  const image = join(work, 'store.ext4')
  if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${folder} `)) unmount(folder)
  if (existsSync(image)) {
    const left = execFileSync('losetup', ['--associated', image, '--noheadings', '--output', 'NAME'])
    for (const device of left.toString().split('\n').filter(Boolean))
      execFileSync('losetup', ['--detach', device.trim()])
  }
  rmSync(work, { recursive: true, force: true })
}

/** A database server that is just ending keeps the folder busy for a moment longer. */
function unmount(folder: string): void {
  for (let tried = 0; ; tried += 1) {
    try {
      execFileSync('umount', [folder], { stdio: ['ignore', 'ignore', 'pipe'] })
      return
    } catch (error) {
      if (tried === 100) throw error
      execFileSync('sleep', ['0.1'])
    }
  }
}

function plainFolder(folder: string): Store {
  const empty = (): void => {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
  }
  return {
    folder,
    note: 'not root: a plain folder, emptied for each contender; its filesystem is that of the working folder',
    fresh() {
      empty()
      return folder
    },
    release: empty,
  }
}
