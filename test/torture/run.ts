// The real command, started so that it can be killed; and what must hold when it has been.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository, type Project } from '../support/project.ts'
import { findLies } from './lies.ts'
import { everyone, isAlive, usersOf, type Process } from './processes.ts'
import type { Truth } from './truth.ts'

/** How a run ended: an exit code, or the name of the signal. */
export interface Ended {
  readonly end: number | NodeJS.Signals
  readonly told: string
}

export interface Running {
  readonly pid: number
  readonly ended: Promise<Ended>
}

const packages = join(repository, 'node_modules')
const node = join(
  packages,
  readdirSync(packages).find((name) => name.startsWith('node-linux-')) ?? '',
  'bin/node',
)
/** What bin/ntt starts; started here without the shell before it, so that a tracer may let go of whatever is started later. */
const command = [
  node,
  '--max-semi-space-size=4',
  '--disable-warning=ExperimentalWarning',
  join(repository, 'dist/cli.mjs'),
]
const settings = { UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2' }

/** Longest that a run may take: a run that hangs is a failure. */
const patienceMs = 180_000

/** Starts `ntt apply --yes` in a project, by way of another program if one is given. */
export function startApply(made: Project, through: readonly string[] = []): Running {
  const [file, ...args] = [...through, ...command, 'apply', '--yes']
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('NTT_') && name !== 'FORCE_COLOR',
  )
  const child = spawn(file, args, {
    cwd: made.folder,
    env: { ...Object.fromEntries(inherited), ...settings, CI: 'true', NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let told = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      told += chunk.toString()
    })
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve({ end: code ?? signal ?? -1, told })
    })
  })
  return { pid: child.pid ?? -1, ended }
}

/** Ends a process and no other: it is asked first whether it is still the one that was meant. */
export function kill(one: Process): boolean {
  const same = everyone().some(({ pid, start }) => pid === one.pid && start === one.start)
  if (!same) return false
  try {
    process.kill(one.pid, 'SIGKILL')
    return true
  } catch {
    // It ended by itself meanwhile.
    return false
  }
}

/** Waits until none of these live and nobody uses the project; who is left after a while is told. */
export async function findSurvivors(made: Project, before: readonly Process[]): Promise<readonly string[]> {
  const deadline = performance.now() + 90_000
  for (;;) {
    const left = [...before.filter(isAlive), ...usersOf(made.folder)]
    if (left.length === 0) return []
    if (performance.now() > deadline) return left.map(({ name, pid }) => `${name} (${pid}) still runs`)
    await sleep(20)
  }
}

/** The server's first process, if it lives. */
export const postmasterOf = (made: Project): Process | null =>
  usersOf(made.path('.ntt/postgres/data')).find(
    ({ name, parent }) =>
      name === 'postgres' && !everyone().some((one) => one.pid === parent && one.name === 'postgres'),
  ) ?? null

/** Runs it again, undisturbed, and says what is not as it must be. */
export async function runAgain(made: Project, truth: ReadonlyMap<string, Truth>): Promise<readonly string[]> {
  const { end, told } = await startApply(made).ended
  const lies = findLies(made, truth)
  if (end !== 0) return [`the next run ended with ${end}:\n${told}`, ...lies]
  return lies
}
