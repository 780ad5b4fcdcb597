// Lies that ntt was once brought to tell by what somebody, or a dying disk, did to its files between two runs. None is told again.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeRaw, encodeRaw, type RawRecord, type RawTail } from '../src/model/raw/index.ts'
import { make } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleProject, type Project } from './support/project.ts'

/** Floppies of one size with files of the same size and different names. */
function floppies(made: Project, names: readonly string[], target: string): void {
  for (const name of names) {
    const image = made.path('media.d', `${name}.img`)
    make('mkfs.vfat', '-C', image, '1440')
    for (const number of [1, 2, 3]) {
      const file = made.path(`${name}-${number}.bin`)
      writeFileSync(file, `${name} ${number} `.repeat(300))
      execFileSync('mcopy', ['-i', image, file, '::'])
    }
    made.medium(name, `source: {image: ${name}.img}\ntarget: ${target}\n`)
  }
}

test('an image that rotted after it was proven is not archived as what was proven', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['disk.img'], { database })
  made.medium('disk', 'source: {image: disk.img}\ntarget: copied\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const image = made.path('media.d/disk.img')
  // Away from the ends, where the identity lies; size and time stay as they were.
  make('cp', '-p', image, made.path('before'))
  const fd = openSync(image, 'r+')
  writeSync(fd, Buffer.from('rot'), 0, 3, 2_000_000)
  closeSync(fd)
  make('touch', '-r', made.path('before'), image)
  made.medium('disk', 'source: {image: disk.img}\ntarget: archived\n')
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([3, expect.stringContaining('image as it was proven')])
  expect(made.events().filter(({ event }) => event === 'archive_success')).toEqual([])
  expect(await ask(database, "select stage from proof where ok and stage = 'archive'")).toEqual([])
  expect((await made.ntt('plan')).code).toBe(3)
})

