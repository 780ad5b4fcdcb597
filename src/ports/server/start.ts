// Starts the embedded server: its database made beside and renamed into place, the server let go of, a guard beside it.
import { spawn } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readFileSync, statSync } from 'node:fs'
import { lchown, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ObserveError, errnoOf } from '../../model/errors.ts'
import { flushDirectory } from '../folders.ts'
import { type Account, accountFor } from './account.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import { hasDatabase, needMode } from './modes.ts'
import { readPostmaster } from './pid.ts'
import { settings, socketFile, socketFolder, temporaryFolders } from './settings.ts'

export const user = 'ntt'

/** How long a fast shutdown may take before an immediate one, which is as safe and leaves a log to be replayed. */
export const fastSec = 20

/** Opens a file of ours, making it if need be. Not through a link: root may work in another's folder. */
export function openOurs(path: string, more = 0): number {
  try {
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    return openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | more, 0o600)
  } catch (cause) {
    throw new ObserveError(`cannot open ${path}`, { cause, hint: 'Run ntt as the owner of the project.' })
  }
}

/**
 * Starts a server that inherits `lock`, after making its database if there is none. Nobody else is in this folder meanwhile.
 * @returns the folder of its socket
 */
export async function startServer(
  home: string,
  data: string,
  packageRoot: string,
  lock: number,
  signal: AbortSignal,
): Promise<string> {
  const made = hasDatabase(data)
  const owner = made ? statSync(data).uid : null
  const major = made ? Number.parseInt(readFileSync(join(data, 'PG_VERSION'), 'latin1'), 10) : null
  const binaries = await findBinaries(packageRoot, join(home, 'lib'), major)
  if (made) needMode(data)
  const account = accountFor(home, owner, [home, join(binaries.bin, 'postgres'), ...temporaryFolders()])
  const socket = await socketFolder(data, account)
  const logFile = join(home, 'log')
  const tooLong = existsSync(logFile) && statSync(logFile).size > 1 << 20
  const log = openOurs(logFile, tooLong ? constants.O_TRUNC : 0)
  const run = (program: string, args: readonly string[]) =>
    launch(binaries, account, program, args, [log, lock])
  let server: Launched | null = null
  try {
    if (account.inherits)
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
  await flushDirectory(home)
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
  const stopIt = `tries=0
    while [ -e "$1" ] && ! flock --nonblock "$1" true; do
      [ $tries -lt ${fastSec * 10} ] && how=INT || how=QUIT
      read -r pid <"$0/postmaster.pid" && grep -aqF "$0" "/proc/$pid/cmdline" && kill -$how "$pid"
      tries=$((tries + 1))
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

/** A socket folder may hold what is not ours; then it stays. */
export const unlessBusy = (error: unknown) => (errnoOf(error) === 'ENOTEMPTY' ? undefined : unlessAway(error))

/** A file, or a process, that is not there. */
export function unlessAway(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ESRCH') throw error
}

/** The end of the server's log, for a person. */
async function tail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8')
  return text.trimEnd().split('\n').slice(-12).join('\n')
}
