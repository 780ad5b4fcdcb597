// --json: every verb that prints a document prints one that its schema knows; and what happens when nobody reads it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { documentOf } from '../support/outs.ts'
import { freshDatabase } from '../support/postgres.ts'
import { repository, sampleProject, type Project } from '../support/project.ts'

let made: Project
let database: string
beforeAll(async () => {
  database = await freshDatabase()
  made = sampleProject(['floppy.img', 'disk.img'], { database })
  made.write('media.d/gone.yaml', 'source: {image: gone.img}\ntarget: archived\n')
  const ran = await made.ntt('apply', '--yes', 'floppy', '--target', 'copied')
  if (ran.code !== 0) throw new Error(ran.out + ran.err)
})

describe('a document', () => {
  test.each([
    ['plan', ['plan']],
    ['status', ['status']],
    ['why', ['why', 'floppy']],
    ['why', ['why', 'gone']],
    ['audit', ['audit']],
    ['validate', ['validate']],
    ['doctor', ['doctor']],
    ['runs', ['log', '--runs']],
  ])('of %s is as its schema says: %j', async (schema, verb) => {
    const { out } = await made.ntt(...verb, '--json')
    expect(documentOf(schema, out)).toBeTypeOf('object')
  })

  test('of demo is as its schema says, and the plan of what it names finds the faults', async () => {
    const embedded = sampleProject([])
    const { code, out } = await embedded.ntt('demo', 'made', '--json')
    const { folder, media } = documentOf('demo', out) as { folder: string; media: { planted: boolean }[] }
    expect([code, folder, media.filter(({ planted }) => planted).length]).toEqual([
      0,
      embedded.path('made'),
      3,
    ])
    expect((await embedded.ntt('-C', folder, 'plan')).code).toBe(3)
  })

  test('doctor tells a root of contents that is not the store that the database knows', async () => {
    const good = await made.ntt('doctor', '--json')
    const bad = await made.ntt('doctor', '--json', '--root', `by-hash=${made.path('elsewhere')}`)
    const store = ({ out }: { out: string }) =>
      (
        documentOf('doctor', out) as { findings: { name: string; condition: string; fix?: string }[] }
      ).findings
        .filter(({ name }) => name === 'store')
        .map(({ condition, fix }) => [condition, fix])
    expect(store(good)).toEqual([['good', undefined]])
    expect(store(bad)).toEqual([['problem', expect.stringContaining('Mount the right filesystem there')]])
    expect(bad.code).not.toBe(0)
  })

  test('a run or a medium that the log does not know is said to be none', async () => {
    for (const args of [['nosuch'], ['--run', 'nosuch'], ['--replay', 'nosuch']]) {
      const { code, err } = await made.ntt('log', ...args)
      expect([code, err]).toEqual([1, expect.stringMatching(/the event log tells nothing of (run )?nosuch/)])
    }
  })

  test('each line of the log is an event', async () => {
    const { code, out } = await made.ntt('log', '--json')
    expect(code).toBe(0)
    const lines = out.split('\n').filter((line) => line !== '')
    expect(lines.length).toBeGreaterThan(10)
    for (const line of lines) expect(documentOf('event', `${line}\n`)).toBeTypeOf('object')
  })
})

describe('when the reader of what is printed has left', () => {
  /** Exit code and stderr, with a stdout that is closed before the first word. */
  const unheard = async (...verb: readonly string[]): Promise<readonly [string, string]> => {
    const script = '{ sleep 0.3; "$@" 2> told; echo $? > code; } | true'
    execFileSync('bash', ['-c', script, 'bash', join(repository, 'bin/ntt'), ...verb], {
      cwd: made.folder,
      env: { ...process.env, NTT_DB_URL: database, CI: 'true' },
    })
    return [readFileSync(made.path('code'), 'utf8'), readFileSync(made.path('told'), 'utf8')]
  }

  test.each([[['plan']], [['log', '--json']], [['log', '--follow']]])(
    '%j ends, without a stack',
    async (verb) => {
      expect(await unheard(...verb)).toEqual(['130\n', ''])
    },
  )

  test('apply goes on, and the log has what it said', async () => {
    expect(await unheard('apply', '--yes', 'disk')).toEqual(['0\n', ''])
    expect(made.events().at(-1)).toMatchObject({ event: 'run_finished', exit_code: 0 })
    expect((await made.ntt('plan', 'disk')).code).toBe(0)
  })
})
