// ntt import: an installation shaped like the field's is taken over in place, sorted right whatever its flags say, and mended.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Finding } from '../src/model/finding.ts'
import type { Imported, OlderBlobs } from '../src/model/older.ts'
import type { Plan } from '../src/model/stage.ts'
import { olderInstallation, type Installation } from './support/older.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, repository, scratch, treeDigest, type Project } from './support/project.ts'

/** In one order; empty for what has none. */
const hashesOf = (some: readonly { readonly hash: string | null }[]): readonly string[] =>
  some.map(({ hash }) => hash ?? '').toSorted((a, b) => (a < b ? -1 : 1))

/** All rows of the older database, as one digest. */
async function rowsDigest(url: string): Promise<string> {
  const hash = createHash('sha256')
  for (const table of ['medium', 'inode', 'path', 'blobs'])
    hash.update(JSON.stringify(await ask(url, `select t::text from ${table} t order by 1`)))
  return hash.digest('hex')
}

describe('43 complete, 18 copied in part, 13 never loaded, and no flag that is true', () => {
  let older: string
  let left: Installation
  let made: Project
  let imported: readonly Extract<Imported, { medium: unknown }>[]
  let blobs: OlderBlobs
  let before: readonly string[]
  beforeAll(async () => {
    older = await freshDatabase('empty')
    left = await olderInstallation(scratch(), older, [43, 18, 13], 20_251_012)
    before = [await rowsDigest(older), treeDigest(left.folder)]
    made = project({ database: await freshDatabase() })
    const ran = await made.ntt('import', older, ...left.roots, '--json')
    if (ran.code !== 0) throw new Error(ran.out + ran.err)
    const document: unknown = JSON.parse(ran.out)
    const schema: object = JSON.parse(readFileSync(join(repository, 'schemas/import.schema.json'), 'utf8'))
    const validate = new Ajv2020({ strictRequired: false }).compile(schema)
    expect(validate(document), JSON.stringify(validate.errors)).toBe(true)
    imported = (document as { media: typeof imported }).media
    blobs = (document as { blobs: OlderBlobs }).blobs
  }, 600_000)

  test('each is sorted by its rows and its store, with the counts of what is lost', () => {
    const expected = left.fates.map(
      ({ hash, sorting, lost }) => [hash, { sorting, lost: lost.length }] as const,
    )
    const found = imported.map(({ hash, sorting, lost }) => [hash, { sorting, lost }] as const)
    expect(found).toHaveLength(74)
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected))
  })

  test('its table of contents is held against its store', async () => {
    const ids = await ask<{ blobid: string }>(older, 'select blobid from blobs order by 1')
    const isThere = (id: string): boolean =>
      existsSync(join(left.folder, 'ntt/by-hash', id.slice(0, 2), id.slice(2, 4), id))
    const missing = ids.map(({ blobid }) => blobid).filter((id) => !isThere(id))
    expect(missing.length).toBeGreaterThan(3)
    expect(blobs).toEqual({ rows: ids.length, missing: missing.length, examples: missing.slice(0, 100) })
  })

  test('nothing of the old is changed, and nothing is copied into the project', async () => {
    expect([await rowsDigest(older), treeDigest(left.folder)]).toEqual(before)
  })

  test('every medium has a file that is well declared, and the places of its files are written down', async () => {
    expect(readdirSync(made.path('media.d'))).toHaveLength(74)
    const ran = await made.ntt('validate')
    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining('74 media well declared')])
    expect(readFileSync(made.path('ntt.yaml'), 'utf8')).toContain(join(left.folder, 'img-read'))
  })

  test('a second import writes no file and finds the same', async () => {
    const files = treeDigest(made.path('media.d'))
    const again = await made.ntt('import', older, '--json')
    const media = (JSON.parse(again.out) as { media: typeof imported }).media
    expect([again.code, treeDigest(made.path('media.d'))]).toEqual([0, files])
    expect(media).toEqual(imported.map((one) => ({ ...one, isNew: false })))
  })

  test('audit names every loss with its paths, whatever the flags say', async () => {
    const ran = await made.ntt('audit', '--json')
    expect(ran.code).toBe(3)
    const findings: readonly Finding[] = JSON.parse(ran.out)
    const coded = (code: string): readonly string[] => hashesOf(findings.filter((one) => one.code === code))
    const sorted = (sorting: string): readonly string[] =>
      hashesOf(left.fates.filter((one) => one.sorting === sorting))
    expect(coded('never-loaded')).toEqual(sorted('never-loaded'))
    expect(coded('copied-in-part')).toEqual(sorted('copied-in-part'))
    for (const { hash, lost } of left.fates.filter((one) => one.sorting === 'copied-in-part')) {
      const finding = findings.find((one) => one.code === 'copied-in-part' && one.hash === hash)
      expect([finding?.count, finding?.examples]).toEqual([lost.length, lost])
    }
    const flags = await ask<{ hash: string; enum: boolean; copy: boolean }>(
      older,
      'select medium_hash as hash, enum_done is not null as enum, copy_done is not null as copy from medium',
    )
    const untrue = flags.filter(({ hash, enum: loaded, copy }) => {
      const { sorting } = left.fates.find((one) => one.hash === hash) ?? { sorting: 'complete' }
      return sorting === 'never-loaded' ? loaded || copy : sorting === 'copied-in-part' && copy
    })
    expect([...new Set(coded('false-claim'))]).toEqual(hashesOf(untrue))
  })

  test('plan contradicts just the claims that are false, and believes none', async () => {
    const ran = await made.ntt('plan', '--json')
    const { lanes }: Plan = JSON.parse(ran.out)
    expect(lanes).toHaveLength(74)
    for (const lane of lanes) {
      const { sorting } = left.fates.find(({ hash }) => hash === lane.hash) ?? { sorting: null }
      const stages = new Set(lane.claims.map(({ stage }) => stage))
      if (sorting === 'complete') expect(stages.size).toBe(0)
      if (sorting === 'copied-in-part') expect(stages.has('load')).toBe(false)
      const kept = lane.steps.filter(({ action }) => action === 'keep').map(({ stage }) => stage)
      // An image whose bytes are in an archive is there; nothing else is proven yet.
      expect(kept.filter((stage) => stage !== 'image')).toEqual([])
    }
  })

  test('apply mends what can be mended; what cannot is named with what it would need', async () => {
    const ran = await made.ntt('apply', '--yes')
    const nowhere = left.fates.filter(({ bytes }) => bytes === 'nowhere')
    expect(nowhere.length).toBeGreaterThan(2)
    expect([3, 4]).toContain(ran.code)
    const planned = await made.ntt('plan', '--json')
    const { lanes }: Plan = JSON.parse(planned.out)
    const open = lanes.filter(({ steps }) => steps.some(({ action }) => action !== 'keep'))
    expect(hashesOf(open)).toEqual(hashesOf(nowhere))
    for (const lane of open) expect(lane.steps[0]?.because.code).toBe('source-away')
    // A content with wrong bytes of the right size was not taken over: it was read again from its medium.
    expect(left.rotten.length).toBeGreaterThan(2)
    const verified = await made.ntt('verify', '--depth', 'hash')
    // What has no source any more cannot be proven, and is told as unknown.
    const proven = left.fates.length - nowhere.length
    expect([verified.code, verified.out]).toEqual([5, expect.stringContaining(`${proven} verified`)])
    for (const id of left.rotten) {
      const at = join(left.folder, 'ntt/by-hash', id.slice(0, 2), id.slice(2, 4))
      expect(existsSync(join(at, id))).toBe(true)
      expect(readFileSync(join(at, id))[0]).not.toBe('x'.charCodeAt(0))
    }
    // Whoever had an image, an enumeration or an archive still has it.
    for (const { hash, bytes } of left.fates)
      if (bytes === 'image') expect(existsSync(join(left.folder, 'img', `${hash}.img`))).toBe(true)
    expect(await rowsDigest(older)).toBe(before[0])
  }, 900_000)
})

