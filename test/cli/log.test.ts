// ntt log: the runs that there were, and no more lines than people read, unless they ask for all.
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { repository, sampleProject, type Project } from '../support/project.ts'

let made: Project
const log = (): string => made.path('.ntt/log/events.jsonl')

beforeAll(async () => {
  made = sampleProject(['floppy.img', 'disk.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes', 'floppy')).code).toBe(0)
  expect((await made.ntt('verify', 'floppy')).code).toBe(0)
})

const runs = (): readonly string[] => [...new Set(made.events().map(({ run }) => String(run)))]

test('the runs are listed with what was typed and how they ended; of one medium those that tell of it', async () => {
  const { code, out } = await made.ntt('log', '--runs')
  const [first = '', second = ''] = runs()
  expect([code, out.split('\n').slice(0, 3)]).toEqual([
    0,
    [
      expect.stringMatching(/^run +started \(UTC\) +took +ended \(exit code\) +typed$/),
      expect.stringMatching(new RegExp(`^${first}  .* 0 \\(1 well\\) +ntt apply --yes floppy$`)),
      expect.stringMatching(new RegExp(`^${second}  .* 0 \\(1 well\\) +ntt verify floppy$`)),
    ],
  ])
  expect(out).toContain(`ntt log --run ${second}`)
  const of = async (medium: string) => JSON.parse((await made.ntt('log', medium, '--runs', '--json')).out)
  expect([await of('floppy'), await of('disk')]).toMatchObject([[{ run: first }, { run: second }], []])
})

test('a run without an end is told as such, and of many runs and lines the last', async () => {
  const lines = readFileSync(log(), 'utf8').split('\n')
  const started = lines.find((line) => line.includes('"run_started"')) ?? ''
  const [run = ''] = runs()
  for (let count = 0; count < 300; count += 1)
    appendFileSync(log(), `${started.replaceAll(run, `20260101-000000-${String(count).padStart(6, '0')}`)}\n`)
  const listed = (await made.ntt('log', '--runs')).out
  expect(listed).toMatch(/^282 older runs: --all shows them\n/)
  expect(listed).toMatch(/20260101-000000-000299 .* no end told/)
  expect((await made.ntt('log', '--runs', '--all')).out).toContain(run)
  const short = (await made.ntt('log')).out.trim().split('\n')
  const [, left = ''] = /^([0-9,]+) lines before: ntt log --all shows them$/.exec(short[0] ?? '') ?? []
  const whole = (await made.ntt('log', '--all')).out.trim().split('\n')
  expect(short).toHaveLength(201)
  expect(Number(left.replace(',', ''))).toBe(whole.length - 200)
  expect(short.slice(1)).toEqual(whole.slice(-200))
  expect((await made.ntt('log', '--json')).out.trim().split('\n')).toHaveLength(made.events().length)
})

test('whoever follows what nothing tells of yet is told so, and does not wait in silence', () => {
  const args = ['-s', 'INT', '4', `${repository}/bin/ntt`, '-C', made.folder, 'log', '--follow', 'flopy']
  const { stdout, stderr } = spawnSync('timeout', args, { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['', expect.stringContaining('nothing of flopy yet')])
})

test('a folder in the place of the log is told as that: who only looks at media goes on, nothing is begun', async () => {
  renameSync(log(), `${log()}.aside`)
  mkdirSync(log())
  for (const [exit, ...words] of [
    [5, 'log'],
    [5, 'log', '--runs'],
    [5, 'log', '--all'],
    [5, 'verify', '--log'],
    [4, 'verify'],
    [4, 'apply', '--yes'],
  ] as const) {
    const { code, err } = await made.ntt(...words)
    expect([words, code, err.replaceAll(/\s+/g, ' ')]).toEqual([
      words,
      exit,
      expect.stringContaining(`${log()} is a folder, and the event log is a file Move it away`),
    ])
  }
  expect((await made.ntt('plan', 'floppy')).code).toBe(0)
  const { code, out } = await made.ntt('doctor')
  expect([code, out]).toEqual([2, expect.stringContaining(`${log()} is no file`)])
  rmdirSync(log())
  const folder = made.path('.ntt/log')
  renameSync(folder, `${folder}.aside`)
  writeFileSync(folder, '')
  const refused = await made.ntt('verify')
  expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('move it away')])
})
