// From media.d to converged, with the real command, real programs and a real database; and what happens when it is disturbed.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../src/ports/postgres.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import {
  project,
  repository,
  sampleImages,
  sampleProject,
  treeDigest,
  type Project,
} from './support/project.ts'
import { openTerminal } from './support/terminal.ts'

const samples = readdirSync(sampleImages).filter((name) => !name.endsWith('.md'))

/** Digest over every row of every table of ntt. */
async function databaseDigest(url: string): Promise<string> {
  const tables = await ask<{ name: string }>(
    url,
    "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1",
  )
  const hash = createHash('sha256')
  for (const { name } of tables) {
    const [row] = await ask<{ digest: string }>(
      url,
      `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as digest from ${name} t`,
    )
    hash.update(`${name} ${row?.digest}\n`)
  }
  return hash.digest('hex')
}

/** Longer than any test, and a number that no other test on this machine sleeps by: what of it is left running is ours. */
const forever = (base: number): string => `${base}.${process.pid}`
const sleeping = (seconds: string): string =>
  execFileSync('sh', ['-c', `pgrep -f '^sleep ${seconds}$' || true`]).toString()

/** A program that waits before it does what it should: time to look at a run in the middle. */
function sleeper(made: Project, program: string, seconds: number | string): void {
  const real = execFileSync('sh', ['-c', `command -v ${program}`])
    .toString()
    .trim()
  const folder = made.path('sleepers')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, program), `#!/bin/sh\nsleep ${seconds}\nexec ${real} "$@"\n`, { mode: 0o755 })
  made.programs(folder)
}

/** The program that ntt itself has started never ends, and has no children: those of a program outlive the kill of who started it. */
function hanging(made: Project, program: string, seconds: string): void {
  sleeper(made, program, seconds)
  writeFileSync(made.path(`sleepers/${program}`), `#!/bin/sh\nexec sleep ${seconds}\n`)
}

const steps = (made: Project): readonly string[] =>
  made
    .events()
    .map((event) => String(event['event']))
    .filter((name) => /_(start|success|error)$/.test(name))

describe('the sample media on the embedded database', () => {
  let made: Project
  beforeAll(async () => {
    made = sampleProject(samples)
    const ran = await made.ntt('apply', '--yes')
    if (ran.code !== 0) throw new Error(ran.out + ran.err)
  })

  test('the second plan is empty and ends with 0', async () => {
    const { code, out } = await made.ntt('plan')
    expect([code, out]).toEqual([0, expect.stringContaining('No changes')])
  })

  test('a second apply runs no step and writes nothing', async () => {
    const before = { tree: treeDigest(made.folder, ['.ntt/postgres', '.ntt/log']), steps: steps(made).length }
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect({
      tree: treeDigest(made.folder, ['.ntt/postgres', '.ntt/log']),
      steps: steps(made).length,
    }).toEqual(before)
  })

  test('status, why, verify and audit agree that all is well', async () => {
    expect((await made.ntt('status')).code).toBe(0)
    expect((await made.ntt('why', 'ceh-report')).code).toBe(0)
    expect((await made.ntt('verify')).code).toBe(0)
    // What status tells of the proofs is what plan tells of them.
    const known = async () => {
      const [, counted] = / (hash|counts), /.exec((await made.ntt('status')).out) ?? []
      return [counted, /proofs at depth (\w+)/.exec((await made.ntt('plan')).out)?.[1]]
    }
    expect(await known()).toEqual(['counts', 'counts'])
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
    expect(await known()).toEqual(['hash', 'hash'])
    const audited = await made.ntt('audit')
    expect([audited.code, audited.out]).toEqual([0, expect.stringContaining('agree')])
  })

  test('verify at depth hash reads every byte, and finds one that is flipped', async () => {
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
    const [blob] = execFileSync('find', [
      made.path('.ntt/by-hash'),
      '-type',
      'f',
      '-size',
      '+1k',
      '-name',
      '?'.repeat(64),
    ])
      .toString()
      .split('\n')
    const path = String(blob)
    chmodSync(path, 0o644)
    execFileSync('sh', ['-c', `printf X | dd of=${path} bs=1 seek=100 conv=notrunc status=none`])
    const { code, out } = await made.ntt('verify', '--depth', 'hash')
    expect([code, out]).toEqual([
      3,
      expect.stringContaining('contents not what their name says: expected 0, found 1'),
    ])
    // Repair is an ordinary step: the content is copied again from the image.
    expect((await made.ntt('plan')).code).toBe(3)
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  })
})

