// SIGKILL of the real command: while it reads a slow device, and while an ordinary user reads images. Nothing outlives it.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parseMapfile } from '../src/model/mapfile.ts'
import { device } from './support/devices.ts'
import { make } from './support/looking.ts'
import { emptyNtfs } from './support/ntfs.ts'
import { freshDatabase } from './support/postgres.ts'
import { project, repository, sampleImages, scratch, type Project } from './support/project.ts'
import { smallTree } from './support/trees.ts'
import { usersOf } from './torture/processes.ts'

const asRoot = process.geteuid?.() === 0

/** What is there of a project beside its files: programs, mounts, loop devices. */
const around = (made: Project): readonly string[] => [
  ...usersOf(made.folder).map(({ name }) => name),
  ...readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(made.folder)),
  ...(asRoot
    ? execFileSync('losetup', ['--all', '--noheadings'], { encoding: 'utf8' }).split('\n')
    : []
  ).filter((line) => line.includes(made.folder)),
]

/** A killed process needs a moment to be gone, and so does who watches it. */
async function nothingIsLeft(made: Project): Promise<void> {
  let left = around(made)
  for (let tries = 0; left.length > 0 && tries < 600; tries += 1) {
    await sleep(100)
    left = around(made)
  }
  expect(left).toEqual([])
}

/** How much of its only device has been read so far. */
function rescued(made: Project): number {
  const folder = made.path('.ntt/img')
  const map = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.live.map')) : undefined
  const text = map === undefined ? '' : readFileSync(join(folder, map), 'utf8')
  return text.endsWith('+\n') || text.endsWith('?\n') ? parseMapfile(text).rescued : 0
}

test(
  'killed three times while it reads a slow device, it goes on, and the image is the source',
  { timeout: 600_000 },
  async () => {
    const folder = scratch()
    const disc = join(folder, 'disc')
    make('genisoimage', '-quiet', '-R', '-o', disc, smallTree(join(folder, 'tree')))
    const bytes = Buffer.alloc(9 << 20)
    // No two sectors are alike, so that none can stand for another.
    for (let at = 0; at < bytes.length; at += 8) bytes.writeDoubleLE(at, at)
    bytes.set(readFileSync(disc))
    writeFileSync(disc, bytes)
    const slow = await device(folder, disc, { delayMs: 40 })
    const made = project({ database: await freshDatabase() })
    made.medium('disc', `kind: optical\nsource: {device: ${slow.path}}\ntarget: archived\n`)
    const seen: number[] = []
    for (let kills = 0; kills < 3; kills += 1) {
      const running = made.start(['apply', '--yes'])
      const until = (seen.at(-1) ?? 0) + (1 << 20)
      while (rescued(made) < until) {
        if ((await Promise.race([running.ended, sleep(50)])) !== undefined)
          throw new Error((await running.ended).err)
      }
      running.kill('SIGKILL')
      await running.ended
      await nothingIsLeft(made)
      seen.push(rescued(made))
    }
    expect(seen.toSorted((one, other) => one - other)).toEqual(seen)
    expect(seen[2]).toBeLessThan(bytes.length)
    const { code, out, err } = await made.ntt('apply', '--yes')
    expect([code, err], out).toEqual([0, ''])
    const images = readdirSync(made.path('.ntt/img')).filter((name) => name.endsWith('.img'))
    expect(images).toHaveLength(1)
    expect(readFileSync(made.path('.ntt/img', images[0] ?? '')).equals(bytes)).toBe(true)
    await nothingIsLeft(made)
    expect((await made.ntt('plan')).code).toBe(0)
  },
)

const makers: Readonly<Record<string, (image: string, tree: string) => void>> = {
  squashfs: (image, tree) => void make('mksquashfs', tree, image, '-quiet', '-no-progress'),
  iso: (image, tree) => void make('genisoimage', '-quiet', '-R', '-o', image, tree),
  ext: (image, tree) => {
    writeFileSync(image, '')
    truncateSync(image, 4 << 20)
    make('mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, image)
  },
  fat: (image, tree) => {
    make('mkfs.vfat', '-C', image, '2880')
    make('mcopy', '-s', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
  },
  ntfs: (image, tree) => {
    emptyNtfs(image, 4 << 20)
    make('ntfscp', '-q', image, join(tree, 'one/two/three/last'), 'last')
  },
}

test.runIf(asRoot)(
  'as an ordinary user, killed and not, nothing is left mounted or running',
  { timeout: 600_000 },
  async () => {
    const made = project()
    const tree = smallTree(join(scratch(), 'tree'))
    for (const [name, build] of Object.entries(makers)) {
      const image = join(scratch(), 'image')
      build(image, tree)
      cpSync(image, made.path(`media.d/${name}.img`))
      made.medium(name, `source: {image: ${name}.img}\ntarget: archived\n`)
    }
    for (const below of ['', 'media.d']) chownSync(made.path(below), 65_534, 65_534)
    const start = (...args: readonly string[]) =>
      spawn(
        'setpriv',
        ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', join(repository, 'bin/ntt'), ...args],
        {
          cwd: made.folder,
          env: { PATH: process.env['PATH'] ?? '', HOME: made.folder, CI: 'true', NO_COLOR: '1' },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
    // In the middle of each stage that reads images, as the log tells it.
    for (const sign of ['"enumerate_', '"copy_', '"archive_']) {
      const running = start('apply', '--yes')
      const ended = once(running, 'exit')
      const log = made.path('.ntt/log/events.jsonl')
      const told = existsSync(log) ? statSync(log).size : 0
      while (running.exitCode === null) {
        if (existsSync(log) && readFileSync(log).subarray(told).includes(sign)) break
        await sleep(20)
      }
      running.kill('SIGKILL')
      await ended
      await nothingIsLeft(made)
    }
    const last = start('apply', '--yes')
    let said = ''
    for (const stream of [last.stdout, last.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const [code] = (await once(last, 'close')) as [number]
    expect(code, said).toBe(0)
    await nothingIsLeft(made)
  },
)

test('ddrescue is killed when it has read all and not said so: the next run tells of its pass, and archives the account', async () => {
  const made = project()
  cpSync(join(sampleImages, 'floppy.img'), made.path('drive'))
  made.medium('it', 'kind: floppy\nsource: {device: ../drive}\ntarget: archived\n')
  const real = execFileSync('which', ['ddrescue'], { encoding: 'utf8' }).trim()
  mkdirSync(made.path('programs'))
  writeFileSync(
    made.path('programs/ddrescue'),
    `#!/bin/sh\n[ "$1" = --version ] && exec ${real} "$@"\n${real} "$@"\n[ -e "${made.folder}/once" ] || { : >"${made.folder}/once"; kill -9 $$; }\n`,
    { mode: 0o755 },
  )
  made.programs(made.path('programs'))
  expect((await made.ntt('apply', '--yes')).code).toBe(4)
  expect(existsSync(made.path('once'))).toBe(true)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const archive = made.path(
    '.ntt/archive',
    readdirSync(made.path('.ntt/archive')).find((name) => name.endsWith('.zst')) ?? '',
  )
  const account = execFileSync('tar', ['--zstd', '-xOf', archive, '--wildcards', '*.passes.jsonl'], {
    encoding: 'utf8',
  })
  expect(JSON.parse(account)).toMatchObject({ pass: 'sweep', end: 'cut-short' })
})
