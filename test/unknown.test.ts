// What could not be looked at is unknown: gates stay shut, the exit code is 5, and the message says what to do.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, repository, sampleImages, sampleProject, type Project } from './support/project.ts'

interface Step {
  readonly stage: string
  readonly action: string
}

const stepsOf = (out: string): readonly string[] => {
  const plan: { lanes: { steps: Step[] }[] } = JSON.parse(out)
  return plan.lanes.flatMap(({ steps }) => steps.map(({ stage, action }) => `${stage} ${action}`))
}

const archives = (made: Project): readonly string[] =>
  existsSync(made.path('.ntt/archive'))
    ? readdirSync(made.path('.ntt/archive')).filter((name) => name !== '.ntt-store')
    : []

/** A PATH with everything of the system's but one program. */
function without(made: Project, program: string): string {
  const folder = made.path('bin')
  mkdirSync(folder, { recursive: true })
  for (const source of ['/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    for (const name of readdirSync(source)) {
      if (name !== program && !existsSync(join(folder, name)))
        symlinkSync(join(source, name), join(folder, name))
    }
  }
  return folder
}

describe('the database', () => {
  test.each([
    ['is not there', 'postgres://nobody@127.0.0.1:1/none'],
    ['has no such host', 'postgres://nobody@no.such.host.invalid/none'],
  ])('%s: plan and apply end with 5, say so, and nothing is made', async (_what, url) => {
    const made = sampleProject(['floppy.img'], { database: url })
    for (const verb of [['plan'], ['apply', '--yes'], ['status'], ['audit']]) {
      const { code, err, out } = await made.ntt(...verb)
      expect([verb[0], code], out + err).toEqual([verb[0], 5])
      expect(err).toMatch(/cannot reach|no answer|database/)
    }
    expect(existsSync(made.path('.ntt/raw'))).toBe(false)
  })

  test('refuses the password: 5, and the password is in no message', async () => {
    const url = await freshDatabase()
    const role = `locked_${process.pid}`
    await ask(url, `create role ${role}`)
    const made = sampleProject(['floppy.img'], {
      database: url.replace(/\/\/[^@]+@/, `//${role}:s3cret-word@`),
    })
    const { code, out, err } = await made.ntt('plan')
    expect([code, (out + err).includes('s3cret-word')]).toEqual([5, false])
  })

  test('does not answer a question: the stage is unknown, and what follows waits', async () => {
    const url = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database: url })
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    await ask(url, 'alter table proof rename to proof_away')
    const { code, out } = await made.ntt('plan', '--json')
    expect(code).toBe(5)
    expect(stepsOf(out).filter((step) => !/ (unknown|wait)$/.test(step))).toEqual([])
    // Another image in its place: whether that contradicts a proof nobody can say either.
    copyFileSync(join(sampleImages, 'disk.img'), made.path('media.d/floppy.img'))
    const displaced = await made.ntt('plan', '--json')
    expect([displaced.code, stepsOf(displaced.out)[0]]).toEqual([5, 'image unknown'])
  })
})

describe('a root that may not be entered, as an ordinary user', () => {
  const as = (made: Project, args: readonly string[]) =>
    spawnSync(
      'setpriv',
      ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', join(repository, 'bin/ntt'), ...args],
      {
        cwd: made.folder,
        env: { PATH: process.env['PATH'] ?? '', HOME: made.folder, CI: 'true' },
        encoding: 'utf8',
      },
    )

  test.each(['img', 'raw', 'by-hash', 'archive'])(
    '%s: 5 (or the products there are unknown), and nothing is taken for absent',
    (root) => {
      const made = project()
      const owned = [made.folder, made.path('media.d')]
      for (const folder of owned) chownSync(folder, 65534, 65534)
      cpSync(join(sampleImages, 'floppy.img'), made.path('media.d/floppy.img'))
      chmodSync(made.path('media.d/floppy.img'), 0o444)
      made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\n')
      expect(as(made, ['apply', '--yes']).status).toBe(0)
      mkdirSync(made.path('.ntt', root), { recursive: true })
      chownSync(made.path('.ntt', root), 0, 0)
      chmodSync(made.path('.ntt', root), 0o700)
      const planned = as(made, ['plan', '--json'])
      const verified = as(made, ['verify'])
      const runs = stepsOf(planned.stdout).filter((step) => step.endsWith(' run'))
      expect(runs, planned.stdout).toEqual([])
      expect([planned.status, verified.status], planned.stdout + verified.stderr).toContain(5)
      chmodSync(made.path('.ntt', root), 0o755)
    },
  )
})