test('audit finds no fault with a medium that is to be enumerated only, and names a listing that nobody knows', async () => {
  const database = await freshDatabase()
  const made = sampleProject(['floppy.img'], { database })
  expect((await made.ntt('apply', '--yes', '--target', 'enumerated')).code).toBe(0)
  const codes = async () => {
    const ran = await made.ntt('audit', '--json')
    return [ran.code, (JSON.parse(ran.out) as { code: string }[]).map(({ code }) => code)]
  }
  // Declared to be archived, it was not loaded: that is something to do.
  expect(await codes()).toEqual([2, ['never-loaded']])
  const declared = readFileSync(made.path('media.d', 'floppy.yaml'), 'utf8')
  made.medium('floppy', declared.replace(/^target:.*$/m, 'target: enumerated'))
  expect(await codes()).toEqual([0, []])
  writeFileSync(made.path('.ntt', 'raw', `${'0'.repeat(32)}.raw`), '')
  expect(await codes()).toEqual([2, ['orphan-raw']])
})

test('audit does not agree over what verify found to be rotten, until it is mended', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const codes = async () => {
    const ran = await made.ntt('audit', '--json')
    return [ran.code, (JSON.parse(ran.out) as { code: string }[]).map(({ code }) => code)]
  }
  const store = made.path('.ntt', 'by-hash')
  const blob = readdirSync(store, { recursive: true, encoding: 'utf8' }).find(
    (name) => /[0-9a-f]{64}$/.test(name) && statSync(join(store, name)).size > 10,
  )
  const rotten = join(store, blob ?? 'none')
  const bytes = readFileSync(rotten)
  bytes[3] = (bytes[3] ?? 0) ^ 1
  chmodSync(rotten, 0o644)
  writeFileSync(rotten, bytes)
  chmodSync(rotten, 0o444)
  // Names and sizes are right; nobody has read it yet.
  expect(await codes()).toEqual([0, []])
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(3)
  expect(await codes()).toEqual([3, ['failed-proof']])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  // What was put aside is kept, and is no finding.
  expect(await codes()).toEqual([0, []])
  // Something that only calls itself so is one.
  writeFileSync(join(rotten, '..', 'letter.aside-1'), '')
  expect(await codes()).toEqual([2, ['orphan-blob']])
  // Neither this one nor a mode is mended by a plan, and none is promised.
  chmodSync(rotten, 0o666)
  expect((await made.ntt('audit')).out).toMatch(/\n2 findings\.\n$/)
})

test('a content that failed, of a medium that is declared to stop lower, is told by each plan with the way out', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const store = made.path('.ntt', 'by-hash')
  const names = readdirSync(store, { recursive: true, encoding: 'utf8' })
  const blob = names.find((name) => /[0-9a-f]{64}$/.test(name) && statSync(join(store, name)).size > 10)
  const path = join(store, blob ?? 'none')
  const good = readFileSync(path)
  chmodSync(path, 0o644)
  writeFileSync(path, Buffer.concat([Buffer.from('?'), good.subarray(1)]))
  expect((await made.ntt('verify', '--budget', '1GB', '--max-age', '0s')).code).toBe(3)
  const { code, out } = await made.ntt('losses')
  expect([code, out]).toEqual([5, expect.stringMatching(/\nfloppy {2}it is not known whether/)])
  const file = made.path('media.d/floppy.yaml')
  const declared = readFileSync(file, 'utf8')
  writeFileSync(file, `${declared.replace(/^target:.*\n/m, '')}target: loaded\n`)
  const plan = await made.ntt('plan')
  expect([plan.code, plan.out]).toEqual([
    0,
    expect.stringMatching(/floppy copy failed its last verification/),
  ])
  // Somebody puts the good one back: the way that is told clears it.
  writeFileSync(path, good)
  expect((await made.ntt('verify', '--budget', '1GB', '--max-age', '0s')).code).toBe(3)
  expect((await made.ntt('why', (blob ?? '').slice(-64))).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash', 'floppy')).code).toBe(0)
  expect((await made.ntt('plan')).out).not.toContain('failed its last verification')
})

