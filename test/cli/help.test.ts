// ntt help: a manual that names everything there is, and examples that work as typed in a fresh clone.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { variables } from '../../src/config.ts'
import { exitCodes } from '../../src/model/errors.ts'
import { repository, scratch } from '../support/project.ts'

const ntt = (...args: readonly string[]) =>
  spawnSync(join(repository, 'bin/ntt'), args, { encoding: 'utf8', env: { ...process.env, CI: 'true' } })

const manual = ntt('help').stdout
/** Names in the first column of the groups of verbs. */
const verbs = [...manual.matchAll(/^ {2}([a-z]+) (?:\[|<| {2,})/gm)].map(([, name]) => name ?? '')

test('the manual names every verb, exit code and variable, within 85 columns', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8')
  const told = [...readme.matchAll(/^\| `ntt ([a-z]+)/gm)].map(([, name]) => name ?? '')
  expect(told.length).toBeGreaterThan(10)
  expect(told.filter((name) => !verbs.includes(name))).toEqual([])
  for (const [code, meaning] of Object.entries(exitCodes))
    expect(manual).toMatch(new RegExp(`^ {2}${code} +${meaning.slice(0, 20).replaceAll(/[()]/g, '.')}`, 'm'))
  for (const variable of Object.keys(variables)) expect(manual).toContain(variable)
  expect(manual.split('\n').filter((line) => line.length > 85)).toEqual([])
})

test('help about a verb that is none says so, and what may have been meant', () => {
  const { status, stderr } = ntt('help', 'plam')
  expect(status).toBe(1)
  expect(stderr).toMatch(/unknown command 'plam'\n\(Did you mean plan\?\)/)
})

test(
  'each verb has an example, and each example works as typed in a fresh clone',
  { timeout: 600_000 },
  () => {
    const clone = scratch()
    mkdirSync(join(clone, 'bin'))
    symlinkSync(join(repository, 'bin/ntt'), join(clone, 'bin/ntt'))
    cpSync(join(repository, 'media.d'), join(clone, 'media.d'), { recursive: true })
    cpSync(join(repository, 'test/images'), join(clone, 'test/images'), { recursive: true })
    const env = {
      ...process.env,
      CI: 'true',
      PATH: `${join(clone, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
    }
    // As npm start leaves it.
    execFileSync('ntt', ['apply', '--yes'], { cwd: clone, env })
    for (const verb of verbs.filter((name) => name !== 'help')) {
      const text = ntt('help', verb).stdout.replaceAll('\\\n', ' ')
      const typed = (/^Examples?:\n([^]*?)^Exit codes/m.exec(text)?.[1] ?? '')
        .split('\n')
        .filter((line) => line.startsWith('  '))
      expect([verb, typed.length > 0]).toEqual([verb, true])
      // One needs the database of the older pipeline, the other one that is gone: their own tests have them.
      if (verb === 'import' || verb === 'rebuild') continue
      for (const line of typed) {
        // What goes on until ^C gets one.
        const asked = line.includes('--follow') ? `timeout --signal=INT 3 ${line.trim()}` : line.trim()
        const ran = spawnSync('bash', ['-c', asked], { cwd: clone, env, encoding: 'utf8' })
        const wanted = line.includes('--follow') ? [0, 124, 130] : [0]
        expect([line, wanted.includes(ran.status ?? -1)], ran.stdout + ran.stderr).toEqual([line, true])
      }
    }
  },
)
