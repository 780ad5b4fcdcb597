// ntt demo by the real command: every planted fault is found by looking, and what can be converged is.
import { mkdirSync, readFileSync, readdirSync, appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { project, treeDigest } from '../support/project.ts'

test(
  'plan finds every planted fault, apply converges the rest, and a policy lists what is lost',
  { timeout: 400_000 },
  async () => {
    const at = project()
    const made = await at.ntt('demo', 'demo')
    expect(made).toMatchObject({ code: 0, err: '' })
    expect(made.out).toMatch(/^ {4}ntt -C demo plan$/m)

    const before = await at.ntt('-C', 'demo', 'plan')
    expect(before.code).toBe(3)
    expect(before.out).toContain('6,144 bytes unread')
    expect(before.out).toContain('the volume label is HOLIDAY_98, declared CEH_005')
    expect(before.out).toMatch(/! the database claims copy_done/)
    expect(before.out).toMatch(/! {2}\+ {2}copy +nothing is copied/)

    const applied = await at.ntt('-C', 'demo', 'apply', '--yes')
    expect(applied.code).toBe(4)
    for (const name of ['ceh-001', 'ceh-002', 'ceh-003', 'ceh-006'])
      expect(applied.out).toMatch(new RegExp(`= {2}${name} +new -> archived`))
    for (const name of ['ceh-004', 'ceh-005']) expect(applied.out).toMatch(new RegExp(`x {2}${name} +image`))
    expect(applied.out).toContain('4 converged, 2 need you.')

    appendFileSync(at.path('demo/media.d/ceh-004.yaml'), 'policy: {rescued: 99%, unreadable_files: accept}\n')
    const accepted = await at.ntt('-C', 'demo', 'apply', '--yes', 'ceh-004')
    expect(accepted.code).toBe(0)
    expect(accepted.out).toMatch(/2 files lost[^\n]*\n +report\.txt\n +software\/ntt\/LICENSE\n/)
    expect((await at.ntt('-C', 'demo', 'plan')).code).toBe(2)
  },
)

test('a folder that cannot be made ends it at once, with the reason', async () => {
  const at = project()
  const made = await at.ntt('demo', '/proc/nowhere')
  expect([made.code, made.err]).toEqual([4, expect.stringContaining('/proc/nowhere')])
})

test('a folder that is not empty, and a database of somebody else’s, are left alone', async () => {
  const at = project()
  mkdirSync(at.path('full'))
  writeFileSync(at.path('full/letter'), 'dear')
  const before = treeDigest(at.folder)
  expect(await at.ntt('demo', 'full')).toMatchObject({ code: 1 })
  at.env('NTT_DB_URL', 'postgres://nobody@127.0.0.1:1/none')
  const refused = await at.ntt('demo', 'demo')
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toContain('unset NTT_DB_URL')
  expect(treeDigest(at.folder)).toBe(before)
  expect(readFileSync(join(at.folder, 'full/letter'), 'utf8')).toBe('dear')
  expect(readdirSync(at.folder)).not.toContain('demo')
})

test('a medium is added beside a file that is wrong', async () => {
  const at = project()
  at.medium('wrong', 'sauce: {}\n')
  writeFileSync(at.path('disc.img'), 'x'.repeat(4096))
  expect(await at.ntt('add', 'disc.img', '--kind', 'floppy')).toMatchObject({ code: 0, err: '' })
  expect(await at.ntt('validate')).toMatchObject({ code: 1 })
})
