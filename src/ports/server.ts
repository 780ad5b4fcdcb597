// The embedded PostgreSQL: private to a project, shared by every ntt in it, started on demand, stopped by the last one out.
//
// Two locks in its folder say all there is to know. `users.lock` is shared by everyone who uses the server; who can
// turn it into an exclusive one is the last. `server.lock` is inherited by the server itself, so whoever gets it
// knows that no server lives there, whatever a pid file says. The kernel frees both when their holders are gone.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, constants, existsSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { lchown, lstat, mkdir, open, readFile, rename, rm, rmdir, statfs } from 'node:fs/promises'
import { constrainedMemory } from 'node:process'
import { tmpdir, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ObserveError, errnoOf } from '../model/errors.ts'
import { flock } from './flock.ts'
import { type Account, accountFor } from './server-account.ts'
import { type Binaries, findBinaries } from './server-binaries.ts'

/** Where a server listens: the folder of its socket, and the port that names the socket in it. */
export interface Address {
  readonly socket: string
  readonly port: number
  readonly user: string
  readonly database: string
}

export interface Server extends Address {
  /** Gives up our share; the last one stops the server and waits until it has ended. */
  leave(): Promise<void>
}

export interface ServerOptions {
  /** Absolute path of the server's folder, below the state root; made if it is not there. */
  readonly directory: string
  /** Where ntt's package.json is: node_modules is looked for from there. */
  readonly packageRoot: string
  readonly signal: AbortSignal
}

/** Whether there is a database to look at. Touches nothing. */
export const serverExists = (directory: string): boolean => existsSync(join(directory, 'data', 'PG_VERSION'))

/** Longest wait for a server that lives but does not answer yet: the replay of a long log after a crash. */
const patienceMs = 600_000
const port = 5432
const user = 'ntt'

/** Joins the server of `directory`; starts it (and makes its database) if it is not there. */
export async function openServer({ directory, packageRoot, signal }: ServerOptions): Promise<Server> {
  await mkdir(directory, { recursive: true }).catch((cause: unknown) => {
    throw new ObserveError(`cannot make ${directory}`, { cause })
  })
  const home = realpathSync(directory)
  const data = join(home, 'data')
  const users = openOurs(join(home, 'users.lock'))
  const leave = async () => {
    try {
      if (await flock(users, 'exclusive', 0)) await stop(home, data)
    } finally {
      closeSync(users)
    }
  }
  try {
    // Waits only for one who is just stopping the server.
    if (!(await flock(users, 'shared', patienceMs / 1000, signal)))
      throw new ObserveError(`the database server of ${home} is being stopped, and does not end`)
    const socket = await reach(home, data, packageRoot, signal)
    return { socket, port, user, database: 'postgres', leave }
  } catch (error) {
    await leave()
    throw error
  }
}

/** Opens a file of ours, making it if need be. Not through a link: root may work in another's folder. */
function openOurs(path: string, more = 0): number {
  try {
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    return openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | more, 0o600)
  } catch (cause) {
    throw new ObserveError(`cannot open ${path}`, { cause, hint: 'Run ntt as the owner of the project.' })
  }
}

/** The socket folder of a server that answers: of the one that is there, or of a new one. */
async function reach(home: string, data: string, packageRoot: string, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    signal.throwIfAborted()
    const alive = readPostmaster(data)
    if (alive?.ready) return alive.socket
    const lock = openOurs(join(home, 'server.lock'))
    try {
      if (!alive && (await flock(lock, 'exclusive', 0, signal)))
        return await start(home, data, packageRoot, lock, signal)
    } finally {
      closeSync(lock)
    }
    await sleep(20, undefined, { signal })
  }
  throw new ObserveError(`the database server of ${home} does not answer`, {
    hint: `See ${join(home, 'log')}`,
  })
}