test('apply asks so that it can be read; what is not yes does nothing, and is no interruption', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  for (const [answer, code, told] of [
    ['no\r', 2, 'Nothing was done'],
    ['\u0003', 130, 'interrupted'],
    ['yes\r', 0, '1 converged'],
  ] as const) {
    await using terminal = openTerminal(join(repository, 'bin', 'ntt'), ['apply', '--plain'], {
      cwd: made.folder,
    })
    await terminal.until('Do this? Only yes is taken for yes:')
    terminal.type(answer)
    expect((await terminal.ended).exitCode).toBe(code)
    expect(terminal.mainScreen().join('\n')).toContain(told)
  }
})

describe('plan looks and does not touch', () => {
  test('in a fresh project it makes nothing at all', async () => {
    const made = sampleProject(['floppy.img'])
    const before = treeDigest(made.folder)
    const { code, out } = await made.ntt('plan')
    expect([code, out]).toEqual([2, expect.stringContaining('Nothing was written')])
    expect(treeDigest(made.folder)).toBe(before)
  })

  test('over converged media neither trees nor database change by it', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img', 'disk.img'], { database })
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    const before = [treeDigest(made.folder), await databaseDigest(database)]
    for (const verb of [['plan'], ['status'], ['why', 'floppy'], ['audit'], ['plan', '--json']])
      await made.ntt(...verb)
    expect([treeDigest(made.folder), await databaseDigest(database)]).toEqual(before)
  })

  test('it needs no right to write: a role that may only read is enough', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    const role = `reader_${process.pid}`
    await ask(database, `create role ${role} login`)
    await ask(database, `grant pg_read_all_data to ${role}`)
    const { code, err } = await made.ntt('plan', '--db', database.replace(/\/\/[^@]+@/, `//${role}@`))
    expect([code, err]).toEqual([0, ''])
  })
})

describe('a saved plan', () => {
  test('is carried out as it was shown', async () => {
    const made = sampleProject(['floppy.img'])
    expect((await made.ntt('plan', '--target', 'loaded', '--out', 'floppy.plan')).code).toBe(2)
    expect((await made.ntt('apply', './floppy.plan')).code).toBe(0)
    expect(existsSync(made.path('.ntt/by-hash'))).toBe(false)
    expect((await made.ntt('plan', '--target', 'loaded')).code).toBe(0)
  })

  test('is refused with the fact that moved, and nothing is done', async () => {
    const made = sampleProject(['floppy.img'])
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    const raw = readdirSync(made.path('.ntt/raw')).find((name) => name.endsWith('.raw')) ?? ''
    rmSync(made.path('.ntt/raw', raw))
    await made.ntt('plan', '--out', 'p.plan')
    utimesSync(made.path('media.d/floppy.img'), new Date(0), new Date(0))
    const { code, err } = await made.ntt('apply', './p.plan')
    expect([code, err]).toEqual([6, expect.stringContaining('floppy image')])
    expect(existsSync(made.path('.ntt/raw', raw))).toBe(false)
  })
})

describe('one medium does not stop another', () => {
  test('the healthy ones converge, the broken one is named with the next command, and the exit code is 4 or more', async () => {
    const made = sampleProject(['floppy.img', 'disk.img'])
    writeFileSync(made.path('media.d/broken.img'), Buffer.alloc(100_000, 'not a filesystem '))
    made.medium('broken', 'source: {image: broken.img}\ntarget: archived\n')
    const { code, out } = await made.ntt('apply', '--yes')
    expect([3, 4]).toContain(code)
    expect(out).toMatch(/broken +enumerate/)
    const planned = JSON.parse((await made.ntt('plan', '--json')).out)
    const met = planned.lanes.filter((lane: { steps: { action: string }[] }) =>
      lane.steps.every(({ action }) => action === 'keep'),
    )
    expect(met.map(({ medium }: { medium: string }) => medium)).toEqual(['disk', 'floppy'])
  })
})

