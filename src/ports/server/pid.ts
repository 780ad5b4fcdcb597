// What a server's pid file says, and whether it is true.
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { errnoOf } from '../../model/errors.ts'

/**
 * What the pid file says of a server of this data directory; null where there is none, or its process is another's.
 * Lines of the file: pid, data directory, start time, port, socket folder, listen address, shared memory, readiness.
 */
export function readPostmaster(data: string): { pid: number; socket: string; ready: boolean } | null {
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
