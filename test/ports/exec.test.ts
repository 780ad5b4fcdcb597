// Programs that fail, sleep, chatter or are absent: each is told for what it is, and none is left running.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RunError } from '../../src/model/errors.ts'
import { runProgram, streamProgram } from '../../src/ports/exec.ts'
import { repository, scratch } from '../support/project.ts'
import { usersOf } from '../torture/processes.ts'

const options = (signal = new AbortController().signal) => ({
  signal,
  line: () => {},
  path: process.env['PATH'] ?? '',
})
const sh = (script: string, more: object = {}) => ({
  file: 'sh',
  args: ['-c', script],
  timeoutMs: 10_000,
  ...more,
})

test('a program that ends with 0 gives its stdout as bytes', async () => {
  const { stdout, status } = await runProgram(sh(String.raw`printf 'a\000\377'`), options())
  expect([status, [...stdout]]).toEqual([0, [0x61, 0, 0xff]])
})

test('an exit code that is an answer is returned, any other is a failure with the last line of stderr', async () => {
  expect((await runProgram(sh('exit 3', { accept: [3] }), options())).status).toBe(3)
  await expect(
    runProgram(sh('echo first >&2; echo disc on fire >&2; exit 4'), options()),
  ).rejects.toMatchObject({
    tag: 'run',
    status: 4,
    message: 'sh ended with 4: disc on fire',
    stderr: 'first\ndisc on fire',
  })
})

test('a program that is not installed is something that could not be looked at', async () => {
  const absent = { file: 'no-such-program', args: [], timeoutMs: 1000 }
  await expect(runProgram(absent, options())).rejects.toMatchObject({ tag: 'observe', exitCode: 5 })
})

test('a program that hangs is stopped at its time-out, one that falls silent at its idle time', async () => {
  await expect(runProgram(sh('sleep 60', { timeoutMs: 300 }), options())).rejects.toThrow(
    'did not end within 0.3 s',
  )
  await expect(runProgram(sh('echo one; sleep 60', { idleMs: 300 }), options())).rejects.toThrow(
    'said nothing for 0.3 s',
  )
})

test('a program that writes without end is stopped at its bound', async () => {
  await expect(runProgram(sh('yes', { maxBytes: 100_000 }), options())).rejects.toThrow(
    'wrote more than 100000 bytes',
  )
})

test('a program that takes memory without end is refused it', async () => {
  const greedy = {
    file: 'dd',
    args: ['if=/dev/zero', 'of=/dev/null', 'bs=16G', 'count=1'],
    timeoutMs: 60_000,
  }
  await expect(runProgram(greedy, options())).rejects.toThrow(/memory exhausted|Cannot allocate/)
})

test('a program that is stopped because something was lost says what, and not that it was interrupted', async () => {
  const lost = new AbortController()
  const running = runProgram(sh('sleep 60'), options(lost.signal))
  setTimeout(() => lost.abort(new RunError('the connection was lost')), 100)
  await expect(running).rejects.toMatchObject({ tag: 'run', message: 'the connection was lost' })
})

test('a program ended by a signal is a failure, not an empty answer', async () => {
  await expect(runProgram(sh('kill -9 $$'), options())).rejects.toThrow('SIGKILL')
})

test('a failure after the output was taken is told at the end of the stream', async () => {
  const read = async () => {
    let text = ''
    for await (const chunk of streamProgram(sh('echo half; exit 1'), options())) text += chunk.toString()
    return text
  }
  await expect(read()).rejects.toThrow('sh ended with 1')
})

test('leaving a stream early ends the program and all that it started', async () => {
  const tag = `3${process.pid}.5`
  for await (const chunk of streamProgram(sh(`sleep ${tag} & yes`), options())) {
    if (chunk.length > 0) break
  }
  const left = await runProgram(
    { file: 'pgrep', args: ['-f', `^sleep ${tag}`], timeoutMs: 5000, accept: [1] },
    options(),
  )
  expect(left.stdout.toString()).toBe('')
})

test('an abort ends the program and is told as an interruption', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 200)
  await expect(runProgram(sh('sleep 60'), options(controller.signal))).rejects.toMatchObject({
    tag: 'interrupted',
  })
})

test('the environment of ntt, with its secrets, is not handed on', async () => {
  process.env['NTT_DB_URL'] = 'postgres://u:secret@h/d'
  try {
    expect((await runProgram(sh('env'), options())).stdout.toString()).not.toContain('secret')
  } finally {
    delete process.env['NTT_DB_URL']
  }
})

test('what is written to stderr with an exit code that is an answer is kept with it, and told as an event only on success', async () => {
  const lines: string[] = []
  const hears = { ...options(), line: (text: string) => void lines.push(text) }
  const asked = await runProgram(sh('echo no table >&2; exit 1', { accept: [1] }), hears)
  expect([asked.stderr, lines]).toEqual(['no table', []])
  await runProgram(sh('echo odd >&2; exit 0', { accept: [1] }), hears)
  expect(lines).toEqual(['odd'])
  await runProgram(sh('echo at once >&2; exit 0'), hears)
  expect(lines).toEqual(['odd', 'at once'])
})

test('what a program streams comes whole and in order, in large pieces, however slowly it is taken', async () => {
  const script = 'seq 1 700000'
  const expected = createHash('sha256')
    .update((await runProgram(sh(script), options())).stdout)
    .digest('hex')
  const seen = createHash('sha256')
  let [pieces, largest] = [0, 0]
  for await (const chunk of streamProgram(sh(script), options())) {
    pieces += 1
    largest = Math.max(largest, chunk.length)
    if (pieces === 1) await new Promise((resolve) => setTimeout(resolve, 300))
    seen.update(chunk)
  }
  expect(seen.digest('hex')).toBe(expected)
  expect(largest).toBeGreaterThan(65_536)
})

test('a stream ends with its program, whoever else holds its output, where the program is stopped', async () => {
  const taken: string[] = []
  const orphan = sh('echo one; (setsid sleep 40 2>&- &) ; sleep 60', { timeoutMs: 500 })
  const running = (async () => {
    for await (const chunk of streamProgram(orphan, options())) taken.push(chunk.toString())
  })()
  await expect(running).rejects.toThrow('did not end within 0.5 s')
  expect(taken).toEqual(['one\n'])
}, 25_000)

test('a program does not run where ntt was killed in the moment in which it was started', async () => {
  const folder = scratch('ntt-exec-')
  const log = join(folder, 'trace')
  // The child waits before it becomes a program, and has no tie to its parent yet.
  const hold = [
    '-f',
    '-qq',
    '-s',
    '400',
    '-o',
    log,
    '-e',
    'trace=execve',
    '-e',
    'inject=execve:delay_enter=400000',
  ]
  const start = `
    const { runProgram } = await import(${JSON.stringify(join(repository, 'src/ports/exec.ts'))})
    const options = { signal: new AbortController().signal, line: () => {}, path: process.env.PATH }
    await runProgram({ file: 'sleep', args: ['60'], cwd: ${JSON.stringify(folder)}, timeoutMs: 60_000 }, options)`
  const traced = spawn('strace', [...hold, process.execPath, '--input-type=module', '-e', start], {
    stdio: 'ignore',
  })
  const ended = once(traced, 'exit')
  const told = (): string => (existsSync(log) ? readFileSync(log, 'latin1') : '')
  while (!/"--pdeathsig"/.test(told())) await sleep(5)
  process.kill(Number.parseInt(told(), 10), 'SIGKILL')
  await Promise.race([ended, sleep(4000)])
  const left = usersOf(folder).filter(({ name }) => name === 'sleep')
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  expect(left).toEqual([])
}, 25_000)
