// Locks on files, by flock(1). They belong to the open file: the kernel frees them when its last holder is gone.
import { spawn } from 'node:child_process'
import { ObserveError } from '../model/errors.ts'

/** flock(1)'s answer when somebody else holds the lock; ours to choose. */
const taken = 75

/**
 * Takes (or turns over) the lock of an open file. The lock stays when flock(1) has ended, because the open file is
 * shared with it; closing `fd`, or dying in any way, gives it back.
 * @param waitSec how long to wait for it; 0: not at all
 * @returns whether it was to be had
 */
export function flock(
  fd: number,
  mode: 'shared' | 'exclusive',
  waitSec: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const patience = waitSec === 0 ? ['--nonblock'] : ['--timeout', String(waitSec)]
  const child = spawn('flock', [`--${mode}`, ...patience, '--conflict-exit-code', String(taken), '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    ...(signal && { signal }),
  })
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => {
      reject(
        signal?.aborted
          ? signal.reason
          : new ObserveError('cannot run flock', { cause, hint: 'Install util-linux.' }),
      )
    })
    child.on('close', (code, ended) => {
      if (code === 0 || code === taken) resolve(code === 0)
      else if (ended !== null) reject(new ObserveError(`flock was ended by ${ended}`))
      else
        reject(
          new ObserveError(
            `flock ended with ${code}: the filesystem of the folder that was to be locked (of the state, the store or the database) cannot lock files`,
            { hint: 'Give that root another place: ntt doctor shows where each one is.' },
          ),
        )
    })
  })
}
