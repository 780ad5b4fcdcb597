// Where the database server of a test run lives, from the global set-up to its tear-down.
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { flock } from '../../src/ports/flock.ts'

/** Inherited by every worker. */
const place = 'NTT_TEST_POSTGRES'

export const sharedFolder = (): string | undefined => process.env[place]

/** Memory, where there is plenty: hundreds of databases are made, and none has to survive a power cut. */
export function roomiest(): string {
  if (!existsSync('/dev/shm')) return tmpdir()
  const { bavail, bsize } = statfsSync('/dev/shm')
  return bavail * bsize > 4 * 2 ** 30 ? '/dev/shm' : tmpdir()
}

/** Chooses the server's folder. Nothing is started before a test asks. Returns the tear-down. */
export function shareServer(): () => Promise<void> {
  const folder = mkdtempSync(join(roomiest(), 'ntt-test-'))
  chmodSync(folder, 0o755)
  process.env[place] = folder
  return async () => {
    const lock = join(folder, 'postgres', 'server.lock')
    if (existsSync(lock)) {
      // The workers have ended, so the server is stopping by itself; its lock comes free when it has.
      const fd = openSync(lock, 'a')
      await flock(fd, 'exclusive', 30)
      closeSync(fd)
    }
    rmSync(folder, { recursive: true, force: true })
  }
}
