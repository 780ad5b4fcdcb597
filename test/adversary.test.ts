// Lies that ntt was once brought to tell by what somebody, or a dying disk, did to its files between two runs. None is told again.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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
  const [first = '', second = ''] = readdirSync(folder)
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
  const box = readdirSync(made.path('.ntt/archive'))
  expect(box).toHaveLength(2)
  for (const name of box) renameSync(made.path('.ntt/archive', name), made.path(name))
  expect(await budget()).toBe(3)
  for (const name of box) renameSync(made.path(name), made.path('.ntt/archive', name))
  expect(await budget()).toBe(0)
  // Another medium lies where this one did.
  truncateSync(made.path('media.d/floppy.img'), 1_000_000)
  expect(await budget()).toBe(3)
})
