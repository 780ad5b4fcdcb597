// The screen over the real command, on real media at a real pseudo-terminal: every key, and every way of ending.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errnoOf } from '../../src/model/errors.ts'
import { freshDatabase } from '../support/postgres.ts'
import { sampleProject, type Project } from '../support/project.ts'
import { gate, page, sit, type Seat } from '../support/seat.ts'
import type { Terminal } from '../support/terminal.ts'

/** A CD and a floppy that converge, and a disc that is not the declared one. The run is held in its first enumeration. */
async function held(): Promise<{ made: Project; open: () => void; seat: Seat }> {
  const database = await freshDatabase()
  const made = sampleProject(['ceh-report.iso', 'floppy.img'], { database })
  const other = readFileSync(made.path('media.d/ceh-report.iso'))
  other.write('HOLIDAY_97', other.indexOf('CEH_REPORT'), 'latin1')
  writeFileSync(made.path('media.d/other.iso'), other)
  made.medium('holiday', 'label: HOLIDAY 98\nsource: {image: other.iso}\nexpect: {volume: HOLIDAY_98}\n')
  const { open } = gate(made, 'partx')
  return { made, open, seat: { database } }
}

/** The alternate screen is left, the cursor is back, and what was on the main screen is there, with nothing of the screen in it. */
function givenBack(terminal: Terminal): void {
  expect([terminal.onAlternate(), terminal.cursorHidden()]).toEqual([false, false])
  expect(page(terminal)).toMatch(/^typed before\nObserved 3 media/)
  expect(page(terminal)).not.toContain('── log')
}

const [up, down, pageUp, pageDown, end, home, enter, escape] = [
  '\x1b[A',
  '\x1b[B',
  '\x1b[5~',
  '\x1b[6~',
  '\x1b[F',
  '\x1b[H',
  '\r',
  '\x1b',
]
const markedIn = (screen: string): string => /^› (\S+)/m.exec(screen)?.[1] ?? 'none'
const until = (terminal: Terminal, what: Parameters<Terminal['until']>[0]): Promise<void> =>
  terminal.until(what, 60_000)

