// How the embedded server is set: where it listens, and what it may use of the machine.
import { createHash } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { lchown, lstat, mkdir, statfs } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { constrainedMemory } from 'node:process'
import { ObserveError, errnoOf } from '../../model/errors.ts'
import type { Account } from './account.ts'

export const port = 5432

/** Folders that may hold a socket: the usual one, and the one whose path is surely short. */
export const temporaryFolders = (): readonly string[] =>
  [tmpdir(), '/tmp'].filter((path) => existsSync(path)).map((path) => realpathSync(path))

/** The socket in its folder. */
export const socketFile = (folder: string) => join(folder, `.s.PGSQL.${port}`)

/** A folder for the socket that only the server's account may enter, with a path short enough for a socket. */
export async function socketFolder(data: string, { uid, gid }: Account): Promise<string> {
  const name = `ntt-${createHash('sha256').update(`${uid}:${data}`).digest('hex').slice(0, 16)}`
  const folder = temporaryFolders()
    .map((root) => join(root, name))
    .find((path) => socketFile(path).length < 107)
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

/** Settings of every start; a data directory's own file is never edited. */
export async function settings(socket: string): Promise<readonly string[]> {
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