test('what cannot be taken over as it is, is told; a hostile text stays a text', async () => {
  const older = await freshDatabase('empty')
  const left = await olderInstallation(scratch(), older, [1, 0, 0], 3)
  const [nothing, carved, floppy] = ['af1349b9f5f9a1a6a0404dea36dcc949', 'carved_s-1', 'f'.repeat(32)]
  const message = 'x"\nsource: {device: /dev/sda}\n# \u001b[2J'
  await ask(
    older,
    `insert into medium (medium_hash, medium_human, message) select h, 'a b', $2 from unnest($1::text[]) as h`,
    [[nothing, carved, floppy], message],
  )
  mkdirSync(join(left.folder, 'img-read/floppies'))
  writeFileSync(join(left.folder, 'img-read/floppies', `${floppy}.tar.zst`), 'an archive')
  const made = project({ database: await freshDatabase() })
  const ran = await made.ntt('import', older, ...left.roots, '--json')
  expect(ran.code, ran.err).toBe(0)
  const { media } = JSON.parse(ran.out) as {
    media: readonly { hash: string; medium: string | null; note: string | null }[]
  }
  expect(Object.fromEntries(media.map(({ hash, medium, note }) => [hash, [medium, note]]))).toMatchObject({
    [nothing]: [null, expect.stringContaining('nothing at all')],
    [carved]: [null, expect.stringContaining('32 hex digits')],
    [floppy]: ['a-b', expect.stringContaining(`ln floppies/${floppy}.tar.zst`)],
  })
  expect((await made.ntt('validate')).code).toBe(0)
  const planned: Plan = JSON.parse((await made.ntt('plan', '--json')).out)
  expect(planned.lanes.find(({ hash }) => hash === floppy)?.label).toBe(message)
  const text = await made.ntt('import', older)
  expect(text.out).not.toContain('\u001b')
})

