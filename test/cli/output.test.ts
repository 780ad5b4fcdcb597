// Output that cannot be written: who only looks ends with a sentence, who makes something goes on. And a bug, with the place where it is.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { repository, sampleProject } from '../support/project.ts'

test('a full disk below stdout is told in one line, without a stack; a verification goes on and is recorded', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const toFull = (verb: string): readonly [number | null, string] => {
    const ran = spawnSync('sh', ['-c', `exec "$0" ${verb} >/dev/full`, join(repository, 'bin/ntt')], {
      cwd: made.folder,
      env: { PATH: process.env['PATH'], NTT_DB_URL: database, CI: 'true' },
      encoding: 'utf8',
    })
    return [ran.status, ran.stderr]
  }
  for (const verb of ['plan', 'status', 'audit'])
    expect(toFull(verb)).toEqual([1, 'error: the output cannot be written: ENOSPC\n'])
  const [code, said] = toFull('verify')
  expect([code, said]).toEqual([0, expect.stringMatching(/^error: .*ENOSPC; the work goes on.*\n$/)])
  const log = await made.ntt('log', '--runs')
  expect(log.out).not.toContain('no end told')
})

test('a bug is told with the lines of the source that it came by', async () => {
  const made = sampleProject(['floppy.img'])
  const saboteur = made.write(
    'saboteur.mjs',
    `const { toSorted } = Array.prototype
     Array.prototype.toSorted = function (...args) {
       if (new Error().stack.includes('readConfig')) throw new TypeError('a sabotaged sort')
       return toSorted.apply(this, args)
     }`,
  )
  made.env('NODE_OPTIONS', `--import ${saboteur}`)
  const { code, err } = await made.ntt('plan')
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(
      /this is a bug in ntt[^]*a sabotaged sort\n[^]* at readConfig \(\S*\/src\/config\.ts:\d+:\d+\)\n/,
    ),
  ])
})
