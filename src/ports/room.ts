// A room: a place of its own for mounts, which nobody else sees and which is gone with us, whatever ends us.
//
// A sleeping program holds a mount namespace and a process namespace. Filesystems are mounted and their servers run inside;
// from outside they are reached through /proc/PID/root. When the sleeper dies (`setpriv --pdeathsig`, `unshare
// --kill-child`), the kernel ends what runs inside, unmounts, and detaches loop devices: there is nothing to sweep.
import { readFile, readlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from '../model/command.ts'
import { ObserveError, errnoOf } from '../model/errors.ts'
import type { Room } from '../model/world.ts'
import { lendProgram, runProgram, unanswered, type ExecOptions } from './exec.ts'

/** The mount point, as seen from inside; it is on every system, and what is below it outside stays as it is. */
const inside = '/mnt'
const foreverMs = 2_000_000_000
const openMs = 10_000

const holder = (isRoot: boolean): Command => ({
  file: 'unshare',
  args: [
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '--',
    'sleep',
    'infinity',
  ],
  timeoutMs: foreverMs,
})

/** Throws ObserveError where the system does not allow it. */
export async function openRoom(options: ExecOptions, isRoot = process.getuid?.() === 0): Promise<Room> {
  const held = await lendProgram(holder(isRoot), options)
  try {
    const pid = await sleeper(held.pid, held.ended)
    const enter = [
      '--target',
      String(pid),
      '--mount',
      '--pid',
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
    ]
    const within = ({ file, args, ...rest }: Command): Command => ({
      ...rest,
      file: 'nsenter',
      args: [...enter, '--', file, ...args],
    })
    return {
      inside,
      root: `/proc/${pid}/root${inside}`,
      probe: (command) => runProgram(within(command), options).catch(unanswered),
      mounted: () => mountedAt(pid),
      [Symbol.asyncDispose]: () => held.end(),
    }
  } catch (error) {
    await held.end()
    throw error
  }
}

/** The sleeping child, once it sleeps in namespaces of its own. */
async function sleeper(parent: number, ended: Promise<string>): Promise<number> {
  const ours = await readlink('/proc/self/ns/mnt')
  let failed: string | null = null
  void ended.then((why) => {
    failed = why
  })
  for (let waited = 0; waited < openMs; waited += 5) {
    const child = await read(`/proc/${parent}/task/${parent}/children`)
    const pid = Number(child.trim().split(' ')[0])
    if (child.trim() !== '' && (await read(`/proc/${pid}/comm`)).trim() === 'sleep') {
      const theirs = await readlink(`/proc/${pid}/ns/mnt`).catch(() => ours)
      if (theirs !== ours) return pid
    }
    if (failed !== null) break
    await sleep(5)
  }
  throw new ObserveError(`no namespace could be made for a mount: ${failed ?? 'it did not begin to sleep'}`)
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return ''
  }
}

/** Type and source of what is mounted at the mount point; null: nothing. */
async function mountedAt(pid: number): Promise<{ readonly type: string; readonly source: string } | null> {
  const lines = (await readFile(`/proc/${pid}/mountinfo`, 'latin1')).split('\n')
  for (const line of lines.toReversed()) {
    const [before = '', after = ''] = line.split(' - ')
    const [type = '', source = ''] = after.split(' ')
    if (before.split(' ')[4] === inside) return { type, source }
  }
  return null
}