test('files that would clash, with each other or with those that are there, are told before the first is written', async () => {
  const older = await freshDatabase('empty')
  const left = await olderInstallation(scratch(), older, [1, 0, 0], 3)
  const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(32)) as [string, string, string]
  await ask(
    older,
    `insert into medium (medium_hash, medium_human, image_path) select h, n, p from unnest($1::text[], $2::text[], $3::text[]) as r (h, n, p)`,
    [
      [one, two, three],
      ['same', 'same', 'third'],
      ['/mnt/stick.img', '/mnt/stick.img', '/mnt/other.img'],
    ],
  )
  const ours = await freshDatabase()
  const made = project({ database: ours })
  made.medium('mine', 'label: mine\nsource:\n  image: /mnt/other.img\n')
  const { code, err } = await made.ntt('import', older, ...left.roots)
  expect([code, err]).toEqual([1, expect.stringContaining('Nothing was written')])
  const text = err.replaceAll(/\s+/g, ' ')
  expect(text).toMatch(
    /media\.d\/same\.yaml:\d+:\d+ source\.image: the same source twice.* \(also media\.d\/same-22222222\.yaml:\d+\)/,
  )
  expect(text).toMatch(
    /media\.d\/third\.yaml:\d+:\d+ source\.image: the same source twice.* \(also media\.d\/mine\.yaml:\d+\)/,
  )
  expect(text).toContain('medium_hash')
  expect(readdirSync(made.path('media.d'))).toEqual(['mine.yaml'])
  expect(existsSync(made.path('ntt.yaml'))).toBe(false)
  expect(await ask(ours, 'select 1 from medium')).toEqual([])
  // As advised: a file for one of them with its own source, and the hash in the file that is there.
  made.medium('second', `source:\n  image: /mnt/stick-2.img\nmedium_hash: "${two}"\n`)
  made.medium('mine', `source:\n  image: /mnt/other.img\nmedium_hash: "${three}"\n`)
  // A name that our database has given away is given to no other.
  await ask(ours, `insert into medium (medium_hash, hash_version, name) values ($1, 'v2', 'same')`, [
    '9'.repeat(32),
  ])
  const again = await made.ntt('import', older, ...left.roots)
  expect([again.code, again.err]).toEqual([0, ''])
  const names = await ask<{ name: string; medium_hash: string }>(ours, 'select name, medium_hash from medium')
  const nameOf = (hash: string) => names.find((row) => row.medium_hash === hash)?.name
  expect([one, two, three].map(nameOf)).toEqual(['same-11111111', 'second', 'mine'])
  expect((await made.ntt('validate')).code).toBe(0)
})

test('a file whose size or type its database does not tell is not passed over, nor taken for kept', async () => {
  const older = await freshDatabase('empty')
  const left = await olderInstallation(scratch(), older, [1, 0, 0], 4)
  const hash = left.fates[0]?.hash
  await ask(
    older,
    `insert into inode (medium_hash, ino, size, blobid, fs_type)
     values ($1, 9001, null, repeat('ab', 32), 'f'), ($1, 9002, 7, null, null)`,
    [hash],
  )
  await ask(
    older,
    `insert into path (medium_hash, ino, path) values ($1, 9001, 'no size'), ($1, 9002, 'no type')`,
    [hash],
  )
  const made = project({ database: await freshDatabase() })
  const ran = await made.ntt('import', older, ...left.roots, '--json')
  expect(ran.code, ran.err).toBe(0)
  const { media } = JSON.parse(ran.out) as { media: readonly object[] }
  expect(media).toMatchObject([{ hash, sorting: 'copied-in-part', lost: 2 }])
})

describe('what is not an installation of the older pipeline', () => {
  test('another database is refused, and nothing is written', async () => {
    const made = project({ database: await freshDatabase() })
    const ran = await made.ntt('import', await freshDatabase('empty'), '--root', `image=${scratch()}`)
    expect([ran.code, ran.err]).toEqual([5, expect.stringContaining('medium.medium_hash')])
    expect(existsSync(made.path('ntt.yaml'))).toBe(false)
  })

  test('without a word about where its files lie nothing is looked at', async () => {
    const made = project({ database: await freshDatabase() })
    const ran = await made.ntt('import', 'postgres:///copyjob')
    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('--root by-hash=')])
  })

  test.each(['copyjob.sql', 'mysql://host/copyjob'])(
    '%s is no URL of a database: it is refused, and nothing is made',
    async (url) => {
      const made = project()
      const ran = await made.ntt('import', url, '--root', `image=${scratch()}`)
      expect([ran.code, ran.err]).toEqual([1, expect.stringContaining(`${url} is not the URL of a database`)])
      expect(existsSync(made.path('.ntt'))).toBe(false)
    },
  )

  test("ntt does not put its tables among the older pipeline's", async () => {
    const older = await freshDatabase('empty')
    await olderInstallation(scratch(), older, [1, 0, 0], 7)
    const made = project({ database: older })
    const rows = await rowsDigest(older)
    for (const verb of [['plan'], ['apply', '--yes']]) {
      const ran = await made.ntt(...verb)
      expect([ran.code === 0, ran.err]).toEqual([false, expect.stringContaining('ntt import')])
    }
    expect(await rowsDigest(older)).toBe(rows)
    expect(await ask(older, "select to_regclass('ntt_migration') as made")).toEqual([{ made: null }])
  })
})
