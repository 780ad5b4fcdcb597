// Media that only media.d, only the database or only the archives know: audit, plan and status tell them, with the way out.
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { strangers } from '../../src/model/declared.ts'
import { freshDatabase } from '../support/postgres.ts'
import { repository, sampleProject, type Project } from '../support/project.ts'
import { openTerminal } from '../support/terminal.ts'

let made: Project
let database: string

beforeAll(async () => {
  database = await freshDatabase()
  made = sampleProject(['floppy.img'], { database })
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

const findings = async (): Promise<unknown> => {
  const { code, out } = await made.ntt('audit', '--json')
  const found = JSON.parse(out) as { code: string; medium: string | null }[]
  return [code, found.map((one) => [one.code, one.medium])]
}

test('media are strangers by their identity where it is known, else by their name', () => {
  const told = strangers(
    [
      { name: 'same', hash: 'a' },
      { name: 'renamed', hash: 'b' },
      { name: 'away', hash: null },
      { name: 'new', hash: 'd' },
      { name: 'taken', hash: 'e' },
    ],
    [
      { name: 'same', hash: 'a' },
      { name: 'old name', hash: 'b' },
      { name: 'away', hash: 'c' },
      { name: 'taken', hash: 'f' },
      { name: null, hash: 'g' },
    ],
  )
  expect(told.unmet.map(({ name }) => name)).toEqual(['new', 'taken'])
  expect(told.undeclared.map(({ hash }) => hash)).toEqual(['f', 'g'])
})

test('audit tells what is declared and was never met, and does not mind another name of the same medium', async () => {
  expect(await findings()).toEqual([0, []])
  renameSync(made.path('media.d/floppy.yaml'), made.path('media.d/renamed.yaml'))
  expect(await findings()).toEqual([0, []])
  renameSync(made.path('media.d/renamed.yaml'), made.path('media.d/floppy.yaml'))
  mkdirSync(made.path('media.d/box'))
  made.medium('box', 'source: {directory: box}\n')
  expect(await findings()).toEqual([2, [['not-met', 'box']]])
  expect((await made.ntt('audit')).out).toContain('media.d/box.yaml declares it')
  rmSync(made.path('media.d/box.yaml'))
})

test('what is known and declared no longer is told by plan, status, verify and audit, unless one medium was asked about', async () => {
  const file = made.path('media.d/floppy.yaml')
  renameSync(file, made.path('away.yaml'))
  try {
    for (const verb of ['plan', 'status', 'apply', 'verify', 'verify --budget 1GB']) {
      const { code, out } = await made.ntt(...verb.split(' '))
      expect([verb, code, out]).toEqual([
        verb,
        0,
        expect.stringMatching(
          /1 medium of the database is declared by no file of media\.d.*: floppy\.\n.*ntt add SOURCE --name NAME/,
        ),
      ])
    }
    expect(await findings()).toEqual([2, [['undeclared', 'floppy']]])
    made.medium('box', 'source: {directory: box}\n')
    made.medium('disc', 'source: {image: disc.iso}\n')
    expect((await made.ntt('plan')).out).toContain('declared by no file')
    expect((await made.ntt('plan', 'box')).out).not.toContain('declared by no file')
    rmSync(made.path('media.d/box.yaml'))
    rmSync(made.path('media.d/disc.yaml'))
  } finally {
    renameSync(made.path('away.yaml'), file)
  }
})

test('a medium that is to be loaded and no further is complete for audit as it is for plan', async () => {
  const own = sampleProject(['floppy.img'], { database: await freshDatabase() })
  own.medium('floppy', 'source: {image: floppy.img}\ntarget: loaded\n')
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  for (const verb of ['plan', 'audit']) expect([verb, (await own.ntt(verb)).code]).toEqual([verb, 0])
  own.medium('floppy', 'source: {image: floppy.img}\n')
  expect((await own.ntt('audit')).code).toBe(2)
})

test('archives that nobody knows are told with the rebuild, which changes nothing before somebody says yes', async () => {
  made.env('NTT_DB_URL', await freshDatabase())
  renameSync(made.path('media.d/floppy.yaml'), made.path('away.yaml'))
  const before = readdirSync(made.path('.ntt/log'))
  expect((await made.ntt('plan')).out).toMatch(
    /1 archive is there, of media that neither[^]*\n {4}ntt rebuild\n/,
  )
  const { code, err } = await made.ntt('rebuild')
  expect([code, err]).toEqual([1, expect.stringContaining('ntt rebuild --yes')])
  const env = { NTT_DB_URL: await freshDatabase() }
  await using terminal = openTerminal(`${repository}/bin/ntt`, ['-C', made.folder, 'rebuild'], {
    env,
    columns: 140,
  })
  await terminal.until('Only yes is taken for yes:')
  expect(terminal.screen().join('\n')).toContain('floppy: its file was lost')
  terminal.type('no\r')
  expect((await terminal.ended).exitCode).toBe(2)
  expect([readdirSync(made.path('.ntt/log')), readdirSync(made.path('media.d'))]).toEqual([
    before,
    ['box', 'floppy.img'],
  ])
  expect((await made.ntt('plan')).out).toContain('ntt rebuild')
  expect((await made.ntt('rebuild', '--yes')).code).toBe(0)
  expect(readdirSync(made.path('media.d'))).toContain('floppy.yaml')
})

test('the question of apply leaves stdout to the documents', async () => {
  made.medium('box', 'source: {directory: box}\n')
  const script = `${repository}/bin/ntt -C ${made.folder} apply --json box >${made.path('out.json')}`
  await using terminal = openTerminal('sh', ['-c', script], { env: { NTT_DB_URL: database }, columns: 140 })
  await terminal.until('Only yes is taken for yes:')
  expect(terminal.screen().join('\n')).toMatch(/box .*directory/)
  terminal.type('yes\r')
  expect((await terminal.ended).exitCode).toBe(0)
  const lines = readFileSync(made.path('out.json'), 'utf8').trim().split('\n')
  expect(lines.map((line) => typeof JSON.parse(line))).toEqual(lines.map(() => 'object'))
})
