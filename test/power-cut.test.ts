// The power fails in mid-ingest: what was told of is there, and no name is on anything but its content.
import { blake3 } from '@napi-rs/blake-hash'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { scratch } from './support/project.ts'

const contents = 40_000
const isInstalled = (program: string): boolean =>
  ['/usr/sbin', '/sbin', '/usr/bin'].some((folder) => existsSync(join(folder, program)))
const drivers = readFileSync('/proc/filesystems', 'utf8')

/** Why it cannot be tried here; null: it can. */
const obstacle = (type: string): string | null => {
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync('/dev/loop-control')) return 'needs loop devices'
  if (!isInstalled('xfs_io') || !isInstalled(`mkfs.${type}`)) return 'needs xfsprogs and e2fsprogs'
  return new RegExp(`\\b${type}$`, 'm').test(drivers) ? null : `needs the kernel's ${type}`
}

const making: Readonly<Record<string, readonly string[]>> = {
  // An inode for every 4 KiB: the contents are small.
  ext4: ['-q', '-F', '-O', 'has_journal', '-i', '4096'],
  xfs: ['-q', '-f'],
}

/** A filesystem of its own below a new folder. */
function filesystem(type: string) {
  const folder = scratch()
  const [image, point, log] = [join(folder, 'image'), join(folder, 'mounted'), join(folder, 'told')]
  writeFileSync(image, '')
  truncateSync(image, 1 << 30)
  execFileSync(`mkfs.${type}`, [...(making[type] ?? []), image])
  mkdirSync(point)
  const mount = (): void => void execFileSync('mount', ['-t', type, '-o', 'loop', image, point])
  const unmount = (): void => void execFileSync('umount', [point])
  mount()
  onTestFinished(() => {
    if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${point} `)) unmount()
  })
  return {
    root: join(point, 'by-hash'),
    log,
    /** Everything that is not on the disk is gone; then the journal is replayed. */
    cut: () => void execFileSync('xfs_io', ['-x', '-c', 'shutdown', point]),
    mountAgain: () => {
      unmount()
      mount()
    },
  }
}

type Cut = ReturnType<typeof filesystem>

const begin = ({ root, log }: Cut, barriers: 'barriers' | 'none') =>
  spawn(
    process.execPath,
    [join(import.meta.dirname, 'support/keeper.ts'), root, log, String(contents), barriers],
    { stdio: 'ignore' },
  )

const told = ({ log }: Cut): readonly string[] =>
  existsSync(log) ? readFileSync(log, 'latin1').split('\n').slice(0, -1) : []

/** Cuts the power when so many batches have been told of, and some milliseconds more have passed. */
async function cutAfter(batches: number, on: Cut, barriers: 'barriers' | 'none'): Promise<void> {
  const keeper = begin(on, barriers)
  const ended = once(keeper, 'exit')
  while (told(on).length < batches && keeper.exitCode === null) await sleep(5)
  await sleep(Math.random() * 200)
  on.cut()
  const [code] = await ended
  // Had it come to its end before, nothing was cut.
  expect(code).toBe(1)
  on.mountAgain()
}

/** All names of the store; those whose content is another; those that were told of and are not there. */
function look(on: Cut) {
  const names = new Set<string>()
  const torn: string[] = []
  for (const first of readdirSync(on.root).filter((name) => /^[0-9a-f]{2}$/.test(name)))
    for (const second of readdirSync(join(on.root, first)))
      for (const name of readdirSync(join(on.root, first, second))) {
        names.add(name)
        if (blake3(readFileSync(join(on.root, first, second, name))).toString('hex') !== name) torn.push(name)
      }
  const lost = told(on)
    .flatMap((line) => line.split(' '))
    .filter((name) => !names.has(name))
  return { names: names.size, torn: torn.length, lost: lost.length }
}

for (const type of ['ext4', 'xfs']) {
  const why = obstacle(type)
  describe.skipIf(why !== null)(`power that fails on ${type}${why === null ? '' : ` (${why})`}`, () => {
    test('after a batch takes nothing that was told of, and leaves no torn name', async () => {
      const on = filesystem(type)
      await cutAfter(1, on, 'barriers')
      const found = look(on)
      expect(found).toMatchObject({ torn: 0, lost: 0 })
      expect(found.names).toBeGreaterThanOrEqual(4000)
    })

    test('is made up for by the next run, which comes to its end and clears what lies about', async () => {
      const on = filesystem(type)
      await cutAfter(3, on, 'barriers')
      expect(look(on)).toMatchObject({ torn: 0, lost: 0 })
      const [code] = await once(begin(on, 'barriers'), 'exit')
      expect(code).toBe(0)
      expect(look(on)).toEqual({ names: contents, torn: 0, lost: 0 })
      expect(readdirSync(join(on.root, '.ntt-tmp'))).toEqual([])
    })

    test('is seen by this test: without barriers it takes or tears what was told of', async () => {
      const on = filesystem(type)
      await cutAfter(3, on, 'none')
      const { torn, lost } = look(on)
      expect(torn + lost).toBeGreaterThan(0)
    })
  })
}
