// Runs a program and tells what it cost: time, processor time, memory.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs'
import type { Sample, Series } from './figures.ts'

export interface Program {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to ours; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where its stdout goes; thrown away if left out. */
  readonly stdout?: string
  /** Exit codes that are a success, beside 0. */
  readonly accept?: readonly number[]
}

export interface Ran extends Sample {
  readonly code: number
  readonly out: string
}

/** A pipeline or several programs, one after the other, in the shell that everybody has. */
export const shell = (script: string, ...args: readonly string[]): Program => ({
  file: 'sh',
  args: ['-euc', script, 'sh', ...args],
})

/**
 * Before something that writes much is measured: nothing is left to be written, and free memory is as cold for one as for the other. A
 * virtual machine may give free memory back to its host after some seconds; whoever takes it then pays for each page, several times what
 * writing to it costs, while one that follows at once on another finds it warm.
 */
export const settle = async ({ quick }: { readonly quick: boolean }): Promise<void> => {
  await run(shell(quick ? 'sync' : 'sync; sleep 5'))
}

const ticksPerSecond = 100

/** Processor time of all children that have ended and were waited for, in seconds. */
function spent(): number {
  const fields = fieldsOf(statText('self'))
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond
}

/** /proc/PID/stat; empty where the process has ended. */
function statText(pid: number | 'self'): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // It has ended between two looks.
    return ''
  }
}

/** What stands behind the program's name: first the state, then the parent. */
const fieldsOf = (text: string): readonly string[] => text.slice(text.lastIndexOf(')') + 2).split(' ')

/** Runs a program to its end; throws with the end of what it said if it fails. */
export async function run({ file, args, cwd, env, stdout, accept = [] }: Program): Promise<Ran> {
  const into = openSync(stdout === undefined || stdout === '-' ? '/dev/null' : stdout, 'w')
  const before = spent()
  const began = performance.now()
  const child = spawn(file, [...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdout === '-' ? 'pipe' : into, 'pipe'],
  })
  const watch = watchMemory(child.pid ?? 0)
  const told: Buffer[] = []
  const out: Buffer[] = []
  child.stderr?.on('data', (bytes: Buffer) => told.push(bytes))
  child.stdout?.on('data', (bytes: Buffer) => out.push(bytes))
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (status, signal) => resolve(status ?? (signal === null ? 1 : 128)))
    })
    const seconds = (performance.now() - began) / 1000
    if (code !== 0 && !accept.includes(code))
      throw new Error(
        `${file} ${args.join(' ')}: exit ${code}\n${Buffer.concat([...out, ...told])
          .toString()
          .slice(-2000)}`,
      )
    const text = Buffer.concat(out).toString()
    return { seconds, cpuSeconds: spent() - before, ...watch(), code, out: text }
  } finally {
    watch()
    closeSync(into)
  }
}

/** Looks at what a process and its children hold. The kernel keeps the high-water mark of each; the sum has to be caught. */
function watchMemory(pid: number): () => Pick<Sample, 'peakBytes' | 'treeBytes'> {
  let [peakBytes, treeBytes] = [0, 0]
  const own = (): void => {
    peakBytes = Math.max(peakBytes, held(pid, 'VmHWM'))
  }
  const all = (): void => {
    const sum = family(pid).reduce((bytes, one) => bytes + held(one, 'VmRSS'), 0)
    treeBytes = Math.max(treeBytes, sum)
  }
  const timers = [setInterval(own, 25), setInterval(all, 250)]
  return () => {
    for (const timer of timers) clearInterval(timer)
    return { peakBytes, treeBytes: Math.max(peakBytes, treeBytes) }
  }
}

/** A process and all below it, without the database's. */
function family(pid: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const text = statText(Number(name))
    if (text === '' || text.includes('(postgres)')) continue
    const parent = Number(fieldsOf(text)[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [pid]
  for (const one of found) found.push(...(children.get(one) ?? []))
  return found
}

function held(pid: number, what: 'VmHWM' | 'VmRSS'): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(new RegExp(`^${what}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024
  } catch {
    // It has ended between two looks.
    return 0
  }
}

/** One that is measured. `prepare` and `clear` are not part of the time. */
export interface Contender<S extends Sample = Sample> {
  readonly name: string
  prepare?(round: number): Promise<void>
  run(round: number): Promise<S>
  clear?(round: number): Promise<void>
}

/** A B C, B C A, C A B …: every contender once in a round, so that rounds pair up. */
export async function interleave<S extends Sample>(
  contenders: readonly Contender<S>[],
  rounds: number,
  tell: (text: string) => void,
): Promise<readonly Series<S>[]> {
  const samples = contenders.map((): S[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const which = (turn + round) % contenders.length
      const contender = contenders[which]
      if (contender === undefined) continue
      await contender.prepare?.(round)
      try {
        const sample = await contender.run(round)
        samples[which]?.push(sample)
        tell(`round ${round + 1}/${rounds}  ${contender.name}  ${sample.seconds.toFixed(2)} s`)
      } finally {
        await contender.clear?.(round)
      }
    }
  }
  return contenders.map(({ name }, which) => ({ name, samples: samples[which] ?? [] }))
}