/** Starts a server that inherits `lock`. Nobody else is in this folder meanwhile. */
async function start(home: string, data: string, packageRoot: string, lock: number, signal: AbortSignal) {
  const made = existsSync(join(data, 'PG_VERSION'))
  const owner = made ? statSync(data).uid : null
  const major = made ? Number.parseInt(readFileSync(join(data, 'PG_VERSION'), 'latin1'), 10) : null
  const binaries = await findBinaries(packageRoot, join(home, 'lib'), major)
  const temporary = [tmpdir(), '/tmp'].map((path) => realpathSync(path))
  const account = accountFor(home, owner, [home, join(binaries.bin, 'postgres'), ...temporary])
  const socket = await socketFolder(data, account, temporary)
  const logFile = join(home, 'log')
  const tooLong = existsSync(logFile) && statSync(logFile).size > 1 << 20
  const log = openOurs(logFile, tooLong ? constants.O_TRUNC : 0)
  const run = (program: string, args: readonly string[]) =>
    launch(binaries, account, program, args, [log, lock])
  let server: Launched | null = null
  try {
    // What root made belongs to whom the server runs as: that user may come without root the next time.
    if (account.prefix.length > 0)
      for (const name of ['', 'users.lock', 'server.lock', 'log', 'lib'])
        await lchown(join(home, name), account.uid, account.gid).catch(unlessAway)
    if (!made) await initialise(home, data, account, run, signal)
    for (const stale of [join(data, 'postmaster.pid'), socketFile(socket), `${socketFile(socket)}.lock`])
      await rm(stale, { force: true })
    guard(home, data, socket)
    server = run('postgres', ['-D', data, ...(await settings(socket))])
    while (!readPostmaster(data)?.ready) {
      signal.throwIfAborted()
      const ended = await Promise.race([server.ended, sleep(5, null)])
      if (ended !== null) throw new ObserveError(`the database server did not start (${ended})`)
    }
    server.release()
    return socket
  } catch (error) {
    server?.stop()
    await server?.ended
    if (!(error instanceof ObserveError) || error.hint) throw error
    throw new ObserveError(error.message, { cause: error, hint: await tail(logFile) })
  } finally {
    closeSync(log)
  }
}

