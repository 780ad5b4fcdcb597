// Every write can fail: full roots, read-only roots, other roots, errors of the disk, a database that goes. Nothing false is recorded.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { externalServer, type External } from './support/external.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project, type Ran } from './support/project.ts'
import { openArena, type Arena } from './torture/arena.ts'
import { follow } from './torture/follow.ts'
import { converge } from './torture/kills.ts'
import { findLies } from './torture/lies.ts'
import { startApply } from './torture/run.ts'

const asRoot = process.geteuid?.() === 0

/** A filesystem of its own in the place of a folder, until the test ends. */
function mountAt(folder: string, megabytes: number): void {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'ntt-test', folder])
  onTestFinished(() => void spawnSync('umount', ['--lazy', folder]))
}

/** Leaves not a byte free; returns what makes room again. */
function fill(folder: string): () => void {
  const ballast = join(folder, 'ballast')
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(ballast, Buffer.alloc(bavail * bsize))
  return () => rmSync(ballast)
}

/** Stopped or isolated, not crashed, and not called done. */
function expectHonest({ code, out, err }: Ran): void {
  expect([3, 4, 5], out + err).toContain(code)
  expect(out + err).not.toMatch(/ {4}at .*\.mjs/)
}

async function expectConverges(made: Project): Promise<void> {
  const ran = await made.ntt('apply', '--yes')
  expect(ran.code, ran.out + ran.err).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  expect((await made.ntt('verify', '--log')).code).toBe(0)
}

describe.runIf(asRoot)('a full disk', () => {
  test.each([
    ['raw', 'enumerate'],
    ['by-hash', 'copy'],
    ['archive', 'archive'],
  ])(
    'below %s: the run stops, names the root and what to do, and converges when there is room',
    async (root, stage) => {
      const database = await freshDatabase()
      const made = sampleProject(['floppy.img'], { database })
      const folder = made.path('.ntt', root)
      mountAt(folder, 1)
      const makeRoom = fill(folder)
      const ran = await made.ntt('apply', '--yes')
      expectHonest(ran)
      expect(ran.out + ran.err).toContain('ENOSPC')
      expect(ran.out + ran.err).toContain(folder)
      expect(ran.out + ran.err).toMatch(/Free some space|give the root/)
      expect(await ask(database, 'select 1 from proof where ok and stage = $1', [stage])).toEqual([])
      makeRoom()
      await expectConverges(made)
    },
  )

  test('a medium that is not begun because a root has no room for another says so, and where', async () => {
    const made = sampleProject(['disk.img', 'floppy.img'], { database: await freshDatabase() })
    const folder = made.path('.ntt/archive')
    mountAt(folder, 1)
    const makeRoom = fill(folder)
    const { code, out } = await made.ntt('apply', '--yes', '--jobs', '1')
    expect([code, out]).toEqual([
      4,
      expect.stringMatching(/floppy +image +not started, because cannot write archive:/),
    ])
    makeRoom()
    await expectConverges(made)
  })

  test('of the event log: nothing is done without its log', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    mountAt(made.path('.ntt/log'), 1)
    const makeRoom = fill(made.path('.ntt/log'))
    const ran = await made.ntt('apply', '--yes')
    expectHonest(ran)
    expect(ran.out + ran.err).toContain('event log')
    expect(existsSync(made.path('.ntt/raw'))).toBe(false)
    makeRoom()
    await expectConverges(made)
  })

  test('of the embedded database: it is told, and converges when there is room', async () => {
    const made = sampleProject(['floppy.img'])
    expect((await made.ntt('apply', '--yes', '--target', 'imaged')).code).toBe(0)
    const [home, saved] = [made.path('.ntt/postgres'), made.path('saved')]
    execFileSync('cp', ['-a', home, saved])
    rmSync(home, { recursive: true })
    mountAt(home, 160)
    execFileSync('cp', ['-a', `${saved}/.`, home])
    const makeRoom = fill(home)
    expectHonest(await made.ntt('apply', '--yes'))
    makeRoom()
    await expectConverges(made)
  })
})