describe('a place that may not be written, or a source that may not be read, as an ordinary user', () => {
  /** A project of nobody's, on a database of its own. */
  const prepare = (): Project => {
    const made = project()
    for (const folder of [made.folder, made.path('media.d')]) chownSync(folder, 65534, 65534)
    cpSync(join(sampleImages, 'floppy.img'), made.path('media.d/floppy.img'))
    chmodSync(made.path('media.d/floppy.img'), 0o444)
    made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\n')
    return made
  }
  const as = (made: Project, ...args: readonly string[]) =>
    spawnSync(
      'setpriv',
      ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', join(repository, 'bin/ntt'), ...args],
      {
        cwd: made.folder,
        env: { PATH: process.env['PATH'] ?? '', HOME: made.folder, CI: 'true', NO_COLOR: '1' },
        encoding: 'utf8',
      },
    )

  test.each([
    ['raw', 'enumerate'],
    ['by-hash', 'copy'],
    ['archive', 'archive'],
  ])(
    'the root %s: %s fails with the path and what to do, what was proven stays, and it goes on afterwards',
    (root, stage) => {
      const made = prepare()
      mkdirSync(made.path('.ntt'))
      chownSync(made.path('.ntt'), 65534, 65534)
      mkdirSync(made.path('.ntt', root), { mode: 0o755 })
      const ran = as(made, 'apply', '--yes')
      expect([3, 4, 5], ran.stdout + ran.stderr).toContain(ran.status)
      expect(ran.stdout).toMatch(
        new RegExp(`floppy +${stage} +.*${root}.*(EACCES|not be written|permission)`),
      )
      expect(archives(made)).toEqual([])
      const planned = as(made, 'plan', '--json')
      expect(stepsOf(planned.stdout).find((step) => step.startsWith(stage))).toBe(`${stage} run`)
      chownSync(made.path('.ntt', root), 65534, 65534)
      const mended = as(made, 'apply', '--yes')
      expect(mended.status, mended.stdout + mended.stderr).toBe(0)
    },
  )

  test('the image: unknown, 5, and nothing is planned over it', () => {
    const made = prepare()
    chmodSync(made.path('media.d/floppy.img'), 0o000)
    const planned = as(made, 'plan', '--json')
    expect([planned.status, stepsOf(planned.stdout)[0]]).toEqual([5, 'image unknown'])
    // The program that tells labels may not read it either, and says that there is none.
    made.medium('floppy', 'source: {image: floppy.img}\nexpect: {volume: LETTERS}\n')
    const labelled = as(made, 'plan', '--json')
    expect([labelled.status, stepsOf(labelled.stdout)[0]]).toEqual([5, 'image unknown'])
    const ran = as(made, 'apply', '--yes')
    expect([ran.status, ran.stdout + ran.stderr]).toEqual([5, expect.stringMatching(/floppy\.img.*EACCES/s)])
    expect(existsSync(made.path('.ntt/raw'))).toBe(false)
  })

  test('a file of media.d: said with its name, and no plan is made of the others', () => {
    const made = prepare()
    made.medium('other', 'source: {image: floppy.img}\n')
    chmodSync(made.path('media.d/other.yaml'), 0o000)
    const planned = as(made, 'plan')
    expect([1, 5]).toContain(planned.status)
    expect(planned.stderr).toMatch(/other\.yaml/)
  })
})

