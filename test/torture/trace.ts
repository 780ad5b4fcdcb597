// Write points of the real command, seen from outside by strace: the program has no seam for it, and does not know.

/** The calls by which something changes. */
const writeCalls = [
  'rename', 'renameat2', 'link', 'unlink', 'rmdir', 'mkdir', 'fsync', 'fdatasync', 'syncfs', 'openat', 'write', 'writev',
] as const // prettier-ignore
type WriteCall = (typeof writeCalls)[number]

export const sides = ['before', 'after'] as const
export type Side = (typeof sides)[number]

/** A call is about to be made (before), or has been made (after). */
export interface Sight {
  readonly side: Side
  /** Of the thread; of a start: of the child. */
  readonly pid: string
  /** What the call does, with names of runs, media and contents left out. */
  readonly point: string
}

/** By which call a point is reached. */
export const callOf = (point: string): string => {
  const [word = ''] = point.split(' ')
  return { create: 'openat', start: 'execve', commit: 'write' }[word] ?? word
}

/**
 * Options of strace: only ntt itself is traced, and let go of are the programs that it starts. `held`: how long every such call
 * waits, in microseconds, on that side of it: long enough to be seen, and killed, in that very place.
 */
export function straceArguments(
  log: string,
  held: { readonly call: string; readonly side: Side; readonly us: number } | null,
): readonly string[] {
  const inject =
    held === null
      ? []
      : ['-e', `inject=${held.call}:delay_${held.side === 'before' ? 'enter' : 'exit'}=${held.us}`]
  const trace = `trace=${writeCalls.join(',')},execve`
  return ['-f', '-y', '-s', '400', '-b', 'execve', '-qq', '-o', log, '-e', trace, ...inject]
}

/**
 * Reads a trace line by line, in its order. `isWhole`: false for the words of a call that is still being made; they will come again.
 * A program is started once, however many folders of PATH it is looked for in. `folder`: of the project.
 */
export function openTrace(folder: string): (line: string, isWhole: boolean) => readonly Sight[] {
  const entered = new Map<string, { readonly name: string; readonly words: string }>()
  const programs = new Set<string>()
  return (line, isWhole) => {
    const [, pid = '', name = '', words = ''] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? []
    if (name === '') {
      const [, again = '', rest = ''] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? []
      const begun = entered.get(again)
      entered.delete(again)
      return begun === undefined ? [] : sightsOf(again, begun.name, `${begun.words}${rest}`, ['after'])
    }
    // The first of all is ntt itself.
    if (isWhole && programs.size === 0) programs.add(pid)
    const isAgain = name === 'execve' && programs.has(pid)
    if (isWhole && name === 'execve') programs.add(pid)
    const isOpen = words.endsWith(unfinished)
    if (isOpen) entered.set(pid, { name, words: words.slice(0, -unfinished.length) })
    return sightsOf(pid, name, words, [
      ...(isAgain ? [] : (['before'] as const)),
      ...(isOpen || !isWhole ? [] : (['after'] as const)),
    ])
  }

  function sightsOf(pid: string, name: string, words: string, phases: readonly Side[]): readonly Sight[] {
    return phases.flatMap((side) => {
      if (side === 'after' && (/= (-1 |\?)/.test(words) || (name === 'execve' && !words.endsWith(detached))))
        return []
      const call = writeCalls.find((one) => one === name)
      const point = name === 'execve' ? `start ${programOf(words)}` : call && pointOf(call, words, folder)
      return point === undefined ? [] : [{ side, pid, point }]
    })
  }
}

const unfinished = ' <unfinished ...>'
const detached = '<detached ...>'

/** The program behind those that only start it. */
function programOf(words: string): string {
  let all = [...words.slice(words.indexOf('[')).matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')
  while (/(setpriv|unshare|nsenter|prlimit)$/.test(all[0] ?? '') && all.includes('--')) {
    all = all.slice(all.indexOf('--') + 1)
    // sh -c SCRIPT PID, which asks for the parent.
    if (all[0] === '/bin/sh') all = all.slice(4)
  }
  return all[0]?.split('/').at(-1) ?? 'a program'
}

/** Undefined: nothing that a kill there would tell apart. */
function pointOf(call: WriteCall, words: string, folder: string): string | undefined {
  const plain = words
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
      return `${call} ${first}`
    case 'openat':
      return plain.includes('O_CREAT') ? `create ${first}` : undefined
    case 'fsync':
    case 'fdatasync':
    case 'syncfs':
      return open.startsWith('/') ? `${call} ${open}` : undefined
    case 'write':
    case 'writev':
      if (/Q\\0\\0\\0\\vcommit/.test(plain)) return 'commit'
      return open.startsWith('/.ntt') ? `${call} ${open}` : undefined
    default:
      return call satisfies never
  }
}
