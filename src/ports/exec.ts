// Programs: argv in, output or a failure with its stderr out. The only importer of execa.
//
// Each program is started directly under `setpriv --pdeathsig KILL`, so that none outlives ntt, not even its SIGKILL,
// and under `prlimit`, so that what a medium makes it do cannot take all memory. stdin is
// empty, the zone is UTC, the locale is C.UTF-8.
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import type { Command } from '../model/command.ts'
import { InterruptedError, NttError, ObserveError, RunError, messageOf } from '../model/errors.ts'
import type { Output } from '../model/world.ts'
import { handOver, openWidePipe, type WidePipe } from './wide-pipe.ts'

const stderrKept = 4096
const probeBytes = 64 * 1024 * 1024
/** Address space of a program: none that reads a medium needs so much, unless the medium makes it. */
const memoryBytes = 8 * 1024 ** 3

export interface ExecOptions {
  readonly signal: AbortSignal
  /** Told of each line that a program writes to stderr, as it comes. */
  readonly line: (text: string) => void
  /** The search path, as in PATH. */
  readonly path: string
}

/** The absolute path of a program on the search path, or null if it is not installed. */
export async function whereIs(program: string, path: string): Promise<string | null> {
  const places = program.includes('/')
    ? [program]
    : path.split(delimiter).map((folder) => join(folder, program))
  for (const place of places) {
    const runs = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return place
  }
  return null
}