describe('a program', () => {
  test.each([
    ['partx', 'disk.img'],
    ['zstd', 'floppy.img'],
  ])(
    '%s is not installed: the medium stops there, the message names it, nothing is archived',
    async (program, image) => {
      const made = sampleProject([image], { database: await freshDatabase() })
      const bin = without(made, program)
      const { code, out, err } = await made.start(['apply', '--yes'], { PATH: `${bin}` }).ended
      expect([3, 4, 5], out + err).toContain(code)
      expect(out + err).toContain(program)
      expect(archives(made)).toEqual([])
    },
  )

  test('says something that is not its language: the medium stops, nothing is archived', async () => {
    for (const [program, image] of [
      ['blkid', 'floppy.img'],
      ['partx', 'disk.img'],
    ] as const) {
      const made = sampleProject([image], { database: await freshDatabase() })
      mkdirSync(made.path('bin'))
      writeFileSync(made.path('bin', program), '#!/bin/sh\nhead -c 5000 /dev/urandom\n', { mode: 0o755 })
      made.programs(made.path('bin'))
      const { code, out, err } = await made.ntt('apply', '--yes')
      expect([3, 4, 5], program + out + err).toContain(code)
      expect(archives(made)).toEqual([])
    }
  })

  test('hangs: it is stopped at its time-out, and the medium is not taken for empty', async () => {
    const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
    mkdirSync(made.path('bin'))
    writeFileSync(made.path('bin/blkid'), `#!/bin/sh\nexec sleep 1000.${process.pid}\n`, { mode: 0o755 })
    made.programs(made.path('bin'))
    const { code, out } = await made.ntt('apply', '--yes')
    expect([3, 4, 5]).toContain(code)
    expect(out).toMatch(/blkid did not end within/)
    expect(execFileSync('sh', ['-c', `pgrep -f '^sleep 1000.${process.pid}$' || true`]).toString()).toBe('')
  })
})

test('an image that is away is unknown, not new: nothing is planned over it', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  rmSync(made.path('media.d/floppy.img'))
  const { code, out } = await made.ntt('plan', '--json')
  expect([code, stepsOf(out)[0]]).toEqual([5, 'image unknown'])
})

