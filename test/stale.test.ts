// Verdicts that outlived what they were about: what failed, what is gone, what rotted long after it was written. None is told again.
import { blake3 } from '@napi-rs/blake-hash'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { expect, test } from 'vitest'
import { make } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project } from './support/project.ts'

/** A converged floppy, and the path of its largest content in the store. */
async function kept(): Promise<{ readonly made: Project; readonly database: string; readonly blob: string }> {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const [blob = ''] = readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\/[0-9a-f]{64}$/.test(path))
    .map((path) => made.path('.ntt/by-hash', path))
    .toSorted((one, other) => readFileSync(other).length - readFileSync(one).length)
  return { made, database, blob }
}

/** Other bytes in it, of the same number. */
function rot(path: string): void {
  chmodSync(path, 0o644)
  const fd = openSync(path, 'r+')
  writeSync(fd, Buffer.from('rot'), 0, 3, 1)
  closeSync(fd)
  chmodSync(path, 0o444)
}

test('audit does not say that all agree where a product that was proven is gone, or the store is', async () => {
  const { made, database } = await kept()
  for (const root of ['archive', 'raw']) {
    const [name = ''] = readdirSync(made.path('.ntt', root)).filter((one) => one !== '.ntt-store')
    renameSync(made.path('.ntt', root, name), made.path('away'))
    const { code, out } = await made.ntt('audit')
    expect([code, out]).toEqual([3, expect.stringContaining('missing-product')])
    renameSync(made.path('away'), made.path('.ntt', root, name))
  }
  renameSync(made.path('.ntt/by-hash'), made.path('away'))
  expect((await made.ntt('audit')).code).toBe(5)
  renameSync(made.path('away'), made.path('.ntt/by-hash'))
  expect((await made.ntt('audit')).code).toBe(0)
  const [table] = await ask<{ name: string }>(
    database,
    "select relname as name from pg_class where relkind = 'r' and relname like 'entry\\_%'",
  )
  await ask(database, `drop table ${table?.name}`)
  const { code, out } = await made.ntt('audit')
  expect([code, out]).toEqual([3, expect.stringContaining('2 of 3 tables are there')])
})

test('what a verification found is told by losses, and by every budget after it, until it is mended', async () => {
  const { made, blob } = await kept()
  expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(0)
  rot(blob)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(3)
  const lost = await made.ntt('losses')
  expect([lost.code, lost.out]).toEqual([
    5,
    expect.stringMatching(/contents not what their name says: expected 0, found 1, the first in "[^"]+"/),
  ])
  const again = await made.ntt('verify', '--budget', '1GB')
  expect([again.code, again.out]).toEqual([3, expect.stringContaining('not what their name says')])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(0)
  expect((await made.ntt('losses')).code).toBe(0)
})

test('what was proven in years to come, by a clock that was wrong, is due now', async () => {
  const { made, database, blob } = await kept()
  expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(0)
  rot(blob)
  expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(0)
  await ask(database, "update swept set at = now() + interval '10 years'")
  expect((await made.ntt('status')).out).toContain('Read back within 30 d: 0.0 %')
  expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(3)
})

test('a medium whose rows are gone is not told as archived by a verification of what is left', async () => {
  const { made } = await kept()
  made.env('NTT_DB_URL', await freshDatabase())
  const { out } = await made.ntt('verify')
  expect(out).toMatch(/new -> enumerated/)
})

/** A second medium that holds what the first one held, and something of its own. */
async function bringAgain(made: Project): Promise<void> {
  copyFileSync(made.path('media.d/floppy.img'), made.path('media.d/again.img'))
  writeFileSync(made.path('own'), 'its own')
  make('mcopy', '-i', made.path('media.d/again.img'), made.path('own'), '::OWN')
  // Another serial number: another medium.
  const fd = openSync(made.path('media.d/again.img'), 'r+')
  writeSync(fd, Buffer.from([1, 2, 3, 4]), 0, 4, 39)
  closeSync(fd)
  made.medium('again', 'source: {image: again.img}\ntarget: copied\n')
  expect((await made.ntt('apply', '--yes', 'again')).code).toBe(0)
}

const read = (path: string): string => blake3(readFileSync(path)).toString('hex')

test('a content that was written long ago is read again before another medium may count on it', async () => {
  const { made, database, blob } = await kept()
  rot(blob)
  await ask(database, "update blob set stored_at = now() - interval '31 days'")
  await bringAgain(made)
  expect(blob).toContain(read(blob))
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
})

test('a content that was read back lately counts; one that was found to be bad does not, whoever found it', async () => {
  for (const [found, way] of [
    ['sweep', ['--budget', '1GB']],
    ['verify', ['--depth', 'hash']],
  ] as const) {
    const { made, database, blob } = await kept()
    await ask(database, "update blob set stored_at = now() - interval '31 days'")
    expect((await made.ntt('verify', '--budget', '1GB')).code).toBe(0)
    const known = async (): Promise<unknown> =>
      (await ask(database, "select count(*)::int as n from witness where at > now() - interval '30 days'"))[0]
    const all = (await ask(database, 'select count(*)::int as n from blob'))[0]
    expect(await known()).toEqual(all)
    rot(blob)
    await ask(database, "update swept set at = at - interval '40 days'")
    expect([found, (await made.ntt('verify', ...way)).code]).toEqual([found, 3])
    expect(await known()).not.toEqual(all)
    // The good bytes are in the hand of whoever brings them; the bad ones are put aside, and all who share them are mended.
    await bringAgain(made)
    expect(blob).toContain(read(blob))
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  }
})
