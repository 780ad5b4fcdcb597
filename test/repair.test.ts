// Repair, through the real command: each thing is broken, found, planned with its reason, put back, and nothing is left to do.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleImages, sampleProject, type Project } from './support/project.ts'

let database: string
let made: Project

/** The hash of a declared medium. */
async function hashOf(name: string): Promise<string> {
  const [row] = await ask<{ hash: string }>(
    database,
    'select medium_hash as hash from medium where name = $1',
    [name],
  )
  return row?.hash ?? ''
}

/** Blobs of a medium, as the database knows them, larger ones first. */
async function blobsOf(name: string): Promise<readonly string[]> {
  const rows = await ask<{ blob: string }>(
    database,
    `select distinct encode(o.blob_id, 'hex') as blob, b.size from outcome o join blob b using (blob_id) join medium m using (medium_id)
      where m.name = $1 and b.size > 0 order by b.size desc, 1`,
    [name],
  )
  return rows.map(({ blob }) => blob)
}

const pathOf = (blob: string): string => made.path('.ntt/by-hash', blob.slice(0, 2), blob.slice(2, 4), blob)

/** Writes another letter over one in the middle. */
function flip(path: string, at?: number): void {
  chmodSync(path, 0o644)
  const bytes = readFileSync(path)
  const place = at ?? bytes.length >> 1
  bytes[place] = (bytes[place] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

const asides = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.aside-'))

/** Found, planned, repaired, and then nothing is left; returns the steps of the plan between. */
async function repaired(...media: readonly string[]): Promise<string> {
  const found = await made.ntt('verify', '--depth', 'hash', ...media)
  expect([found.code, found.out + found.err]).toEqual([3, expect.anything()])
  const plan = await planned(3, ...media)
  const proven = await made.ntt('verify', '--depth', 'hash', ...media)
  expect([proven.code, proven.out + proven.err]).toEqual([0, expect.anything()])
  return plan
}

/** The same for what a plan sees by itself. */
async function planned(code: number, ...media: readonly string[]): Promise<string> {
  const plan = await made.ntt('plan', ...media)
  expect([plan.code, plan.out]).toEqual([code, expect.anything()])
  const applied = await made.ntt('apply', '--yes', ...media)
  expect([applied.code, applied.out + applied.err]).toEqual([0, expect.anything()])
  const again = await made.ntt('plan', ...media)
  expect([again.code, again.out]).toEqual([0, expect.stringContaining('No changes')])
  return plan.out
}

describe('what was archived', () => {
  beforeAll(async () => {
    database = await freshDatabase()
    made = sampleProject(['floppy.img', 'box7'], { database })
    const { code, out, err } = await made.ntt('apply', '--yes')
    if (code !== 0) throw new Error(out + err)
  })

  test('a content that is gone, cut or altered comes back from the image; what was bad is kept aside', async () => {
    const [gone = '', cut = '', altered = ''] = await blobsOf('floppy')
    rmSync(pathOf(gone))
    chmodSync(pathOf(cut), 0o644)
    truncateSync(pathOf(cut), 1)
    flip(pathOf(altered))
    const bad = readFileSync(pathOf(altered))
    expect(await repaired('floppy')).toMatch(/! +\+ +copy +failed its verification/)
    const kept = asides(made.path('.ntt/by-hash'))
    expect(kept.map((name) => name.replace(/^.*\/([0-9a-f]{64})\..*$/, '$1')).toSorted()).toEqual(
      [altered, cut].toSorted(),
    )
    const aside = kept.find((name) => name.includes(altered)) ?? ''
    expect(readFileSync(made.path('.ntt/by-hash', aside)).equals(bad)).toBe(true)
    // Each is told: a path of it, its medium, where the bad one is, and where it came back from.
    const notes = made.events().flatMap(({ text, notable }) => (notable === true ? [String(text)] : []))
    const told = (blob: string): string => notes.find((text) => text.includes(`the content ${blob} `)) ?? ''
    expect(notes).toHaveLength(3)
    expect(told(gone)).toMatch(/^"[^"]+" of floppy: .* was not there; it is back, from the image of floppy$/)
    expect(told(altered)).toContain(`is kept as ${made.path('.ntt/by-hash', aside)}; it is back, from the`)
    expect((await made.ntt('log', 'floppy')).out).toContain(told(cut))
  })

  test('rows that are gone or altered come back from the enumeration', async () => {
    const id = (
      await ask<{ id: number }>(database, `select medium_id as id from medium where name = 'floppy'`)
    )[0]?.id
    for (const harm of [
      `update inode set size = size + 1 where medium_id = ${id} and ino = (select min(ino) from inode where medium_id = ${id} and type = 'f')`,
      `delete from entry where ctid = (select min(ctid) from entry where medium_id = ${id}) and medium_id = ${id}`,
    ]) {
      await ask(database, harm)
      expect(await repaired('floppy')).toMatch(/! +\+ +load/)
    }
    const [table] = await ask<{ name: string }>(
      database,
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'directory'::regclass and inhrelid::regclass::text like '%directory_${id}_%'`,
    )
    await ask(database, `drop table ${table?.name}`)
    expect(await planned(3, 'floppy')).toMatch(/! +\+ +load +2 of 3 tables are there/)
    const [outcomes] = await ask<{ name: string }>(
      database,
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'outcome'::regclass and inhrelid::regclass::text like '%outcome_${id}_%'`,
    )
    await ask(database, `drop table ${outcomes?.name}`)
    expect(await planned(3, 'floppy')).toMatch(/! +\+ +copy/)
  })

  test('an archive that is gone or altered is made again from image and enumeration', async () => {
    const archive = made.path('.ntt/archive', `${await hashOf('floppy')}.tar.zst`)
    rmSync(archive)
    expect(await planned(3, 'floppy')).toMatch(/! +\+ +archive +gone since it was proven/)
    flip(archive)
    expect(await repaired('floppy')).toMatch(/! +\+ +archive +failed its verification/)
    expect(asides(made.path('.ntt/archive'))).toEqual([expect.stringContaining('.aside-failed-proof-')])
  })

  test('an enumeration that is gone comes back from the archive, one that is altered from the image', async () => {
    const raw = made.path('.ntt/raw', `${await hashOf('floppy')}.raw`)
    const before = readFileSync(raw)
    rmSync(raw)
    expect(await planned(3, 'floppy')).toMatch(/! +\+ +enumerate +no enumeration; the archive holds it/)
    expect(readFileSync(raw).equals(before)).toBe(true)
    flip(raw)
    expect(await repaired('floppy')).toMatch(/! +\+ +enumerate +failed its verification/)
    expect(asides(made.path('.ntt/raw'))).toEqual([expect.stringContaining('.aside-failed-proof-')])
  })

  test('what is good and made again because a person asked is kept aside as that; what failed as what failed', async () => {
    const redo = ['apply', '--yes', '--redo', 'floppy/enumerate', '--redo', 'floppy/archive']
    const kept = (): readonly string[] =>
      [...asides(made.path('.ntt/raw')), ...asides(made.path('.ntt/archive'))].map((name) =>
        name.replace(/^.*\.aside-(\w+(?:-proof)?)-.*$/, '$1'),
      )
    const before = kept()
    expect((await made.ntt(...redo)).code).toBe(0)
    expect(kept().toSorted()).toEqual([...before, 'asked', 'asked'].toSorted())
    const archive = made.path('.ntt/archive', `${await hashOf('floppy')}.tar.zst`)
    flip(archive)
    expect((await made.ntt('verify', '--depth', 'hash', 'floppy')).code).toBe(3)
    expect((await made.ntt('apply', '--yes', '--redo', 'floppy/archive')).code).toBe(0)
    expect(kept().toSorted()).toEqual([...before, 'asked', 'asked', 'failed-proof'].toSorted())
  })

  test('where the image is gone, a content comes back through the archive', async () => {
    renameSync(made.path('media.d/floppy.img'), made.path('floppy.away'))
    const settle = await made.ntt('apply', '--yes', 'floppy')
    expect([settle.code, settle.out + settle.err]).toEqual([0, expect.anything()])
    const [blob = ''] = await blobsOf('floppy')
    rmSync(pathOf(blob))
    expect(await repaired('floppy')).toMatch(/\+ +image +.*restored from there, copy needs it/)
    expect(existsSync(made.path('.ntt/img', `${await hashOf('floppy')}.img`))).toBe(true)
  })

  test('an image of ours that is altered is set aside and comes back from the archive; one that is gone lives there', async () => {
    const image = made.path('.ntt/img', `${await hashOf('floppy')}.img`)
    const before = readFileSync(made.path('floppy.away'))
    flip(image)
    expect(await repaired('floppy')).toMatch(
      /! +\+ +image +failed its verification: .*; restored from the archive/,
    )
    expect(readFileSync(image).equals(before)).toBe(true)
    expect(asides(made.path('.ntt/img'))).toHaveLength(1)
    rmSync(image)
    const raw = made.path('.ntt/raw', `${await hashOf('floppy')}.raw`)
    rmSync(raw)
    const settle = await made.ntt('apply', '--yes', 'floppy')
    expect([settle.code, settle.out + settle.err]).toEqual([0, expect.anything()])
    // The enumeration alone was needed.
    expect([existsSync(raw), existsSync(image)]).toEqual([true, false])
    expect((await made.ntt('plan', 'floppy')).code).toBe(0)
  })

  test('an image of yours that is altered is never moved: it is refused, and once you have moved it the archive serves', async () => {
    copyFileSync(made.path('floppy.away'), made.path('media.d/floppy.img'))
    const settle = await made.ntt('apply', '--yes', 'floppy')
    expect([settle.code, settle.out + settle.err]).toEqual([0, expect.anything()])
    flip(made.path('media.d/floppy.img'), 1_000_000)
    const bad = readFileSync(made.path('media.d/floppy.img'))
    expect((await made.ntt('verify', '--depth', 'hash', 'floppy')).code).toBe(3)
    const plan = await made.ntt('plan', 'floppy')
    expect([plan.code, plan.out]).toEqual([expect.any(Number), expect.stringMatching(/ x +image +/)])
    expect((await made.ntt('apply', '--yes', 'floppy')).code).not.toBe(0)
    expect(readFileSync(made.path('media.d/floppy.img')).equals(bad)).toBe(true)
    rmSync(made.path('media.d/floppy.img'))
    // The enumeration is held against the one in the archive, where there is nothing to walk again.
    const verified = await made.ntt('verify', '--depth', 'hash', 'floppy')
    expect([verified.code, verified.out + verified.err]).toEqual([0, expect.anything()])
    const after = await made.ntt('apply', '--yes', 'floppy')
    expect([after.code, after.out + after.err]).toEqual([0, expect.anything()])
    expect((await made.ntt('plan', 'floppy')).code).toBe(0)
  })

  test('of a directory that is gone, contents and enumeration come back from the archive, and the archive from them', async () => {
    renameSync(made.path('media.d/box7'), made.path('box7.away'))
    const [gone = '', altered = ''] = await blobsOf('box7')
    rmSync(pathOf(gone))
    flip(pathOf(altered))
    expect((await made.ntt('verify', '--depth', 'hash', 'box7')).code).toBe(3)
    const applied = await made.ntt('apply', '--yes', 'box7')
    expect([applied.code, applied.out + applied.err]).toEqual([0, expect.anything()])
    expect((await made.ntt('plan', 'box7')).code).toBe(0)
    const hash = await hashOf('box7')
    const raw = made.path('.ntt/raw', `${hash}.raw`)
    const before = readFileSync(raw)
    rmSync(raw)
    expect((await made.ntt('apply', '--yes', 'box7')).code).toBe(0)
    flip(raw)
    expect((await made.ntt('verify', '--depth', 'hash', 'box7')).code).toBe(3)
    const again = await made.ntt('apply', '--yes', 'box7')
    expect([again.code, again.out + again.err]).toEqual([0, expect.anything()])
    expect(readFileSync(raw).equals(before)).toBe(true)
    rmSync(made.path('.ntt/archive', `${hash}.tar.zst`))
    expect((await made.ntt('apply', '--yes', 'box7')).code).toBe(0)
    expect((await made.ntt('plan', 'box7')).code).toBe(0)
    renameSync(made.path('box7.away'), made.path('media.d/box7'))
  })
})

describe('what another medium held', () => {
  let shared = ''
  beforeAll(async () => {
    database = await freshDatabase()
    made = project({ database })
    execFileSync('cp', [`${sampleImages}/floppy.img`, made.path('media.d/floppy.img')])
    made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\n')
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    shared = (await blobsOf('floppy'))[0] ?? ''
    for (const name of ['one', 'other']) {
      mkdirSync(made.path(name, 'LETTERS'), { recursive: true })
      copyFileSync(pathOf(shared), made.path(name, 'LETTERS/SHARED.BIN'))
      writeFileSync(made.path(name, 'own.txt'), `only ${name} has this`)
      made.medium(name, `source: {directory: ../${name}}\ntarget: copied\n`)
    }
    const { code, out, err } = await made.ntt('apply', '--yes')
    if (code !== 0) throw new Error(out + err)
    renameSync(made.path('one'), made.path('one.away'))
  })

  const lose = async (): Promise<void> => {
    rmSync(pathOf(shared), { force: true })
    expect((await made.ntt('verify', '--depth', 'hash', 'one')).code).toBe(3)
  }
  const back = async (from: string): Promise<void> => {
    const applied = await made.ntt('apply', '--yes', 'one')
    expect([applied.code, applied.out + applied.err]).toEqual([0, expect.anything()])
    expect(existsSync(pathOf(shared))).toBe(true)
    expect(made.events().some(({ text }) => text === `${shared} is back, from ${from}`)).toBe(true)
    expect((await made.ntt('plan', 'one')).code).toBe(0)
  }

  test('comes back from its image', async () => {
    await lose()
    await back('the image of floppy')
  })

  test('comes back from its directory', async () => {
    renameSync(made.path('media.d/floppy.img'), made.path('floppy.away'))
    const archive = made.path('.ntt/archive', `${await hashOf('floppy')}.tar.zst`)
    renameSync(archive, `${archive}.away`)
    await lose()
    await back('the directory of other')
    renameSync(`${archive}.away`, archive)
  })

  test('comes back from its image inside its archive, of which only some frames are unpacked', async () => {
    renameSync(made.path('other'), made.path('other.away'))
    const before = made.events().length
    await lose()
    await back('the archive of floppy')
    expect(
      made
        .events()
        .slice(before)
        .some(({ stage, event }) => stage === 'image' && event === 'image_start'),
    ).toBe(false)
  })

  test('what nobody holds any more is named by path and medium, with what is needed; nothing is forgotten of it', async () => {
    const archive = made.path('.ntt/archive', `${await hashOf('floppy')}.tar.zst`)
    renameSync(archive, `${archive}.away`)
    await lose()
    const { code, out, err } = await made.ntt('apply', '--yes', 'one')
    expect(code).toBe(4)
    const told = (out + err).replaceAll(/\s+/g, ' ')
    expect(told).toContain('"LETTERS/SHARED.BIN"')
    expect(told).toContain(
      `Needed: directory ${made.path('one')}, or one of those that held the same: floppy, other.`,
    )
    expect(
      made.events().some(({ text }) => String(text).startsWith('irreparable: one: "LETTERS/SHARED.BIN"')),
    ).toBe(true)
    expect((await made.ntt('plan', 'one')).code).toBe(3)
    expect(await blobsOf('one')).toContain(shared)
    renameSync(made.path('one.away'), made.path('one'))
    await back('the directory of one')
  })
})

test('what was imaged some time ago, and has rotted since, is not copied as if it were that', async () => {
  const own = sampleProject(['floppy.img'], { database: await freshDatabase() })
  const declare = (target: string): void =>
    own.medium(
      'floppy',
      `source: {image: floppy.img}\ntarget: ${target}\nmedium_hash: f232a107347b651c3f9f799c3d012ae8\n`,
    )
  declare('loaded')
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  const image = own.path('media.d/floppy.img')
  const when = own.path('when')
  execFileSync('cp', ['-p', image, when])
  flip(image, 700_000)
  execFileSync('touch', ['-r', when, image])
  declare('copied')
  const { code, out } = await own.ntt('apply', '--yes')
  expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
    3,
    expect.stringContaining('the image is not what was proven of it any more'),
  ])
  expect(
    existsSync(own.path('.ntt/by-hash')) &&
      readdirSync(own.path('.ntt/by-hash')).some((name) => /^[0-9a-f]{2}$/.test(name)),
  ).toBe(false)
})