describe.concurrent('ntt apply at a terminal', { timeout: 180_000 }, () => {
  test('arrows and page keys mark, enter tells the facts of a medium, f filters, / searches, ? helps', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    expect(terminal.onAlternate()).toBe(true)
    await until(terminal, (text) => text.split('is proven').length > 2)
    for (const [key, marked] of [
      [down, 'ceh-report'],
      [down, 'floppy'],
      [up, 'ceh-report'],
      [end, 'holiday'],
      [home, 'ceh-report'],
      [pageDown, 'holiday'],
      [pageUp, 'ceh-report'],
    ] as const) {
      terminal.type(key)
      await until(terminal, (text) => markedIn(text) === marked)
    }
    terminal.type(enter)
    await until(terminal, /✓ {2}image +done and proven/)
    // What `why` tells of it, as far as it is known by now.
    const told = terminal.screen().join('\n')
    expect(told).toMatch(/optical {3}3\.2 MB {3}[0-9a-f]{32}/)
    expect(told).toMatch(/was +3,186,688 bytes; never verified/)
    expect(told).toMatch(/proof +held at depth hash, \d{4}-\d\d-\d\d/)
    expect(told).toMatch(/checked +ok kind: a file\n +ok size: 3186688 bytes/)
    expect(told).toMatch(/▸ {2}enumerate +running/)
    terminal.type(escape)
    await until(terminal, 'arrows move')
    for (const [filter, shown] of [
      ['running', /running: 1–2 of 2/],
      ['waiting', /waiting: none/],
      ['stuck', /stuck: 1–1 of 1/],
      ['all', /ceh-report[^]*floppy[^]*holiday/],
    ] as const) {
      terminal.type('f')
      await until(terminal, (text) => shown.test(text) && (filter !== 'stuck' || !/^ {2}floppy/m.test(text)))
    }
    terminal.type('/HOLI')
    await until(terminal, (text) => text.includes('/HOLI_') && text.includes('1–1 of 1'))
    terminal.type(`${enter}${down}${enter}`)
    await until(terminal, /⊘ {2}image +refused[^]*HOLIDAY_98/)
    terminal.type(escape)
    await until(terminal, 'arrows move')
    terminal.type('?')
    await until(terminal, 'a separate reading agreed')
    terminal.type('?')
    await until(terminal, 'arrows move')
    open()
    expect((await terminal.ended).exitCode).toBe(0)
    givenBack(terminal)
    expect(page(terminal)).toMatch(
      /=  ceh-report +new -> archived[^]*x  holiday +image[^]*Finished in [^]*2 converged, 1 needs you\.\n[^]*ended with 4$/,
    )
  })

  test('p lets nothing new start until it is pressed again', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    terminal.type('p')
    await until(terminal, 'paused after the running steps')
    open()
    await until(terminal, (text) => !text.includes('running  '))
    const loads = (): readonly unknown[] => made.events().filter(({ event }) => event === 'load_start')
    expect(loads()).toEqual([])
    terminal.type('p')
    await until(terminal, (text) => !text.includes('paused'))
    await terminal.ended
    expect(loads()).toHaveLength(2)
    expect(page(terminal)).toMatch(/2 converged, 1 needs you\.\n[^]*ended with 4$/)
  })

  test('a resize at any time draws a whole frame of the new size; below 60×15 it is a summary', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    for (const [columns, rows] of [
      [80, 24],
      [200, 50],
      [59, 14],
      [60, 15],
      [120, 40],
    ] as const) {
      terminal.resize(columns, rows)
      await until(terminal, (text) => {
        const lines = text.split('\n')
        if (!(lines[0] ?? '').startsWith('ntt apply')) return false
        if (columns < 60) return text.includes('ceh-report enumerate') && !text.includes('medium ')
        const heads = lines.filter((line) => line.startsWith('  medium ')).length
        return heads === 1 && (lines[rows - 1] ?? '').startsWith(' arrows move')
      })
    }
    open()
    await terminal.ended
    givenBack(terminal)
  })

  test('the first ^C finishes what runs, starts nothing new, says so, and ends with 130', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    terminal.type('\x03')
    await until(terminal, 'stopping after the running steps; ^C again stops now')
    open()
    await terminal.ended
    givenBack(terminal)
    expect(page(terminal)).toMatch(/Interrupted in [^]*ended with 130$/)
    expect(made.events().filter(({ event }) => event === 'load_start')).toEqual([])
    expect((await made.ntt('plan')).code).toBe(2)
  })

  test('the second ^C stops now, and leaves no program behind', async () => {
    const { made, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    terminal.type('\x03')
    await until(terminal, '^C again stops now')
    terminal.type('\x03')
    await terminal.ended
    givenBack(terminal)
    expect(page(terminal)).toMatch(/ended with 130$/)
    expect(waitingAt(made)).toEqual([])
  })

  test('q stops like one ^C; kill -TERM and a closed terminal do so too', async () => {
    const stop: Readonly<Record<string, (terminal: Terminal, pid: number) => unknown>> = {
      q: (terminal) => terminal.type('q'),
      SIGTERM: (_terminal, pid) => process.kill(pid, 'SIGTERM'),
      SIGHUP: (_terminal, pid) => process.kill(pid, 'SIGHUP'),
    }
    await Promise.all(
      Object.entries(stop).map(async ([how, ask]) => {
        const { made, open, seat } = await held()
        await using terminal = sit(made, 'ntt apply --yes', seat)
        await until(terminal, '2 running')
        ask(terminal, Number(made.events()[0]?.['pid']))
        await until(terminal, 'stopping after the running steps')
        open()
        await terminal.ended
        givenBack(terminal)
        expect([how, /ended with (\d+)$/.exec(page(terminal))?.[1]]).toEqual([how, '130'])
      }),
    )
  })

  test('a component that breaks gives the terminal back, prints its stack and ends with 1; what ran is ended well', async () => {
    const { made, open, seat } = await held()
    // Breaks what every frame needs, as soon as a file is there, and for the screen alone.
    const [saboteur, signal] = [made.path('saboteur.mjs'), made.path('now')]
    writeFileSync(
      saboteur,
      `import { existsSync } from 'node:fs'
       const pad = String.prototype.padStart
       String.prototype.padStart = function (...args) {
         if (existsSync(${JSON.stringify(signal)}) && new Error().stack.includes('/views/tui/')) throw new TypeError('a component broke')
         return pad.apply(this, args)
       }`,
    )
    const env = { NODE_OPTIONS: `--enable-source-maps --import ${saboteur}` }
    await using terminal = sit(made, 'ntt apply --yes', { ...seat, env })
    await until(terminal, '2 running')
    writeFileSync(signal, '')
    await until(terminal, (text) => !text.includes('arrows move'))
    open()
    await terminal.ended
    givenBack(terminal)
    expect(page(terminal)).toMatch(
      /this is a bug in ntt[^]*TypeError: a component broke\n +at [^]*ended with 1$/,
    )
    expect(made.events().at(-1)).toMatchObject({ event: 'run_finished' })
  })

  test('--ascii draws with nothing but ASCII', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt --ascii apply --yes', seat)
    await until(terminal, '2 running')
    terminal.type(`${down}${enter}`)
    await until(terminal, 'held at depth hash')
    open()
    await terminal.ended
    expect(page(terminal)).toMatch(/ended with 4$/)
    // oxlint-disable-next-line no-control-regex -- every byte of ASCII is what is asked for
    expect(terminal.bytes()).toMatch(/^[\x00-\x7f]*$/)
  })

  test('lines only where they are asked for: not one escape byte, and React is not loaded', async () => {
    const database = await freshDatabase()
    const made = sampleProject(['floppy.img'], { database })
    const [spy, loaded] = [made.path('spy.mjs'), made.path('loaded')]
    writeFileSync(
      spy,
      `import { registerHooks } from 'node:module'
       import { appendFileSync } from 'node:fs'
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(loaded)}, url + '\\n'); return next(url, context) } })`,
    )
    /** Whether a file that was loaded holds React: its elements are known by this symbol. */
    const hasReact = (): boolean =>
      readFileSync(loaded, 'utf8')
        .split('\n')
        .filter((url) => url.startsWith('file:'))
        .some((url) => readFileSync(new URL(url), 'utf8').includes('Symbol.for("react.'))
    const spied = { NODE_OPTIONS: `--import ${spy}` }
    const ways: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['ntt apply --yes --redo floppy/archive', { NO_COLOR: '1' }],
      ['ntt apply --yes --redo floppy/archive', { TERM: 'dumb' }],
      ['ntt apply --yes --redo floppy/archive', { CI: 'true' }],
      ['ntt --plain apply --yes --redo floppy/archive', {}],
      ['ntt apply --yes --redo floppy/archive | cat', {}],
      ['ntt --plain status --watch', {}],
    ]
    for (const [line, env] of ways) {
      writeFileSync(loaded, '')
      await using terminal = sit(made, line, { database, env: { ...spied, ...env } })
      await terminal.ended
      expect([line, env, page(terminal).split('\n').at(-1)]).toEqual([line, env, 'ended with 0'])
      expect([line, env, terminal.bytes().includes('\x1b'), hasReact()]).toEqual([line, env, false, false])
    }
    // And the spy would see it.
    writeFileSync(loaded, '')
    await using terminal = sit(made, 'ntt apply --yes --redo floppy/archive', { database, env: spied })
    await terminal.ended
    expect([terminal.bytes().includes('\x1b[?1049h'), hasReact()]).toEqual([true, true])
  })

  test('who watches or replays sees the same rows, touches nothing, and closes with q', async () => {
    const { made, open, seat } = await held()
    await using terminal = sit(made, 'ntt apply --yes', seat)
    await until(terminal, '2 running')
    const run = String(made.events()[0]?.['run'])
    await using watcher = sit(made, 'ntt status --watch', seat)
    await until(watcher, /ceh-report +(.* )?✓ {2}▸ [^]*floppy +(.* )?✓ {2}▸ /)
    expect(watcher.screen().join('\n')).toContain('q close')
    watcher.type('q')
    await watcher.ended
    givenBackQuietly(watcher, 2)
    open()
    await terminal.ended
    await using replayed = sit(made, `ntt log --replay ${run} --speed 1000`, seat)
    await until(replayed, (text) => text.includes('2 of 3 done') && text.includes('apply, replayed'))
    replayed.type('q')
    await replayed.ended
    givenBackQuietly(replayed, 0)
  })
})

function givenBackQuietly(terminal: Terminal, code: number): void {
  expect([terminal.onAlternate(), terminal.cursorHidden()]).toEqual([false, false])
  expect(page(terminal)).toMatch(new RegExp(`^typed before\\n+ended with ${code}$`))
}

/** Command lines of what still waits at a gate of this project. */
const waitingAt = (made: Project): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')]
      } catch (error) {
        // It has ended since the folder was read.
        if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return []
        throw error
      }
    })
    .filter((line) => line.includes(made.path('programs')))
