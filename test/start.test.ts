// npm start on the real script: the samples converge, and a signal is ntt's to answer.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { repository, scratch } from './support/project.ts'

/** The script on this repository's own media, with everything that it makes elsewhere. */
async function start(path = '') {
  const folder = scratch()
  const database = await freshDatabase()
  const child = spawn('sh', [join(repository, 'scripts/start.sh')], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${path}:${process.env['PATH'] ?? ''}`,
      CI: 'true',
      NTT_DB_URL: database,
      NTT_STATE_ROOT: join(folder, 'state'),
      NTT_LOG_ROOT: join(folder, 'log'),
      NTT_IMAGE_ROOT: join(folder, 'img'),
      NTT_RAW_ROOT: join(folder, 'raw'),
      NTT_BY_HASH_ROOT: join(folder, 'by-hash'),
      NTT_IMAGES_ROOT: join(folder, 'archive'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const printed = Promise.withResolvers<void>()
  const hear = (chunk: Buffer): void => {
    said += chunk.toString()
    if (/enumerate +starts/.test(said)) printed.resolve()
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = new Promise<{ code: number | null; said: string }>((resolve) => {
    child.on('close', (code) => {
      resolve({ code, said })
    })
  })
  return { child, ended, working: printed.promise, database }
}

test('the four samples converge, and it ends with what to try next', async () => {
  const { ended, database } = await start()
  const { code, said } = await ended
  expect([code, said]).toEqual([0, expect.stringContaining('4 converged')])
  expect(said.trimEnd().split('\n').at(-1)).toContain('bin/ntt demo')
  expect(await ask(database, 'select count(*)::int4 as n from medium where copy_done is not null')).toEqual([
    { n: 4 },
  ])
})

test.each(['SIGTERM', 'SIGHUP'] as const)(
  '%s is handed on: ntt ends its step, and the script says what ntt said',
  async (signal) => {
    const slow = scratch()
    mkdirSync(slow, { recursive: true })
    writeFileSync(join(slow, 'blkid'), '#!/bin/sh\nsleep 3\nexit 1\n', { mode: 0o755 })
    const { child, ended, working, database } = await start(slow)
    await working
    child.kill(signal)
    const { code, said } = await ended
    expect([code, said]).toEqual([130, expect.stringContaining('stopping')])
    expect(said).not.toContain('bin/ntt demo')
    // Nobody is left: the database has no session of a run, and the run has its end.
    expect(await ask(database, 'select exit_code from run')).toEqual([{ exit_code: 130 }])
  },
)