test('a content that is gone is not taken from an image that has rotted since it was proven', async () => {
  const database = await freshDatabase()
  const own = sampleProject(['floppy.img'], { database })
  own.medium(
    'floppy',
    'source: {image: floppy.img}\ntarget: copied\nmedium_hash: f232a107347b651c3f9f799c3d012ae8\n',
  )
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  const outcomes = async () =>
    await ask(database, "select fs, ino::text, encode(blob_id, 'hex') as blob from outcome order by 1, 2")
  const before = await outcomes()
  const store = own.path('.ntt/by-hash')
  const [largest = ''] = readdirSync(store, { recursive: true, encoding: 'utf8' })
    .filter((name) => /[0-9a-f]{64}$/.test(name))
    .toSorted((a, b) => statSync(join(store, b)).size - statSync(join(store, a)).size)
  const image = own.path('media.d/floppy.img')
  // Bits that rot leave no other time behind.
  const when = own.path('when')
  execFileSync('cp', ['-p', image, when])
  const bytes = readFileSync(image)
  const at = bytes.indexOf(readFileSync(join(store, largest)).subarray(0, 512))
  expect(at).toBeGreaterThan(0)
  bytes[at + 100] = (bytes[at + 100] ?? 0) ^ 1
  writeFileSync(image, bytes)
  execFileSync('touch', ['-r', when, image])
  rmSync(join(store, largest), { force: true })
  expect((await own.ntt('verify')).code).toBe(3)
  const { code, out } = await own.ntt('apply', '--yes')
  expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
    3,
    expect.stringContaining('the image is not what was proven of it any more'),
  ])
  expect(await outcomes()).toEqual(before)
  // The right image again, and all is well.
  bytes[at + 100] = (bytes[at + 100] ?? 0) ^ 1
  writeFileSync(image, bytes)
  execFileSync('touch', ['-r', when, image])
  const mended = await own.ntt('apply', '--yes')
  expect([mended.code, mended.out]).toEqual([0, expect.anything()])
  expect(await outcomes()).toEqual(before)
})
