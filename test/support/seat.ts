// A person's seat: a shell's terminal in a project, the real command in it, and a gate that holds real work as long as wanted.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { repository, type Project } from './project.ts'
import { openTerminal, type Terminal, type TerminalOptions } from './terminal.ts'

/** Programs that stand before the real ones on PATH. */
const programsOf = (made: Project): string => made.path('programs')

/**
 * From now on this program waits until the gate opens, and then does what it should: the run stays in the middle of a step.
 * Closes again with every call.
 */
export function gate(made: Project, program: string): { readonly open: () => void } {
  const real = execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`], {
    encoding: 'utf8',
  }).trim()
  const key = made.path(`${program}.open`)
  mkdirSync(programsOf(made), { recursive: true })
  const wrapper = join(programsOf(made), program)
  writeFileSync(wrapper, `#!/bin/sh\nwhile [ ! -e ${key} ]; do sleep 0.05; done\nexec ${real} "$@"\n`)
  chmodSync(wrapper, 0o755)
  return { open: () => writeFileSync(key, '') }
}

export interface Seat extends TerminalOptions {
  readonly database: string
}

/** Types one line at a shell between two others, so that what was on the terminal before and after is seen as well. */
export function sit(made: Project, line: string, { database, env = {}, ...options }: Seat): Terminal {
  const typed = `echo 'typed before'; ${line}; echo "ended with $?"`
  return openTerminal('/bin/sh', ['-c', typed], {
    columns: 110,
    rows: 32,
    cwd: made.folder,
    env: {
      NTT_DB_URL: database,
      PATH: `${programsOf(made)}${delimiter}${join(repository, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`,
      LANG: 'C.UTF-8',
      ...env,
    },
    ...options,
  })
}

/** The lines of the main screen from the first to the last that says something. */
export const page = (terminal: Terminal): string => terminal.mainScreen().join('\n').trim()
