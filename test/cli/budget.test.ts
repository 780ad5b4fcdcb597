// Verification by a budget, through the real command: what is due, what is found, what is put off, and what cannot be looked at.
import { execFileSync as execute } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { documentOf } from '../support/outs.ts'
import { ask, freshDatabase } from '../support/postgres.ts'
import { sampleProject, type Project } from '../support/project.ts'

let database: string
let made: Project

const blobs = (): readonly string[] =>
  readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\/[0-9a-f]{64}$/.test(path),
  )

const readBack = async (): Promise<
  Record<'blobs' | 'products', Record<'all' | 'fresh' | 'never', number>>
> => {
  const { out } = await made.ntt('status', '--json')
  return (documentOf('status', out) as { read_back: Awaited<ReturnType<typeof readBack>> }).read_back
}

beforeAll(async () => {
  database = await freshDatabase()
  made = sampleProject(['floppy.img', 'disk.img', 'box7'], { database })
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

test('a budget is a time or a size, and for everything', async () => {
  for (const [args, told] of [
    [['--budget', 'ten'], 'a time or a size'],
    [['--budget', '10'], 'a time or a size'],
    [['--budget', '0s'], 'a time or a size'],
    [['--budget', '1h', '--max-age', 'old'], '--max-age takes a time'],
    [['floppy', '--budget', '1h'], 'for the whole installation'],
    [['--budget', '1h', '--depth', 'counts'], 'what is read by a budget is read whole'],
  ] as const) {
    const { code, err } = await made.ntt('verify', ...args)
    expect([code, err]).toEqual([1, expect.stringContaining(told)])
  }
})

test('small budgets, one after another, prove everything once and then nothing', async () => {
  const before = await readBack()
  expect(before.blobs.fresh).toBe(0)
  // As much as the largest content, so that nothing is put off.
  const budget = Math.max(60_000, ...blobs().map((path) => statSync(made.path('.ntt/by-hash', path)).size))
  let runs = 0
  for (;;) {
    const { code, out } = await made.ntt('verify', '--budget', `${budget}B`)
    expect([code, out]).toEqual([0, expect.stringContaining('Read back within 30 d')])
    runs += 1
    if (out.includes('Nothing was due') || runs > 20) break
  }
  const { blobs: contents, products } = await readBack()
  expect([contents.fresh, products.fresh]).toEqual([blobs().length, products.all])
  const proofs = await ask<{ stage: string; times: number }>(
    database,
    `select stage, count(*)::int4 as times from proof where depth = 'hash' and stage = 'enumerate' group by medium_hash, stage`,
  )
  expect(proofs.map(({ times }) => times)).toEqual([1, 1, 1])
  const read = made.events().filter((event) => event['event'] === 'store_read')
  expect(read.reduce((sum, event) => sum + Number(event['blobs']), 0)).toBe(blobs().length)
  expect(runs).toBeGreaterThan(2)
})

test('a content that is gone, cut, grown or altered is named with medium and path; the plan repairs it, and holds', async () => {
  const all = blobs().filter(
    (path) => !path.endsWith('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'),
  )
  const [gone = '', cut = '', altered = ''] = all
  for (const path of [gone, cut, altered]) chmodSync(made.path('.ntt/by-hash', path), 0o644)
  rmSync(made.path('.ntt/by-hash', gone))
  truncateSync(made.path('.ntt/by-hash', cut), 1)
  writeFileSync(made.path('.ntt/by-hash', altered), 'something else')
  const { code, out } = await made.ntt('verify', '--budget', '1GB', '--max-age', '0s')
  expect([code, out]).toEqual([3, expect.stringContaining('ntt plan shows what would mend it')])
  expect(out).toMatch(/store: [0-9a-f]{64} is not in the store \(of (floppy|disk|box7): \S+/)
  // What is not as it should be is not among the proven.
  expect(out).toContain(`${blobs().length - 2} contents, `)
  expect(out).toContain('; 3 contents are not as known; nothing else is due.')
  const audited = await made.ntt('audit')
  expect(audited.out).toContain('ntt verify finds the media that hold such contents; ntt plan then shows')
  // No plan announced these media: what was proven is told, and not how far they are.
  expect(out).toMatch(/= +floppy +\d products? /)
  expect(out).not.toContain('new ->')
  const told = made.events().filter((event) => event['event'] === 'store_bad')
  expect(told.map(({ blob, text }) => `${String(blob)} ${String(text)}`).toSorted()).toEqual(
    [
      expect.stringMatching(`${gone.slice(-64)} is not in the store`),
      expect.stringMatching(`${cut.slice(-64)} is not what its name says`),
      expect.stringMatching(`${altered.slice(-64)} is not what its name says`),
    ].toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
  )
  for (const { media, paths } of told) {
    expect((media as string[]).length).toBeGreaterThan(0)
    expect((paths as string[])[0]).toMatch(/^(floppy|disk|box7): ./)
  }
  // A look at counts does not hide what a look at every byte has found.
  await made.ntt('verify')
  expect((await made.ntt('plan')).code).toBe(3)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('verify', '--budget', '1GB', '--max-age', '0s')).code).toBe(0)
})

describe('what is too large for the budget', () => {
  const blob = `00${'7'.repeat(62)}`
  const file = () => made.path('.ntt/by-hash/00/77', blob)

  test('is put off and named, and holds up nothing else; a time that is over ends its reading', async () => {
    const bytes = 64 * 2 ** 30
    await ask(database, 'delete from swept')
    await ask(database, `insert into blob (blob_id, size) values (decode($1, 'hex'), $2)`, [blob, bytes])
    execute('mkdir', ['-p', made.path('.ntt/by-hash/00/77')])
    writeFileSync(file(), '')
    truncateSync(file(), bytes)
    try {
      for (const budget of ['1GB', '12s']) {
        await ask(database, 'delete from swept')
        const { code, out } = await made.ntt('verify', '--budget', budget)
        expect([code, out]).toEqual([
          0,
          expect.stringMatching(/Put off, it needs more than this budget: a content of 68,719,476,736 bytes/),
        ])
        const { blobs: contents } = await readBack()
        expect([budget, contents.all - contents.fresh]).toEqual([budget, 1])
      }
    } finally {
      await ask(database, `delete from blob where blob_id = decode($1, 'hex')`, [blob])
      rmSync(file())
    }
  })
})

test('another filesystem in the place of the store says nothing about the contents: unknown, and nothing is written down', async () => {
  await ask(database, 'delete from swept')
  const root = made.path('.ntt/by-hash')
  renameSync(root, `${root}-away`)
  execute('mkdir', [root])
  try {
    const { code, err, out } = await made.ntt('verify', '--budget', '1GB')
    expect([code, err + out]).toEqual([5, expect.stringContaining('has no marker')])
    expect(await ask(database, 'select * from swept where blobs > 0')).toEqual([])
  } finally {
    rmSync(root, { recursive: true })
    renameSync(`${root}-away`, root)
  }
  expect(existsSync(join(root, '.ntt-store'))).toBe(true)
})

test('another disc in the drive of a medium that was never read contradicts nothing: what a person would do is told', async () => {
  const own = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  execute('mkfs.vfat', ['-C', '-n', 'HOLIDAY_98', own.path('drive'), '1440'])
  own.medium('ceh', 'source:\n  device: ../drive\ntarget: copied\nexpect:\n  volume: CEH_005\n')
  for (const args of [['--budget', '1GB'], []]) {
    const { code, out } = await own.ntt('verify', ...args)
    const text = out.replaceAll(/\s+/g, ' ')
    expect([code, text]).toEqual([
      2,
      expect.stringContaining(
        `put ceh into ${own.path('drive')} and run \`ntt apply ceh\` next: ntt apply ceh`,
      ),
    ])
    expect(text).not.toContain('not as it was proven')
  }
})

test('what the proof of some media reads of the store is not said to be never read: the ledger has not counted it', async () => {
  const own = sampleProject(['floppy.img', 'box7'], { database: await freshDatabase() })
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  expect((await own.ntt('verify', 'box7', '--depth', 'hash')).code).toBe(0)
  const { out } = await own.ntt('status')
  const text = out.replaceAll(/\s+/g, ' ')
  expect(text).toMatch(
    /Read back within 30 d: 0\.0 % of \d+ contents \(in budgets, or with all media\), \d+ of \d+ products;/,
  )
  expect(text).toMatch(/\d+ contents in none of these yet/)
  expect(text).not.toMatch(/never \d+ contents/)
})
