// The embedded PostgreSQL: private to a project, shared by every ntt in it, started on demand, stopped by the last one out.
//
// Two locks in its folder say all there is to know. `users.lock` is shared by everyone who uses the server; who can
// turn it into an exclusive one is the last. `server.lock` is inherited by the server itself, so whoever gets it
// knows that no server lives there, whatever a pid file says. The kernel frees both when their holders are gone.
import { closeSync, realpathSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { NttError, ObserveError, errnoOf, messageOf } from '../../model/errors.ts'
import { stopReason } from '../errno.ts'
import { flock } from '../flock.ts'
import { makeDirectories } from '../folders.ts'
import { hasDatabase } from './modes.ts'
import { readPostmaster } from './pid.ts'
import { port } from './settings.ts'
import { fastSec, openOurs, startServer, unlessAway, unlessBusy, user } from './start.ts'

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
export const serverExists = (directory: string): boolean => hasDatabase(join(directory, 'data'))

/** Longest wait for a server that lives but does not answer yet: the replay of a long log after a crash. */
const patienceMs = 600_000

/** Joins the server of `directory`; starts it (and makes its database) if it is not there. */
export async function openServer({ directory, packageRoot, signal }: ServerOptions): Promise<Server> {
  try {
    makeDirectories(directory)
  } catch (error) {
    throw blame(error, directory, signal)
  }
  const home = realpathSync(directory)
  const data = join(home, 'data')
  hasDatabase(data)
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
    throw blame(error, home, signal)
  }
}

/** An interrupted start is an interruption; what the system refused is a database that we cannot look into. */
function blame(error: unknown, home: string, signal: AbortSignal): unknown {
  if (signal.aborted) return stopReason(signal, error)
  if (errnoOf(error) === undefined || error instanceof NttError) return error
  return new ObserveError(`cannot start the database server in ${home}: ${messageOf(error)}`, {
    cause: error,
  })
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
        return await startServer(home, data, packageRoot, lock, signal)
    } finally {
      closeSync(lock)
    }
    await sleep(20, undefined, { signal })
  }
  throw new ObserveError(`the database server of ${home} does not answer`, {
    hint: `See ${join(home, 'log')}`,
  })
}

/**
 * Fast shutdown, awaited; a server that does not end by it is stopped at once, and replays its log when it is started again.
 * (PostgreSQL 18 never ends when it is asked while it mends itself after the loss of a process.) Only for one who holds
 * `users.lock` alone.
 */
async function stop(home: string, data: string): Promise<void> {
  const lock = openOurs(join(home, 'server.lock'))
  try {
    for (const [name, waitSec] of [
      ['SIGINT', fastSec],
      ['SIGQUIT', 60],
    ] as const) {
      const alive = readPostmaster(data)
      if (!alive) return
      try {
        process.kill(alive.pid, name)
      } catch (error) {
        unlessAway(error)
      }
      if (!(await flock(lock, 'exclusive', waitSec))) continue
      await rmdir(alive.socket).catch(unlessBusy)
      return
    }
  } finally {
    closeSync(lock)
  }
}
