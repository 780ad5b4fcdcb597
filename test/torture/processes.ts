// Who runs: the descendants of a process, and everybody who has anything of a project open.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** One process; `start` (clock ticks since boot) tells it from a later one with the same number. */
export interface Process {
  readonly pid: number
  readonly parent: number
  readonly start: string
  /** The program's name, at most 15 bytes. */
  readonly name: string
}

/** Everyone who lives now; a zombie does not. */
export function everyone(): readonly Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const text = read(`/proc/${name}/stat`)
      if (text === '') return []
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      const [kind = '', parent = ''] = fields
      if (kind === 'Z' || kind === 'X') return []
      return [
        {
          pid: Number(name),
          parent: Number(parent),
          start: fields[19] ?? '',
          name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')),
        },
      ]
    })
}

/** All below one process, itself not included. */
export function descendants(pid: number): readonly Process[] {
  const all = everyone()
  const below = (parent: number): readonly Process[] =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)])
  return below(pid)
}

export const isAlive = ({ pid, start }: Process): boolean =>
  everyone().some((one) => one.pid === pid && one.start === start)

/** Everybody with an open file, a working directory or an argument below this folder, but for ourselves. */
export function usersOf(folder: string): readonly Process[] {
  return everyone().filter(({ pid }) => {
    if (pid === process.pid) return false
    if (read(`/proc/${pid}/cmdline`).includes(folder)) return true
    const links = [`/proc/${pid}/cwd`, ...descriptors(pid)]
    return links.some((link) => target(link).startsWith(folder))
  })
}

function descriptors(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)
  } catch {
    // It has ended meanwhile, or is another user's.
    return []
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

/** What a file of /proc says; nothing where its process has ended. */
export function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
