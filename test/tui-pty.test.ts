// The screen at a real pseudo-terminal: whatever ends it, the terminal is given back and the exit code is right.
import { build } from 'esbuild'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTerminal, type Terminal, type TerminalOptions } from './support/terminal.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ntt-screen-'))
  await build({
    absWorkingDir: join(import.meta.dirname, '..'),
    entryPoints: ['test/support/screen-driver.ts'],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    jsx: 'automatic',
    external: ['react-devtools-core'],
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
    banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
  })
})
afterAll(() => rm(folder, { recursive: true }))

/** `media`, seconds of a stage, speed of the clock, what goes wrong. */
const drive = (args: readonly (string | number)[], options: TerminalOptions = {}): Terminal =>
  openTerminal(process.execPath, [join(folder, 'screen-driver.mjs'), ...args.map(String)], options)

function givenBack(terminal: Terminal): void {
  expect(terminal.onAlternate()).toBe(false)
  expect(terminal.cursorHidden()).toBe(false)
  expect(terminal.mainScreen().join('\n')).not.toContain('── log')
}

test('a run ends by itself: its summary is on the main screen and stays, the code is the one of the run', async () => {
  await using terminal = drive([4, 0.3, 1])
  await terminal.until('ceh-001')
  expect(terminal.onAlternate()).toBe(true)
  const { exitCode } = await terminal.ended
  givenBack(terminal)
  expect(terminal.mainScreen().join('\n')).toMatch(/Finished in [\d.]+ s: 3 converged, 1 met before\./)
  expect(exitCode).toBe(0)
})

test('keys move, open, filter and search; a resize at any time draws a whole frame of the new size', async () => {
  await using terminal = drive([60, 30, 1], { columns: 100, rows: 30 })
  await terminal.until('running')
  terminal.type('\x1b[B\x1b[B\x1b[B\r')
  await terminal.until('arrows scroll')
  terminal.type('\x1b')
  await terminal.until('arrows move')
  terminal.type('/05')
  await terminal.until((text) => text.includes('/05_') && !text.includes('ceh-001'))
  terminal.type('\x1b')
  await terminal.until('of 60')
  for (const [columns, rows] of [
    [80, 24],
    [50, 12],
    [140, 45],
    [100, 30],
  ] as const) {
    terminal.resize(columns, rows)
    await terminal.until((text) => {
      const lines = text.split('\n')
      if (!(lines[0] ?? '').startsWith('ntt apply')) return false
      if (columns < 60) return !text.includes('medium')
      const heads = lines.filter((line) => line.startsWith('  medium ')).length
      return heads === 1 && (lines[rows - 1] ?? '').startsWith(' arrows move')
    })
  }
})

test('the first ^C finishes what runs and says so; the run ends with 130', async () => {
  await using terminal = drive([12, 1, 1])
  await terminal.until('running')
  terminal.type('\x03')
  await terminal.until('stopping after the running steps; ^C again stops now')
  const { exitCode } = await terminal.ended
  expect(exitCode).toBe(130)
  givenBack(terminal)
  expect(terminal.mainScreen().join('\n')).toContain('Interrupted in')
})

test('the second ^C stops now', async () => {
  await using terminal = drive([12, 600, 1])
  await terminal.until('running')
  terminal.type('\x03')
  await terminal.until('^C again stops now')
  terminal.type('\x03')
  expect((await terminal.ended).exitCode).toBe(130)
  givenBack(terminal)
})

test('SIGTERM and SIGHUP give the terminal back', async () => {
  for (const name of ['SIGTERM', 'SIGHUP'] as const) {
    await using terminal = drive([12, 600, 1])
    await terminal.until('running')
    terminal.signal(name)
    expect((await terminal.ended).exitCode).toBe(130)
    givenBack(terminal)
  }
})

test('a crash inside a component gives the terminal back, prints its stack and ends with 1', async () => {
  await using terminal = drive([12, 600, 1, 'crash'])
  await terminal.until('running')
  expect((await terminal.ended).exitCode).toBe(1)
  givenBack(terminal)
  const text = terminal.mainScreen().join('\n')
  expect(text).toContain('this is a bug in ntt')
  expect(text).toMatch(/TypeError: .*\n\s+at /)
})

test('a bug outside the screen gives the terminal back as well', async () => {
  await using terminal = drive([12, 600, 1, 'throw'])
  await terminal.until('running')
  expect((await terminal.ended).exitCode).not.toBe(0)
  givenBack(terminal)
  expect(terminal.mainScreen().join('\n')).toContain('a bug outside the screen')
})

test('the screen is never cleared as a whole, and each frame is synchronised', async () => {
  await using terminal = drive([500, 20, 5], { columns: 120, rows: 24 })
  await terminal.until('of 500')
  const from = terminal.bytes().length
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const drawn = terminal.bytes().slice(from)
  expect([drawn.includes('\x1b[2J'), drawn.includes('\x1b[3J')]).toEqual([false, false])
  const frames = drawn.split('\x1b[?2026h').length - 1
  expect(frames).toBeGreaterThan(5)
  expect(frames).toBeLessThanOrEqual(10 * 3 + 3)
  expect(drawn.length / frames).toBeLessThan(4000)
})
