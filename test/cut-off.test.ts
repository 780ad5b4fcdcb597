// Images that end before their filesystem does: a copy that was broken off, or half a floppy. Nothing of them passes as whole.
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeRaw, encodeRaw, type RawRecord, type RawTail } from '../src/model/raw/index.ts'
import { make, sized } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, scratch } from './support/project.ts'

/** A floppy with small files at its beginning and, if wanted, one that fills the rest. */
function floppy(filling: boolean): string {
  const folder = scratch()
  const image = sized(join(folder, 'whole.img'), 1_474_560)
  make('mkfs.vfat', image)
  for (const name of ['letter.txt', 'photo.bin', ...(filling ? ['archive.bin'] : [])]) {
    const file = join(folder, name)
    writeFileSync(file, Buffer.alloc(name === 'archive.bin' ? 1_300_000 : 20_000, name))
    make('mcopy', '-i', image, file, '::/')
  }
  return image
}

/** A project with one medium: that image, of so many bytes. */
async function imaged(image: string) {
  const database = await freshDatabase()
  const made = project({ database })
  const declare = (more: string): void =>
    made.medium('letters', `kind: floppy\nsource:\n  image: ${image}\ntarget: archived\n${more}`)
  declare('')
  return { ...made, database, declare }
}

function cut(image: string): string {
  const half = join(scratch(), 'half.img')
  copyFileSync(image, half)
  truncateSync(half, 737_280)
  return half
}

test('half a floppy is told though each of its files is in that half', async () => {
  const at = await imaged(cut(floppy(false)))
  const first = await at.ntt('apply', '--yes')
  expect([first.code, first.out]).toEqual([
    4,
    expect.stringContaining('states a size of 1474560 bytes, and 737280 are there'),
  ])
  const losses = await at.ntt('losses')
  expect([losses.code, losses.out]).toEqual([2, expect.stringContaining('cut off')])
  const plan = await at.ntt('plan')
  expect([plan.code, plan.out]).toEqual([2, expect.stringContaining('copy its image again')])

  at.declare('policy: {partitions: {0: accept}}\n')
  expect((await at.ntt('apply', '--yes')).code).toBe(0)
  // As declared, and yet nobody shall take it for whole.
  for (const verb of ['status', 'plan'])
    expect(await at.ntt(verb)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/letters is not whole: the medium partial, .*cut\s+off/s),
    })
})

test('files that go on behind the end are named; once that is accepted they are failed, and the others kept', async () => {
  const at = await imaged(cut(floppy(true)))
  const first = await at.ntt('apply', '--yes')
  expect([first.code, first.out]).toEqual([
    4,
    expect.stringMatching(/1 file goes on behind them .*ARCHIVE\.BIN/is),
  ])
  const losses = await at.ntt('losses')
  expect([losses.code, losses.out]).toEqual([2, expect.stringMatching(/archive\.bin/i)])

  at.declare('policy: {partitions: {0: accept}, unreadable_files: accept}\n')
  await at.ntt('apply', '--yes')
  const states = await ask<{ readonly path: string; readonly state: string }>(
    at.database,
    "select convert_from(p.path, 'UTF8') as path, o.state::text as state from outcome o join path p using (medium_id, fs, ino) order by 1",
  )
  expect(states).toEqual([
    { path: 'archive.bin', state: 'e' },
    { path: 'letter.txt', state: 'b' },
    { path: 'photo.bin', state: 'b' },
  ])
})