/** Makes the data directory beside its place and renames it there. */
async function initialise(
  home: string,
  data: string,
  account: Account,
  run: (program: string, args: readonly string[]) => Launched,
  signal: AbortSignal,
) {
  const fresh = `${data}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  await lchown(fresh, account.uid, account.gid)
  const how = await run('initdb', [
    '--pgdata',
    fresh,
    '--username',
    user,
    '--locale=C',
    '--encoding=UTF8',
    '--auth=trust',
  ]).ended
  signal.throwIfAborted()
  if (how !== 'exit code 0') throw new ObserveError(`initdb failed (${how})`)
  await rename(fresh, data)
  const folder = await open(home)
  await folder.sync()
  await folder.close()
}

interface Launched {
  /** How it ended, in words. */
  readonly ended: Promise<string>
  /** From now on it may outlive us. */
  release(): void
  stop(): void
}

/** Starts a program of PostgreSQL in a session of its own, out of reach of the terminal's ^C. */
function launch(
  binaries: Binaries,
  account: Account,
  program: string,
  args: readonly string[],
  [log, lock]: readonly [number, number],
): Launched {
  const [file = '', ...rest] = [...account.prefix, join(binaries.bin, program), ...args]
  const child = spawn(file, rest, {
    cwd: '/',
    detached: true,
    // Nothing of PG* or LC_* may reach in.
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      LC_ALL: 'C',
      LD_LIBRARY_PATH: binaries.libraries.join(':'),
    },
    stdio: ['ignore', log, log, lock],
  })
  return {
    release: () => child.unref(),
    stop: () => child.kill('SIGINT'),
    ended: new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message))
      child.on('exit', (code, name) => resolve(code === null ? `signal ${name}` : `exit code ${code}`))
    }),
  }
}

/**
 * Waits beside the server until nobody uses it, then stops it: the last ntt may be killed before it can do so itself.
 * The pid is only signalled while it is a process that was started with this data directory.
 */
function guard(home: string, data: string, socket: string): void {
  const stopIt = `until flock --nonblock "$1" true; do
      read -r pid <"$0/postmaster.pid" && grep -aqF "$0" "/proc/$pid/cmdline" && kill -INT "$pid"
      sleep 0.1
    done
    rmdir "$2"`
  const last = ['sh', '-c', stopIt, data, join(home, 'server.lock'), socket]
  spawn('flock', ['--exclusive', join(home, 'users.lock'), ...last], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
  }).unref()
}

/** Fast shutdown, awaited. Only for one who holds `users.lock` alone. */
async function stop(home: string, data: string): Promise<void> {
  const alive = readPostmaster(data)
  if (!alive) return
  process.kill(alive.pid, 'SIGINT')
  const lock = openOurs(join(home, 'server.lock'))
  try {
    if (await flock(lock, 'exclusive', 60)) await rmdir(alive.socket).catch(unlessBusy)
  } finally {
    closeSync(lock)
  }
}

/** A socket folder may hold what is not ours; then it stays. */
const unlessBusy = (error: unknown) => (errnoOf(error) === 'ENOTEMPTY' ? undefined : unlessAway(error))

function unlessAway(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error
}

/**
 * What the pid file says of a server of this data directory; null where there is none, or its process is another's.
 * Lines of the file: pid, data directory, start time, port, socket folder, listen address, shared memory, readiness.
 */
function readPostmaster(data: string): { pid: number; socket: string; ready: boolean } | null {
  try {
    const [pid = '', , , , socket = '', , , ready = ''] = readFileSync(
      join(data, 'postmaster.pid'),
      'latin1',
    ).split('\n')
    const [program = '', ...args] = readFileSync(`/proc/${Number(pid)}/cmdline`, 'utf8').split('\0')
    if (basename(program) !== 'postgres' || !args.includes(data)) return null
    return { pid: Number(pid), socket, ready: ready.trim() === 'ready' }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return null
    throw error
  }
}

const socketFile = (folder: string) => join(folder, `.s.PGSQL.${port}`)

/** A folder for the socket that only the server's account may enter, with a path short enough for a socket. */
async function socketFolder(data: string, { uid, gid }: Account, roots: readonly string[]): Promise<string> {
  const name = `ntt-${createHash('sha256').update(`${uid}:${data}`).digest('hex').slice(0, 16)}`
  const folder = roots.map((root) => join(root, name)).find((path) => socketFile(path).length < 107)
  if (folder === undefined)
    throw new ObserveError('no folder for temporary files has a path short enough for a socket')
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  const found = await lstat(folder)
  // Ours from this moment, or from one that died between the two calls; anything else was put there by another user.
  if (found.isDirectory() && found.uid === process.geteuid?.()) await lchown(folder, uid, gid)
  else if (!found.isDirectory() || found.uid !== uid)
    throw new ObserveError(`${folder} belongs to somebody else`, { hint: 'Remove it, or set TMPDIR.' })
  return folder
}

/** Settings of every start; a data directory's own file is never edited. Figures: reference/postgres.md section 13. */
async function settings(socket: string): Promise<readonly string[]> {
  const mebibyte = 1 << 20
  const memory = Math.min(totalmem(), constrainedMemory() || Infinity)
  const shared = Math.max(16, Math.min(1024, Math.floor(memory / 4 / mebibyte)))
  const { blocks, bsize } = await statfs('/dev/shm').catch(() => ({ blocks: 0, bsize: 0 }))
  return Object.entries({
    listen_addresses: '',
    port,
    unix_socket_directories: socket,
    unix_socket_permissions: '0700',
    shared_buffers: `${shared}MB`,
    maintenance_work_mem: '256MB',
    work_mem: '64MB',
    wal_level: 'minimal',
    max_wal_senders: 0,
    max_wal_size: '4GB',
    checkpoint_timeout: '30min',
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    max_locks_per_transaction: 1024,
    max_connections: 100,
    client_connection_check_interval: '1s',
    jit: 'off',
    autovacuum: 'on',
    // A container may promise huge pages and then not give them; and its /dev/shm may hold 64 MB.
    huge_pages: 'off',
    dynamic_shared_memory_type: blocks * bsize < 512 * mebibyte ? 'mmap' : 'posix',
    log_checkpoints: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** The end of the server's log, for a person. */
async function tail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8')
  return text.trimEnd().split('\n').slice(-12).join('\n')
}