/** The last lines of what a program writes, within a bound. */
class Tail {
  #kept = ''
  #rest = ''
  readonly #line: (text: string) => void
  constructor(line: (text: string) => void) {
    this.#line = line
  }
  add(chunk: Buffer): void {
    const text = chunk.toString('utf8')
    this.#kept = (this.#kept + text).slice(-stderrKept)
    const lines = (this.#rest + text).split(/\r\n|\n|\r/)
    this.#rest = (lines.pop() ?? '').slice(-stderrKept)
    for (const line of lines) if (line.trim() !== '') this.#line(line)
  }
  get text(): string {
    return this.#kept.trim()
  }
}

/** The child sees no environment of ours but what it needs: a database URL with its password is nobody's business. */
const spawn = (argv: readonly string[], command: Command, options: ExecOptions, stdout: 'pipe' | number) =>
  execa(argv[0] ?? '', argv.slice(1), {
    buffer: false,
    reject: false,
    encoding: 'buffer',
    stdin: 'ignore',
    // A number is handed to the program as it is; execa's types do not say so.
    stdout: stdout as 'pipe',
    stderr: 'pipe',
    killDescendants: true,
    forceKillAfterDelay: 2000,
    timeout: command.timeoutMs,
    cancelSignal: options.signal,
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    extendEnv: false,
    env: { HOME: '/', PATH: options.path, TZ: 'UTC', LC_ALL: 'C.UTF-8', ...command.env },
  })

/** Whose parent was killed between its start and setpriv's word to the kernel has another parent now, and ends. */
const ifParentLives = ['/bin/sh', '-c', '[ "$PPID" = "$0" ] && exec "$@"', String(process.pid)]

interface Running {
  readonly child: ReturnType<typeof spawn>
  readonly chunks: AsyncIterable<Buffer>
  readonly tail: Tail
  /** Why we ended it, if we did. */
  ended: Error | null
}

async function start(command: Command, options: ExecOptions, wide: boolean): Promise<Running> {
  options.signal.throwIfAborted()
  const [program, guard, limiter] = await Promise.all([
    whereIs(command.file, options.path),
    whereIs('setpriv', options.path),
    whereIs('prlimit', options.path),
  ])
  if (program === null) {
    throw new ObserveError(`${command.file} is not installed`, {
      hint: 'ntt doctor tells which package it is in.',
    })
  }
  const argv = [
    ...(guard === null ? [] : [guard, '--pdeathsig', 'KILL', '--', ...ifParentLives]),
    ...(limiter === null ? [] : [limiter, `--as=${memoryBytes}`, '--']),
    program,
    ...command.args,
  ]
  const tail = new Tail(options.line)
  const pipe = wide ? openWidePipe() : null
  const child = spawn(argv, command, options, pipe?.writing ?? 'pipe')
  if (pipe !== null) attach(child, pipe)
  child.stderr.on('data', (chunk: Buffer) => tail.add(chunk))
  const chunks = pipe?.chunks ?? (child.stdout as AsyncIterable<Buffer>)
  return { child, chunks, tail, ended: null }
}

/** The pipe is the program's; where that was killed, nobody waits for those that it has left behind. */
function attach(child: Running['child'], pipe: WidePipe): void {
  handOver(pipe)
  void child.then(({ exitCode }) => {
    if (exitCode === undefined) pipe.end()
  })
}

/** Waits for the end; returns the exit status, or throws what kept the program from giving an answer. */
async function finish(command: Command, running: Running, options: ExecOptions): Promise<number> {
  const result = await running.child
  if (options.signal.aborted) {
    const { reason } = options.signal
    // Who lost the medium or its database was not interrupted by anybody.
    if (reason instanceof NttError && !(reason instanceof InterruptedError)) throw reason
    throw new InterruptedError(`${command.file} was stopped`, { cause: reason })
  }
  if (running.ended !== null) throw running.ended
  const stderr = running.tail.text
  if (result.timedOut) {
    throw new RunError(`${command.file} did not end within ${command.timeoutMs / 1000} s and was stopped`, {
      stderr,
    })
  }
  if (result.exitCode === undefined) {
    const by = result.signal ?? messageOf(result.cause ?? 'something unknown')
    throw new RunError(`${command.file} was ended by ${by}`, { stderr, cause: result.cause })
  }
  if (result.exitCode !== 0 && !(command.accept ?? []).includes(result.exitCode)) {
    const last = stderr.split('\n').at(-1) ?? ''
    throw new RunError(`${command.file} ended with ${result.exitCode}${last === '' ? '' : `: ${last}`}`, {
      status: result.exitCode,
      stderr,
    })
  }
  return result.exitCode
}

/**
 * Takes stdout as it comes, and throws at the end if the program failed, was silent too long, or wrote too much. A chunk is only
 * valid until the next one is asked for; not so where it is not `wide`, for those who keep what a short program says.
 */
export async function* streamProgram(
  command: Command,
  options: ExecOptions,
  wide = true,
): AsyncGenerator<Buffer, number> {
  const running = await start(command, options, wide)
  const { child } = running
  const end = (why: string): void => {
    running.ended ??= new RunError(why, { stderr: running.tail.text })
    child.kill('SIGKILL')
  }
  const idleMs = command.idleMs ?? 0
  let idle: NodeJS.Timeout | undefined
  const rearm = (): void => {
    if (idleMs > 0)
      idle = setTimeout(
        () => end(`${command.file} said nothing for ${idleMs / 1000} s and was stopped`),
        idleMs,
      )
  }
  let bytes = 0
  let whole = false
  try {
    rearm()
    for await (const chunk of running.chunks) {
      clearTimeout(idle)
      bytes += chunk.length
      if (bytes > (command.maxBytes ?? Number.POSITIVE_INFINITY)) {
        end(`${command.file} wrote more than ${command.maxBytes} bytes and was stopped`)
        break
      }
      yield chunk
      rearm()
    }
    whole = true
  } catch (error) {
    whole = true
    // A broken pipe is a consequence: the program's own end says why.
    await finish(command, running, options)
    throw new RunError(`${command.file}: ${messageOf(error)}`, { cause: error, stderr: running.tail.text })
  } finally {
    clearTimeout(idle)
    // The reader left early: what the program would still say is not wanted.
    if (!whole) {
      child.kill('SIGKILL')
      await child
    }
  }
  return await finish(command, running, options)
}

/** Runs a program to its end and keeps its stdout, at most 64 MiB. */
export async function runProgram(command: Command, options: ExecOptions): Promise<Output> {
  const chunks: Buffer[] = []
  const stderr: string[] = []
  const line = (text: string): void => {
    stderr.push(text)
    if (stderr.length > 200) stderr.shift()
    if (command.accept === undefined) options.line(text)
  }
  const kept = command.isPainter === true ? {} : { maxBytes: probeBytes }
  const stream = streamProgram({ ...kept, ...command }, { ...options, line }, false)
  for (;;) {
    const next = await stream.next()
    if (next.done === true) {
      // Where an exit code is an answer, what was written to stderr with it is a part of that: no event.
      if (command.accept !== undefined && next.value === 0) for (const told of stderr) options.line(told)
      return { status: next.value, stdout: Buffer.concat(chunks), stderr: stderr.join('\n') }
    }
    if (command.isPainter !== true) chunks.push(next.value)
  }
}

/** For those who look: a program that gave no answer means that we could not look. */
export function unanswered(error: unknown): never {
  if (error instanceof RunError) {
    throw new ObserveError(error.message, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }
  throw error
}

/** A program that stays until it is sent away. */
export interface Lent {
  readonly pid: number
  /** Resolves, never rejects, when it has ended, with why. */
  readonly ended: Promise<string>
  /** Ends it, and waits until it is gone. */
  end(): Promise<void>
}

/** Starts a program that is of use only while it runs; it goes with us in any case. */
export async function lendProgram(command: Command, options: ExecOptions): Promise<Lent> {
  const running = await start(command, options, false)
  const { child, tail } = running
  child.stdout.resume()
  const ended = finish(command, running, options).then(
    (status) => `${command.file} ended with ${status}: ${tail.text}`,
    (error: unknown) => messageOf(error),
  )
  const { pid } = child
  if (pid === undefined) throw new ObserveError(`${command.file} did not start: ${await ended}`)
  return {
    pid,
    ended,
    async end() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