describe.runIf(asRoot)('a root that is not as it was', () => {
  test.each(['raw', 'by-hash', 'archive'])('%s is read-only: told, and nothing is recorded', async (root) => {
    const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
    const folder = made.path('.ntt', root)
    mountAt(folder, 8)
    execFileSync('mount', ['-o', 'remount,ro', folder])
    const ran = await made.ntt('apply', '--yes')
    expectHonest(ran)
    expect(ran.out + ran.err).toMatch(/EROFS/)
    expect(ran.out + ran.err).toContain(folder)
    execFileSync('mount', ['-o', 'remount,rw', folder])
    await expectConverges(made)
  })

  test('the store is suddenly another filesystem: refused, nothing is copied into it, and all is well when it is back', async () => {
    const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
    expect((await made.ntt('apply', '--yes', '--target', 'copied')).code).toBe(0)
    const store = made.path('.ntt/by-hash')
    mountAt(store, 8)
    const planned = await made.ntt('plan')
    expect([3, 4, 5]).toContain(planned.code)
    expectHonest(await made.ntt('apply', '--yes'))
    expect(execFileSync('find', [store, '-type', 'f', '-name', '?'.repeat(64)]).toString()).toBe('')
    execFileSync('umount', ['--lazy', store])
    await expectConverges(made)
  })
})

describe('a database that goes and comes back', () => {
  let server: External
  beforeAll(async () => {
    server = await externalServer()
  })
  afterAll(() => server.remove())

  test('the step fails, nothing is called done, and the next apply converges', async () => {
    const made = sampleProject(['ceh-report.iso'], { database: server.url() })
    const running = made.start(['apply', '--yes'])
    await running.printed(/load +starts/)
    await server.kill()
    expectHonest(await running.ended)
    await server.start()
    await expectConverges(made)
  })

  test('one that refuses the beginning of a run ends it at once', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    await ask(
      database,
      "create function full_up() returns trigger language plpgsql as $$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$",
    )
    await ask(database, 'create trigger full_up before insert on run execute function full_up()')
    for (const verb of [['apply', '--yes'], ['verify']]) expectHonest(await made.ntt(...verb))
    await ask(database, 'drop trigger full_up on run')
    await expectConverges(made)
  })
})

describe('calls of the system that fail', () => {
  let arena: Arena
  beforeAll(async () => {
    arena = await openArena()
  }, 300_000)

  const failures: readonly (readonly [string, string])[] = [
    ['fsync', 'EIO'],
    ['syncfs', 'EIO'],
    ['fdatasync', 'EIO'],
    ['renameat2', 'EIO'],
    ['rename', 'ENOSPC'],
    ['mkdir', 'ENOSPC'],
  ]
  test.each(failures)(
    '%s with %s, wherever a run has it: nothing false is left, and it converges',
    { timeout: 600_000 },
    async (call, errno) => {
      const watched = arena.fresh(['floppy'], true)
      expect((await follow(watched, null)).end).toBe(0)
      // strace counts for each thread: half of what the busiest one does.
      const calls = readFileSync(watched.path('trace'), 'latin1').matchAll(/^(\d+) +(\w+)\(/gm)
      const threads = [...calls].filter((match) => match[2] === call).map(([, thread]) => thread)
      const counts = [...Map.groupBy(threads, (thread) => thread).values()].map(({ length }) => length)
      const nth = Math.ceil(Math.max(...counts) / 2)
      const made = arena.fresh(['floppy'], true)
      const failing = ['-e', `inject=${call}:error=${errno}:when=${nth}`]
      const through = ['strace', '-f', '-b', 'execve', '-qq', '-o', made.path('trace'), ...failing]
      const { end, told } = await startApply(made, through).ended
      expect([0, 3, 4, 5], `${call} ${nth}: ${told}`).toContain(end)
      expect(findLies(made, arena.truth)).toEqual([])
      expect(await converge(made, arena)).toEqual([])
    },
  )
})