test('what a reader says of the target of a link is told, though no outcome tells of links', async () => {
  const folder = scratch()
  mkdirSync(join(folder, 'tree'))
  // Too long for its inode: it has a block of its own.
  symlinkSync('a/'.repeat(50) + 'far', join(folder, 'tree/link'))
  const image = sized(join(folder, 'disk.img'), 1 << 20)
  make('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-d', join(folder, 'tree'), image)
  const at = await imaged(image)
  const target = readFileSync(image).indexOf('a/a/a/a/')
  const hex = (value: number): string => `0x${value.toString(16)}`
  const hole = target - (target % 512)
  writeFileSync(
    join(folder, 'disk.map'),
    `0x0 + 1\n0x0 ${hex(hole)} +\n${hex(hole)} 0x200 -\n${hex(hole + 512)} ${hex((1 << 20) - hole - 512)} +\n`,
  )
  at.declare('policy: {rescued: 90%, partitions: {0: accept}, unreadable_files: accept}\n')
  const applied = await at.ntt('apply', '--yes')
  expect(applied.code, applied.out + applied.err).toBe(0)
  const losses = await at.ntt('losses')
  expect([losses.code, losses.out]).toEqual([2, expect.stringMatching(/damaged +link {2}of \d+ bytes, /)])
  expect((await at.ntt('status')).out).toMatch(/letters is not whole: 512 bytes of it not read/)
})

test('what is in use and has no name is told as lost, and keeps nothing from being done', async () => {
  const folder = scratch()
  mkdirSync(join(folder, 'tree'))
  for (const name of ['one', 'two', 'three']) writeFileSync(join(folder, 'tree', name), `content of ${name}`)
  const image = sized(join(folder, 'disk.img'), 1 << 20)
  make('mke2fs', '-q', '-F', '-t', 'ext2', '-d', join(folder, 'tree'), image)
  make('debugfs', '-w', '-R', 'unlink two', image)
  const at = await imaged(image)
  const applied = await at.ntt('apply', '--yes')
  expect(applied.code, applied.out + applied.err).toBe(0)
  const losses = await at.ntt('losses')
  expect([losses.code, losses.out]).toEqual([
    2,
    expect.stringMatching(/unnamed: 1 of \d+ inodes in use have no name/),
  ])
  expect((await at.ntt('status')).out).toMatch(/letters is not whole: 1 fault in what its filesystem\s+tells/)
})

test('inodes that ext keeps for itself are not told as lost', async () => {
  const folder = scratch()
  mkdirSync(join(folder, 'tree'))
  writeFileSync(join(folder, 'tree/one'), 'one')
  const image = sized(join(folder, 'disk.img'), 16 << 20)
  const features = 'quota,project,orphan_file'
  make('mke2fs', '-q', '-F', '-t', 'ext4', '-O', features, '-d', join(folder, 'tree'), image)
  const at = await imaged(image)
  expect((await at.ntt('apply', '--yes')).code).toBe(0)
  expect(await at.ntt('losses')).toMatchObject({ code: 0, out: 'letters  nothing is lost\n' })
})

test('of an enumeration that was found damaged nobody says that nothing is lost', async () => {
  const at = await imaged(floppy(false))
  expect((await at.ntt('apply', '--yes')).code).toBe(0)
  expect((await at.ntt('losses')).code).toBe(0)
  const [raw = ''] = readdirSync(at.path('.ntt/raw')).filter((name) => name.endsWith('.raw'))
  await without(at.path('.ntt/raw', raw), 'letter.txt', raw.slice(0, 32))
  expect((await at.ntt('verify', '--depth', 'hash')).code).toBe(3)
  const losses = await at.ntt('losses')
  expect([losses.code, losses.out]).toEqual([5, expect.stringMatching(/enumerate: .*walk/)])
})

/** An enumeration that is sound in itself, and says nothing of one file. */
async function without(raw: string, name: string, hash: string): Promise<void> {
  const tails: RawTail[] = []
  const records: RawRecord[] = []
  for await (const some of decodeRaw(each(readFileSync(raw)), (tail) => tails.push(tail)))
    records.push(...some)
  const kept = records.filter((one) => !('entry' in one && one.entry.path.toString() === name))
  const about = { hash, source: 'half.img', writer: 'test' }
  const bytes: Buffer[] = []
  for await (const chunk of encodeRaw(each(kept), () => tails[0]?.volumes ?? [], about))
    bytes.push(Buffer.from(chunk))
  writeFileSync(raw, Buffer.concat(bytes))
}

async function* each<T>(value: T): AsyncGenerator<T> {
  yield value
}