describe('interrupted', () => {
  test('^C once stops after the running step with 130, and the next apply converges', async () => {
    const made = sampleProject(['ceh-report.iso'])
    sleeper(made, 'blkid', 2)
    const running = made.start(['apply', '--yes'])
    await running.printed(/enumerate +starts/)
    running.kill('SIGINT')
    const ended = await running.ended
    expect([ended.code, ended.out + ended.err]).toEqual([130, expect.stringContaining('stopping')])
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect((await made.ntt('plan')).code).toBe(0)
  })

  test('^C takes up none of the media that wait', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['ceh-report.iso', 'floppy.img', 'disk.img'], { database })
    sleeper(made, 'blkid', 2)
    const running = made.start(['apply', '--yes', '--jobs', '1'])
    await running.printed(/enumerate +starts/)
    running.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
    expect(await ask(database, 'select medium_hash from lease')).toHaveLength(1)
  })

  test('^C ends a wait for a medium that another has', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    const other = await openDatabase({ where: database, run: 'test' })
    const lock = await other.session('other')
    try {
      const hash = 'f232a107347b651c3f9f799c3d012ae8'
      await lock.query('select pg_advisory_lock(hashtextextended($1, 0))', [hash])
      const running = made.start(['apply', '--yes', '--wait'])
      await running.printed(' waiting: floppy is held by another ntt')
      running.kill('SIGINT')
      const ended = await running.ended
      expect([ended.code, ended.out + ended.err]).toEqual([
        130,
        expect.stringContaining('interrupted: stopped before the next step'),
      ])
    } finally {
      await lock.end()
      await other.close()
    }
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
  })

  test('^C twice stops at once with 130 and leaves no program running', async () => {
    const made = sampleProject(['ceh-report.iso'])
    sleeper(made, 'blkid', forever(600))
    const running = made.start(['apply', '--yes'])
    await running.printed(/enumerate +starts/)
    await expect.poll(() => sleeping(forever(600)), { timeout: 20_000 }).not.toBe('')
    running.kill('SIGINT')
    await running.printed('stopping')
    running.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
    expect(sleeping(forever(600))).toBe('')
  })

  test('kill -9 in the middle of a step leaves nothing false and nothing running; the next apply converges', async () => {
    const made = sampleProject(['ceh-report.iso'])
    hanging(made, 'blkid', forever(601))
    const running = made.start(['apply', '--yes'])
    await running.printed(/enumerate +starts/)
    await expect.poll(() => sleeping(forever(601)), { timeout: 20_000 }).not.toBe('')
    running.kill('SIGKILL')
    await running.ended
    await expect.poll(() => sleeping(forever(601)), { timeout: 5000 }).toBe('')
    expect(steps(made)).not.toContain('enum_success')
    rmSync(made.path('sleepers'), { recursive: true })
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
  })
})

describe('two ntt', () => {
  test('the second of one medium says who holds it and since when, and ends with 11', async () => {
    const made = sampleProject(['ceh-report.iso'])
    sleeper(made, 'blkid', 4)
    const first = made.start(['apply', '--yes'])
    await first.printed(/enumerate +starts/)
    const second = await made.ntt('apply', '--yes')
    expect([second.code, second.out + second.err]).toEqual([
      11,
      expect.stringMatching(/held by run \S+ of host \S+, pid \d+, since/),
    ])
    expect((await first.ended).code).toBe(0)
  })
})

describe('as an ordinary user', () => {
  test('everything converges without root', async () => {
    const nobody = 65534
    const made = project()
    for (const folder of [made.folder, made.path('media.d')]) chownSync(folder, nobody, nobody)
    execFileSync('cp', [join(sampleImages, 'floppy.img'), made.path('media.d/floppy.img')])
    chmodSync(made.path('media.d/floppy.img'), 0o444)
    made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\n')
    const as = (args: readonly string[]) =>
      execFileSync(
        'setpriv',
        ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', join(repository, 'bin/ntt'), ...args],
        {
          cwd: made.folder,
          env: { PATH: process.env['PATH'] ?? '', HOME: made.folder, CI: 'true' },
        },
      ).toString()
    expect(as(['apply', '--yes'])).toContain('1 converged')
    expect(as(['plan'])).toContain('No changes')
    expect(statSync(made.path('.ntt/postgres')).uid).toBe(nobody)
  })
})

test.each([
  [['plan', 'flopy'], 'floppy'],
  [['apply', 'flopy'], 'floppy'],
  [['verify', 'flopy'], 'floppy'],
  [['why', 'flopy'], 'floppy'],
  [['plan', 'media.d/floppy.yaml'], 'floppy'],
  [['apply', 'media.d/floppy.yaml'], 'floppy'],
  [['why', 'floppy', 'lod'], 'load'],
  [['apply', '--redo', 'flopy/load'], 'floppy'],
  [['plan', '--redo', 'floppy/arcive'], 'archive'],
])(
  'a medium or a stage that there is none of is told with the name that was meant: %j',
  async (args, name) => {
    const { code, err } = await sampleProject(['floppy.img']).ntt(...args)
    expect([code, err]).toEqual([1, expect.stringContaining(`Did you mean ${name}?`)])
  },
)
