// What a look at media cannot see is told beside it: who works on one just now, and what failed when it was last tried.
import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/ports/postgres.ts'
import { freshDatabase } from '../support/postgres.ts'
import { sampleProject } from '../support/project.ts'

const hash = 'f232a107347b651c3f9f799c3d012ae8'

test('plan and status tell which step failed when it was last tried, until it is done', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  mkdirSync(made.path('liars'))
  const liar = made.path('liars/zstd')
  writeFileSync(liar, '#!/bin/sh\necho no >&2\nexit 9\n', { mode: 0o755 })
  made.programs(made.path('liars'))
  expect((await made.ntt('apply', '--yes')).code).toBe(5)
  const sentence =
    /floppy archive failed when it was last tried, \S+ \S+ UTC: zstd ended with 9: no\. ntt log floppy/
  expect((await made.ntt('plan')).out).toMatch(sentence)
  expect((await made.ntt('status')).out).toMatch(sentence)
  writeFileSync(liar, '#!/bin/sh\nexec /usr/bin/zstd "$@"\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('status')).out).not.toContain('last tried')
})

test('a medium that another run holds is told as half made, by its lock and not by what is written of it', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  const other = await openDatabase({ where: database, run: 'test' })
  const lock = await other.session('other')
  try {
    const lease = `insert into lease (medium_hash, epoch, run, host, pid, since) values ($1, 1, 'r9', 'vault', 12, now())`
    await lock.query(lease, [hash])
    expect((await made.ntt('plan')).out).not.toContain('half made')
    await lock.query('select pg_advisory_lock(hashtextextended($1, 0))', [hash])
    for (const verb of ['plan', 'status'])
      expect((await made.ntt(verb)).out).toContain(
        'Worked on just now, so that what is told above of it is half made: floppy (run r9 on vault, pid 12).',
      )
  } finally {
    await lock.end()
    await other.close()
  }
})
