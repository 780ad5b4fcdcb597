// Whoever read the output has left: a verb that makes something goes on to its end, one that only tells stops.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { olderInstallation } from '../support/older.ts'
import { ask, freshDatabase } from '../support/postgres.ts'
import { project, repository, sampleProject, scratch, type Project } from '../support/project.ts'

/** Ends with the exit code of ntt, whose stdout leads to nobody. */
function unheard(made: Project, database: string, ...args: readonly string[]): number | null {
  const script = '{ sleep 0.2; "$@"; echo $? >&2; } | true'
  const { stderr } = spawnSync('sh', ['-c', script, 'sh', join(repository, 'bin/ntt'), ...args], {
    cwd: made.folder,
    env: { ...process.env, CI: 'true', NTT_DB_URL: database },
    encoding: 'utf8',
  })
  return Number(stderr.trim().split('\n').at(-1))
}

test('import takes over every medium', async () => {
  const [older, ours] = [await freshDatabase('empty'), await freshDatabase()]
  const left = await olderInstallation(scratch(), older, [3, 0, 0], 5)
  expect(unheard(project(), ours, 'import', older, ...left.roots)).toBe(0)
  expect(await ask(ours, 'select count(*)::int4 as n from older')).toEqual([{ n: 3 }])
})

test('rebuild makes the whole catalogue again', async () => {
  const [lost, empty] = [await freshDatabase(), await freshDatabase()]
  const made = sampleProject(['floppy.img'], { database: lost })
  expect(await made.ntt('apply', '--yes')).toMatchObject({ code: 0 })
  expect(unheard(made, empty, 'rebuild', '--yes')).toBe(0)
  const copied = 'select count(*)::int4 as n from medium where copy_done is not null'
  expect(await ask(empty, copied)).toEqual([{ n: 1 }])
  expect(unheard(made, empty, 'status')).toBe(130)
})
