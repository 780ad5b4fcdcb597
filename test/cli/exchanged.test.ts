// Files of media.d whose identities were exchanged: told before anything is done, and nothing of either medium is lost.
import { cpSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ask, freshDatabase } from '../support/postgres.ts'
import { project, sampleImages, type Project } from '../support/project.ts'

let database: string
let made: Project
const [one, two, new_] = ['1', '2', '3'].map((digit) => `a${digit.repeat(31)}`) as [string, string, string]

const declare = (name: string, folder: string, hash: string): void =>
  made.medium(name, `label: ${name}\nsource:\n  directory: ${folder}\ntarget: copied\nmedium_hash: ${hash}\n`)

const catalogue = (): Promise<readonly unknown[]> =>
  ask(
    database,
    `select name, medium_hash, (select count(*)::int4 from outcome o where o.medium_id = m.medium_id) as files,
            (select count(*)::int4 from proof p where p.medium_hash = m.medium_hash) as proofs from medium m order by name`,
  )

beforeAll(async () => {
  database = await freshDatabase()
  made = project({ database })
  for (const name of ['one', 'two']) {
    cpSync(join(sampleImages, 'box7'), made.path('media.d', name), { recursive: true })
    writeFileSync(made.path('media.d', name, name), name)
  }
  declare('one', 'one', one)
  declare('two', 'two', two)
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

test('two that were exchanged are refused, with both files and what to do; exchanged back, they are as they were', async () => {
  const before = await catalogue()
  declare('one', 'one', two)
  declare('two', 'two', one)
  for (const [args, exit] of [
    [['plan'], 2],
    [['apply', '--yes'], 4],
    [['status'], 2],
    [['verify'], 2],
  ] as const) {
    const { code, out, err } = await made.ntt(...args)
    expect([args, code, err]).toEqual([args, exit, ''])
    if (args[0] === 'status') continue
    const text = out.replaceAll(/\s+/g, ' ')
    expect(text).toContain(
      `media.d/one.yaml declares the medium ${two}, which is two in the database, and one is ${one} there, which media.d/two.yaml declares by now: exchange the two back, or give media.d/one.yaml another name and run ntt verify two first`,
    )
    expect(text).toContain(`media.d/two.yaml declares the medium ${one}, which is one in the database`)
  }
  const { code, out } = await made.ntt('audit', '--json')
  const found = JSON.parse(out) as { code: string; medium: string }[]
  expect([code, found.map((it) => [it.code, it.medium])]).toEqual([
    2,
    [
      ['name-taken', 'one'],
      ['name-taken', 'two'],
    ],
  ])
  expect(await catalogue()).toEqual(before)
  declare('one', 'one', one)
  declare('two', 'two', two)
  expect((await made.ntt('plan')).code).toBe(0)
})

test('what is advised brings other names: one after the other, over a name that is free', async () => {
  rmSync(made.path('media.d/one.yaml'))
  declare('free', 'one', one)
  declare('one', 'two', two)
  rmSync(made.path('media.d/two.yaml'))
  const first = await made.ntt('apply', '--yes')
  expect([first.code, first.out]).toEqual([4, expect.stringContaining('run ntt verify free first')])
  // Whoever is not in the way is done.
  expect((await made.ntt('verify', 'free')).code).toBe(0)
  expect((await made.ntt('verify', 'one')).code).toBe(0)
  expect(await catalogue()).toMatchObject([
    { name: 'free', medium_hash: one },
    { name: 'one', medium_hash: two },
  ])
  declare('one', 'one', one)
  rmSync(made.path('media.d/free.yaml'))
})

test('a new identity under the name of a medium is refused, with the old one', async () => {
  declare('one', 'one', new_)
  const { code, out } = await made.ntt('plan')
  expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
    2,
    expect.stringContaining(
      `media.d/one.yaml declares the medium ${new_}, and one is ${two} there: write \`medium_hash: ${two}\` if it is that`,
    ),
  ])
})

test('a file that gets the name of a medium that is no longer declared is refused: its image was looked at under another name', async () => {
  const own = project({ database: await freshDatabase() })
  for (const name of ['one', 'two']) {
    writeFileSync(own.path('media.d', `${name}.img`), Buffer.alloc(200_000, name))
    own.medium(name, `label: ${name}\nsource:\n  image: ${name}.img\ntarget: imaged\n`)
  }
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  renameSync(own.path('media.d/two.yaml'), own.path('media.d/one.yaml'))
  const told =
    /one\.yaml declares the medium [0-9a-f]{32}, which is two in the database, and one is [0-9a-f]{32} there/
  const codes: number[] = []
  for (const args of [['plan'], ['verify'], ['apply', '--yes']]) {
    const { code, out, err } = await own.ntt(...args)
    codes.push(code)
    expect((out + err).replaceAll(/\s+/g, ' ')).toMatch(told)
  }
  expect(codes).toEqual([2, 2, 4])
})

test('a medium that the database does not take ends the run: nothing is waited for', async () => {
  const ours = await freshDatabase()
  const own = project({ database: ours })
  writeFileSync(own.path('media.d/one.img'), Buffer.alloc(200_000, 'one'))
  own.medium('one', 'label: one\nsource:\n  image: one.img\ntarget: imaged\n')
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  await ask(
    ours,
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$`,
  )
  await ask(ours, 'create trigger refuse before insert or update on medium execute function refuse()')
  const { code, out, err } = await own.ntt('verify')
  expect([code, out + err]).toEqual([4, expect.stringContaining('not today')])
  await ask(ours, 'drop trigger refuse on medium')
  expect((await own.ntt('verify')).code).toBe(0)
})

test('of two files for one medium the one that says so gets it; the other is refused with both names, and audit tells it', async () => {
  const own = project({ database: await freshDatabase() })
  writeFileSync(own.path('media.d/a.img'), Buffer.alloc(200_000, 'one'))
  own.medium('a', 'source: {image: a.img}\ntarget: imaged\n')
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  const shown = JSON.parse((await own.ntt('plan', '--json')).out) as { lanes: { hash: string }[] }
  const hash = String(shown.lanes[0]?.hash)
  writeFileSync(own.path('media.d/z.img'), Buffer.alloc(200_000, 'one'))
  own.medium('z', `source: {image: z.img}\ntarget: imaged\nmedium_hash: ${hash}\n`)
  const told = `it is the same medium as z, of which media.d/z.yaml says so (${hash})`
  for (const names of [[], ['a']]) {
    const { code, out } = await own.ntt('plan', ...names)
    expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([2, expect.stringContaining(told)])
  }
  const { code, out } = await own.ntt('audit')
  expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([
    2,
    expect.stringContaining(
      'a (' + hash.slice(0, 8) + '): media.d/a.yaml declares the medium of media.d/z.yaml once more',
    ),
  ])
  expect((await own.ntt('apply', '--yes', 'z')).code).toBe(0)
  rmSync(own.path('media.d/a.yaml'))
  expect((await own.ntt('plan')).code).toBe(0)
  expect((await own.ntt('audit')).code).toBe(0)
  // Neither says so: the first by name, and audit tells that too.
  own.medium('b', 'source: {image: a.img}\ntarget: imaged\n')
  own.medium('z', 'source: {image: z.img}\ntarget: imaged\n')
  expect((await own.ntt('plan')).out).toContain('it is the same medium as b')
  expect((await own.ntt('audit')).code).toBe(2)
})