test('the enumeration of another medium under the name of this one is not taken for its own', async () => {
  const made = project({ database: await freshDatabase() })
  floppies(made, ['one', 'two'], 'enumerated')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const folder = made.path('.ntt/raw')
  const [first = '', second = ''] = readdirSync(folder).filter((name) => name.endsWith('.raw'))
  copyFileSync(join(folder, first), join(folder, second))
  // A database that has never seen either of them.
  made.env('NTT_DB_URL', await freshDatabase())
  for (const name of ['one', 'two']) made.medium(name, `source: {image: ${name}.img}\ntarget: archived\n`)
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([3, expect.stringContaining(`medium: expected ${second.slice(0, 32)}`)])
  // It is read anew, and the stranger is kept aside.
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect(readdirSync(folder).filter((name) => name.includes('.aside-'))).toHaveLength(1)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('a budget does not pass over what is gone, or over another medium in the place of one', async () => {
  const made = sampleProject(['floppy.img', 'box7'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const budget = async (): Promise<number> => (await made.ntt('verify', '--budget', '1GB')).code
  expect(await budget()).toBe(0)
  const box = readdirSync(made.path('.ntt/archive')).filter((name) => name.endsWith('.tar.zst'))
  expect(box).toHaveLength(2)
  for (const name of box) renameSync(made.path('.ntt/archive', name), made.path(name))
  expect(await budget()).toBe(3)
  for (const name of box) renameSync(made.path(name), made.path('.ntt/archive', name))
  expect(await budget()).toBe(0)
  // Another medium lies where this one did.
  truncateSync(made.path('media.d/floppy.img'), 1_000_000)
  expect(await budget()).toBe(3)
})

test('a live file that changed after it was enumerated is not stored as what was enumerated, whatever its size', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box'))
  writeFileSync(made.path('box/letter'), 'as it was')
  writeFileSync(made.path('box/other'), 'stays')
  made.medium('box', 'source: {directory: ../box}\ntarget: enumerated\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  writeFileSync(made.path('box/letter'), 'as it is ')
  made.medium('box', 'source: {directory: ../box}\ntarget: archived\n')
  const { code, err } = await made.ntt('apply', '--yes')
  expect([code, err]).toEqual([3, ''])
  const { out } = await made.ntt('losses')
  expect(out).toContain('it was written to since it was enumerated')
  expect(made.events().filter(({ event }) => event === 'copy_success')).toEqual([])
})

test('a directory whose file names another folder by now is walked again, and only what is the same stays proven', async () => {
  const made = project({ database: await freshDatabase() })
  for (const name of ['one', 'two']) {
    mkdirSync(made.path(name))
    writeFileSync(made.path(name, 'letter'), name)
  }
  made.medium('box', 'source: {directory: ../one}\ntarget: copied\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  // Moved, and the very same: proven once more, and nothing is left to do.
  renameSync(made.path('one'), made.path('moved'))
  made.medium('box', 'source: {directory: ../moved}\ntarget: copied\n')
  const plan = await made.ntt('plan')
  expect([plan.code, plan.out.replaceAll(/\s+/g, ' ')]).toEqual([
    2,
    expect.stringContaining(`it was made of ${made.path('one')}`),
  ])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
  made.medium('box', 'source: {directory: ../two}\ntarget: copied\n')
  expect((await made.ntt('plan')).code).toBe(2)
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([3, expect.stringContaining('walk')])
})

test('two files under one number: no proof of a copy that has the content of one', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box'))
  for (const name of ['a', 'b'])
    writeFileSync(made.path('box', name), `of ${name}`.repeat(name === 'a' ? 1 : 2))
  made.medium('box', 'source: {directory: ../box}\ntarget: enumerated\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const [name = ''] = readdirSync(made.path('.ntt/raw')).filter((one) => one.endsWith('.raw'))
  const raw = made.path('.ntt/raw', name)
  const tails: RawTail[] = []
  const records: RawRecord[] = []
  for await (const batch of decodeRaw(each([readFileSync(raw)]), (tail) => tails.push(tail)))
    records.push(...batch)
  const ino =
    records.flatMap((one) => ('entry' in one && one.entry.type === 'f' ? [one.entry.ino] : []))[0] ?? 0n
  const same = records.map((one) =>
    'entry' in one && one.entry.type === 'f' ? { ...one, entry: { ...one.entry, ino } } : one,
  )
  const about = { hash: name.slice(0, 32), source: made.path('box'), writer: 'test' }
  const bytes: Buffer[] = []
  for await (const chunk of encodeRaw(each([same]), () => tails[0]?.volumes ?? [], about))
    bytes.push(Buffer.from(chunk))
  writeFileSync(raw, Buffer.concat(bytes))
  made.env('NTT_DB_URL', await freshDatabase())
  made.medium('box', 'source: {directory: ../box}\ntarget: archived\n')
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([3, expect.stringContaining('files behind the number of something else')])
  expect(made.events().filter(({ event }) => event === 'copy_success')).toEqual([])
})

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

test('a file of a CD that is said to begin where a directory lies is copied, and so is a resource fork', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('tree/dir'), { recursive: true })
  mkdirSync(made.path('tree/.AppleDouble'))
  writeFileSync(made.path('tree/dir/inner'), 'inner')
  writeFileSync(made.path('tree/victim'), randomBytes(2048))
  writeFileSync(made.path('tree/doc'), 'the data fork')
  const fork = Buffer.from('the resource fork '.repeat(20))
  const head = Buffer.alloc(50)
  head.writeUInt32BE(0x0005_1607, 0)
  head.writeUInt32BE(0x0002_0000, 4)
  head.writeUInt16BE(2, 24)
  for (const [index, value] of [9, 50, 32, 2, 82, fork.length].entries())
    head.writeUInt32BE(value, 26 + index * 4)
  writeFileSync(made.path('tree/.AppleDouble/doc'), Buffer.concat([head, Buffer.alloc(32), fork]))
  const image = made.path('media.d/cd.iso')
  make('genisoimage', '-quiet', '-r', '-apple', '--netatalk', '-o', image, made.path('tree'))
  const disc = readFileSync(image)
  const [file, directory] = [disc.indexOf('VICTIM.;1') - 33, disc.indexOf('\u0003DIR') - 32]
  disc.copy(disc, file + 2, directory + 2, directory + 10)
  writeFileSync(image, disc)
  made.medium('cd', 'source: {image: cd.iso}\ntarget: copied\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const stored = readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\/[0-9a-f]{64}$/.test(path))
    .map((path) => readFileSync(made.path('.ntt/by-hash', path)))
  const block = disc.readUInt32LE(directory + 2) * 2048
  for (const content of [fork, Buffer.from('the data fork'), disc.subarray(block, block + 2048)])
    expect(stored.some((one) => one.equals(content))).toBe(true)
})

test('a directory in which ntt itself writes is named as that, and not as one that changes all the time', async () => {
  const made = project({ database: await freshDatabase() })
  writeFileSync(made.path('letter'), 'as it was')
  made.medium('self', 'source: {directory: ..}\n')
  const { code, out } = await made.ntt('apply', '--yes')
  expect([code, out]).toEqual([5, expect.stringContaining('holds what ntt itself writes')])
})

test('a lock that somebody else ended the waiting for is not told as a filesystem that cannot lock', async () => {
  const made = project()
  mkdirSync(made.path('bin'))
  writeFileSync(made.path('bin/flock'), '#!/bin/sh\nkill -TERM $$\n', { mode: 0o755 })
  made.programs(made.path('bin'))
  made.medium('none', 'source: {image: none.img}\n')
  const { code, err } = await made.ntt('apply', '--yes')
  expect([code, err]).toEqual([5, expect.stringContaining('flock was ended by SIGTERM')])
})