test('a directory that is empty now and was not is unmounted, for all we know: 5, and its enumeration, rows and archive stay', async () => {
  const made = project()
  cpSync(join(sampleImages, 'box7'), made.path('box'), { recursive: true, preserveTimestamps: true })
  made.medium('box', 'kind: directory\nsource: {directory: ../box}\ntarget: archived\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  renameSync(made.path('box'), made.path('away'))
  mkdirSync(made.path('box'))
  const before = readdirSync(made.path('.ntt/raw'))
  const verified = await made.ntt('verify', '--depth', 'hash')
  expect([verified.code, verified.out + verified.err]).toEqual([
    5,
    expect.stringContaining('is empty, and its enumeration'),
  ])
  const redone = await made.ntt('apply', '--yes', '--redo', 'box/enumerate')
  expect([redone.code, redone.out + redone.err]).toEqual([
    5,
    expect.stringContaining('Mount what belongs there'),
  ])
  expect(readdirSync(made.path('.ntt/raw'))).toEqual(before)
  rmSync(made.path('box'), { recursive: true })
  renameSync(made.path('away'), made.path('box'))
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
})

test('a root of contents that is empty, or another store, is unknown for all media and contradicts none', async () => {
  const made = sampleProject(['floppy.img', 'disk.img'])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const store = made.path('.ntt/by-hash')
  renameSync(store, made.path('away'))
  mkdirSync(store)
  const unknown = async (said: string): Promise<void> => {
    for (const verb of [['plan'], ['verify'], ['status']]) {
      const { code, out, err } = await made.ntt(...verb)
      expect([verb[0], code], out + err).toEqual([verb[0], 5])
      expect(out).not.toMatch(/contradict|verification failed/)
    }
    expect((await made.ntt('plan')).out).toContain(said)
  }
  await unknown('has no marker')
  writeFileSync(join(store, '.ntt-store'), '00000000-0000-0000-0000-000000000000\n')
  await unknown('is marked 00000000')
  rmSync(store, { recursive: true })
  renameSync(made.path('away'), store)
  expect((await made.ntt('plan')).code).toBe(0)
})

test.each(['archive', 'raw'])(
  'a root %s that is empty is unmounted, for all we know: 5, and nothing is made there until a person says that it is lost',
  async (root) => {
    const made = sampleProject(['floppy.img', 'disk.img'], { database: await freshDatabase() })
    // A name that a shell would trip over, as the command that is told is typed into one.
    made.write('ntt.yaml', `roots: { ${root}: "the ${root}'s drive" }\n`)
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    const [folder, away] = [made.path(`the ${root}'s drive`), made.path('away')]
    const products = readdirSync(folder).toSorted()
    renameSync(folder, away)
    mkdirSync(folder)
    for (const verb of [['plan'], ['verify'], ['status'], ['audit'], ['apply', '--yes']]) {
      const { code, out, err } = await made.ntt(...verb)
      expect([verb[0], code], out + err).toEqual([verb[0], 5])
      expect(out).not.toMatch(/contradict|verification failed|gone since/)
    }
    expect(readdirSync(folder)).toEqual([])
    const doctor = await made.ntt('doctor')
    expect([doctor.code === 0, doctor.out]).toEqual([false, expect.stringContaining('has no marker')])
    rmSync(folder, { recursive: true })
    renameSync(away, folder)
    expect((await made.ntt('plan')).code).toBe(0)
    // Lost for good: the command that is told makes the empty folder the one that is known.
    rmSync(folder, { recursive: true })
    const { out } = await made.ntt('why', 'floppy', root === 'raw' ? 'enumerate' : 'archive', '--json')
    const text = out.replaceAll('\\\\', '\\')
    const [command = ''] = /mkdir -p '.*?' && echo [0-9a-f-]{36} >'.*?\.ntt-store'/.exec(text) ?? []
    execFileSync('sh', ['-c', command])
    expect((await made.ntt('plan')).code).toBe(3)
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect(readdirSync(folder).toSorted()).toEqual(products)
  },
)

test.each(['imaged', 'archived'])(
  'a root of images that is away is named, whatever lies in the drive; target %s',
  async (target) => {
    const made = project({ database: await freshDatabase() })
    copyFileSync(join(sampleImages, 'floppy.img'), made.path('drive'))
    for (const name of ['one', 'two'])
      made.medium(
        name,
        `kind: floppy\nsource: {device: ../drive-${name}}\nmedium_hash: ${name === 'one' ? 'a' : 'b'}${'0'.repeat(31)}\ntarget: ${target}\nexpect: {bytes: 1474560}\n`,
      )
    for (const name of ['one', 'two']) copyFileSync(made.path('drive'), made.path(`drive-${name}`))
    const applied = await made.ntt('apply', '--yes')
    expect(applied.code, applied.out + applied.err).toBe(0)
    renameSync(made.path('.ntt/img'), made.path('away'))
    for (const name of ['one', 'two']) rmSync(made.path(`drive-${name}`))
    const plan = await made.ntt('plan')
    expect([plan.code, plan.out]).toEqual([5, expect.stringMatching(/image: \([^)]*\) is not there/)])
    // Once in full, and of the others that it is the same.
    expect(plan.out.match(/Mount the right filesystem/g)).toHaveLength(1)
    expect(plan.out).toContain('the same as of one')
    const status = await made.ntt('status')
    expect([status.code, status.out.match(/Mount the right filesystem/g)?.length]).toEqual([5, 1])
    renameSync(made.path('away'), made.path('.ntt/img'))
    expect((await made.ntt('plan')).code).toBe(0)
  },
)
