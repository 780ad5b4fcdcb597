// Write points of the real command, seen and hit from outside by strace: the program has no seam for it, and does not know.
import { readFileSync } from 'node:fs'

/** The calls by which something changes, or a child begins. */
export const writeCalls = [
  'rename', 'renameat2', 'link', 'unlink', 'rmdir', 'mkdir', 'fsync', 'fdatasync', 'syncfs', 'openat', 'write', 'writev', 'clone',
] as const // prettier-ignore
export type WriteCall = (typeof writeCalls)[number]

/** One call of one thread. */
export interface Call {
  readonly call: WriteCall
  /** It is the thread's n-th of its kind, from 1. */
  readonly nth: number
  /** What it does, with names of runs, media and contents left out; null: nothing that a kill there would tell apart. */
  readonly point: string | null
}

/**
 * Options of strace: only ntt itself is traced, and let go of are the programs that it starts. `hit`: the n-th call of this kind
 * in whichever thread comes to it first; a SIGKILL comes before the call is done, a SIGALRM right after it, and nothing of ntt
 * runs any more in either case.
 */
export function straceArguments(
  log: string,
  hit: { readonly call: WriteCall; readonly nth: number; readonly isAfter: boolean } | null,
): readonly string[] {
  const inject =
    hit === null
      ? []
      : ['-e', `inject=${hit.call}:signal=${hit.isAfter ? 'SIGALRM' : 'SIGKILL'}:when=${hit.nth}`]
  return [
    '-f',
    '-y',
    '-s',
    '400',
    '-b',
    'execve',
    '-qq',
    '-o',
    log,
    '-e',
    `trace=${writeCalls.join(',')},execve`,
    ...inject,
  ]
}

/** One thread of the pool in place of four: so the n-th call of a kind is nearly always the same one. */
export const steady = { UV_THREADPOOL_SIZE: '1' }

/** All calls of a trace, in their order. `folder`: of the project. */
export function readTrace(log: string, folder: string): readonly Call[] {
  const lines = readFileSync(log, 'latin1').split('\n')
  const programs = new Map<string, string>()
  for (const line of lines) {
    const [, pid = '', words = ''] = /^(\d+) +execve\("[^"]*", \[(.*?)\]/.exec(line) ?? []
    if (pid !== '') programs.set(pid, programOf(words))
  }
  const counts = new Map<string, number>()
  return lines.flatMap((line) => {
    const [, pid = '', name = '', rest = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? []
    const call = writeCalls.find((one) => one === name)
    if (call === undefined) return []
    const nth = (counts.get(`${pid} ${call}`) ?? 0) + 1
    counts.set(`${pid} ${call}`, nth)
    return [{ call, nth, point: pointOf(call, rest, folder, programs) }]
  })
}

/** The program behind those that only start it. */
function programOf(words: string): string {
  const all = [...words.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')
  const behind = all.indexOf('--')
  const [first = ''] = all
  const one = /setpriv$|unshare$|nsenter$/.test(first) && behind >= 0 ? (all[behind + 1] ?? first) : first
  return one.split('/').at(-1) ?? one
}

function pointOf(
  call: WriteCall,
  rest: string,
  folder: string,
  programs: ReadonlyMap<string, string>,
): string | null {
  const plain = rest
    .replaceAll(folder, '')
    .replaceAll(/\d{8}-\d{6}-[0-9a-f]{6}/g, 'RUN')
    .replaceAll(/[0-9a-f]{64}/g, 'BLOB')
    .replaceAll(/[0-9a-f]{32}/g, 'MEDIUM')
    .replaceAll(/by-hash\/[0-9a-f]{2}\/[0-9a-f]{2}/g, 'by-hash/xx/yy')
    .replaceAll(/by-hash\/[0-9a-f]{2}/g, 'by-hash/xx')
    .replaceAll(/(ntt-tmp\/RUN)[^"> ]*/g, '$1/N')
    .replaceAll(/ntt-[0-9a-f]{16}/g, 'ntt-SOCKET')
  const [first = '', second = ''] = [...plain.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')
  const [, open = ''] = /^\d+<([^>]*)>/.exec(plain) ?? []
  switch (call) {
    case 'rename':
    case 'renameat2':
    case 'link':
      return `${call} ${first} ${second}`
    case 'unlink':
    case 'rmdir':
    case 'mkdir':
      return /= -1/.test(plain) ? null : `${call} ${first}`
    case 'openat':
      return plain.includes('O_CREAT') ? `create ${first}` : null
    case 'fsync':
    case 'fdatasync':
    case 'syncfs':
      return open.startsWith('/') ? `${call} ${open}` : null
    case 'write':
    case 'writev':
      if (/Q\\0\\0\\0\\vcommit/.test(plain)) return 'commit'
      return open.startsWith('/.ntt') ? `write ${open}` : null
    case 'clone': {
      const [, child = ''] = /= (\d+)/.exec(plain) ?? []
      return `start ${programs.get(child) ?? 'a program'}`
    }
    default:
      return call satisfies never
  }
}
