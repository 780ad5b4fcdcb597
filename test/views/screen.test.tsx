import { cleanup, render } from 'ink-testing-library'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Event, Happening } from '../../src/model/event.ts'
import { fold } from '../../src/model/progress.ts'
import { emptyRun } from '../../src/model/run-view.ts'
import { watched } from '../../src/model/watch.ts'
import { columns } from '../../src/views/format.ts'
import { Screen } from '../../src/views/tui/Screen.tsx'
import { ScreenStore } from '../../src/views/tui/store.ts'
import { simulate } from '../support/simulate.ts'
import { at, hashOf, newLane, shortRun, stamped, tour } from './events.ts'

afterEach(cleanup)

interface Shown {
  readonly store: ScreenStore
  readonly asked: readonly string[]
  frame(): string
  lines(): readonly string[]
  /** Keys as a terminal sends them, in one chunk. */
  type(keys: string): Promise<void>
}

const startMs = Date.parse('2026-03-01T12:00:00.000Z')

async function shown(
  events: readonly Event[],
  {
    columns: width = 100,
    rows = 24,
    color = false,
    ascii = false,
    nowMs = startMs + events.length * 1000,
  } = {},
): Promise<Shown> {
  const asked: string[] = []
  const store = new ScreenStore({
    commands: {
      pause: (paused) => asked.push(paused ? 'pause' : 'go on'),
      stop: (again) => asked.push(again ? 'stop now' : 'stop'),
    },
    size: { columns: width, rows },
    now: () => nowMs,
  })
  for (const event of events) store.read(event)
  const app = render(<Screen store={store} manner={{ color, ascii }} />)
  store.tick()
  await sleep(30)
  const frame = (): string => app.lastFrame() ?? ''
  return {
    store,
    asked,
    frame,
    lines: () => frame().split('\n'),
    async type(keys) {
      app.stdin.write(keys)
      // A lone escape is waited for: it may begin a longer key.
      await sleep(keys === '\x1b' ? 150 : 60)
    },
  }
}

const [up, down, pageDown, enter, escape] = ['\x1b[A', '\x1b[B', '\x1b[6~', '\r', '\x1b']

test('one picture of a run: totals, cells, what waits for a person, log, keys', async () => {
  const screen = await shown(stamped(shortRun).slice(0, 16), { columns: 80 })
  expect(screen.frame()).toMatchInlineSnapshot(`
    "ntt apply  1 of 5 done  2 stuck                            run 01JTESTRUN   0:16
     ─────────────────────────────────────   0 %  1.5 MB of 180 MB
      medium   im en lo co ar
      ceh-001  ✓  ·  ·  ·  ·
      ceh-002  ✓  ·  ·  ·  ·
      ceh-004  ✓  ✓  ✓  ✓  ✓   as declared
      ceh-005  ⊘  ·  ·         insert the disc labelled CEH_005 into sr0
      ceh-006  ✓  ✓  !  !  ·   verification failed: paths: expected 1161, found 0





     ceh-005: insert the disc labelled CEH_005 into sr0
    ── log ─────────────────────────────────────────────────────────────────────────
     0:02 ceh-001  image      starts
     0:05 ceh-001  image      ddrescue: pass 1 of 3
     0:08 ceh-001  image      is done and proven
     0:09 ceh-006  load       starts
     0:12 ceh-006  load       paths: expected 1161, found 0
     0:13 ceh-006  load       verification failed: paths: expected 1161, found 0
     0:14 ceh-005  image      the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005
     0:15 ceh-005             insert the disc labelled CEH_005 into sr0
     arrows move   enter detail   f filter   / search   p pause   q stop   ? help"
  `)
})

test('the frame has exactly the size of the terminal, whatever the size, and nothing is wider', async () => {
  for (const [width, rows] of [
    [80, 24],
    [60, 15],
    [120, 40],
    [200, 50],
    [59, 14],
    [20, 4],
  ] as const) {
    const screen = await shown(stamped(shortRun).slice(0, 16), { columns: width, rows })
    expect(screen.lines().length).toBeLessThanOrEqual(rows)
    for (const line of screen.lines()) expect(columns(line)).toBeLessThanOrEqual(width)
    cleanup()
  }
})

test('below 60 columns or 15 rows there is a summary, no table', async () => {
  const screen = await shown(stamped(shortRun).slice(0, 5), { columns: 50, rows: 12 })
  expect(
    screen
      .lines()
      .slice(0, 3)
      .map((line) => line.trimEnd()),
  ).toEqual([
    expect.stringMatching(/^ntt apply {2}1 of 5 done {2}1 running/),
    expect.stringContaining('%'),
    ' ceh-001 image 50 %',
  ])
  screen.store.resize({ columns: 100, rows: 24 })
  await sleep(60)
  expect(screen.frame()).toContain('medium ')
})

test('enter shows the medium in full: figures, failed checks, what to do next, its last lines, its losses', async () => {
  const screen = await shown(stamped(shortRun), { rows: 60 })
  await screen.type('/ceh-001\r')
  await screen.type(`${down}${enter}`)
  expect(screen.frame()).toContain('records 18, inodes 18')
  expect(screen.frame()).toContain('12 files in whole or in part')
  expect(screen.frame()).toContain('LETTERS/M\\xfcLLER.DOC')
  expect(screen.frame()).toContain('A\\x1b[31m.TXT')
  await screen.type(escape)
  await screen.type('/ceh-002\r')
  await screen.type(`${down}${enter}`)
  expect(screen.frame()).toContain('bsdtar ended with exit code 1')
  expect(screen.frame()).toMatch(/said +bsdtar: Truncated input file/)
})

test('keys that come in one chunk open the medium that was marked, not the one of the last frame', async () => {
  const screen = await shown(stamped(shortRun).slice(0, 3), { rows: 40 })
  await screen.type(`${down}${down}${down}${up}${enter}`)
  expect(screen.lines()[2]).toContain('ceh-002')
})

test('f filters by what matters, / searches names and labels, escape takes both back', async () => {
  const screen = await shown(stamped(shortRun))
  const listedNow = (): readonly string[] =>
    screen
      .frame()
      .match(/^[› ] ceh-\d+/gm)
      ?.map((name) => name.slice(2)) ?? []
  await screen.type('f')
  expect(listedNow()).toEqual([])
  await screen.type('f')
  expect(listedNow()).toEqual(['ceh-005'])
  await screen.type('f')
  expect(listedNow()).toEqual(['ceh-002', 'ceh-005', 'ceh-006'])
  await screen.type('/06')
  expect(listedNow()).toEqual(['ceh-006'])
  await screen.type(escape)
  await screen.type(escape)
  expect(listedNow()).toHaveLength(5)
})

test('p pauses and goes on, q stops once, only a second ^C stops now', async () => {
  const screen = await shown(stamped(shortRun).slice(0, 5))
  await screen.type('p')
  expect(screen.frame()).toContain('paused after the running steps')
  await screen.type('p')
  await screen.type('q')
  await screen.type('q')
  expect(screen.asked).toEqual(['pause', 'go on', 'stop'])
  expect(screen.frame()).toContain('stopping after the running steps; ^C again stops now')
  await screen.type('\x03')
  expect(screen.asked.at(-1)).toBe('stop now')
})

test('a letter typed into the search is no command', async () => {
  const screen = await shown(stamped(shortRun))
  await screen.type('/qpf?')
  expect(screen.asked).toEqual([])
  expect(screen.frame()).toContain('/qpf?_')
})

test('the bar does not reach its end, and no 100 % is told, before the witness has agreed', async () => {
  const done: readonly Happening[] = [
    { type: 'plan.ready', lanes: [newLane('a')] },
    {
      type: 'step.started',
      ...at('a', 'image'),
      action: 'run',
      because: { code: 'absent', text: 'no image' },
    },
    { type: 'step.progress', ...at('a', 'image'), done: 1, total: 1_474_560, unit: 'bytes' },
    { type: 'step.progress', ...at('a', 'image'), done: 1_474_560, total: 1_474_560, unit: 'bytes' },
  ]
  const verifying: Happening = { type: 'step.verifying', ...at('a', 'image'), depth: 'hash' }
  const ended = await shown(stamped(done))
  expect(ended.frame()).toContain('99 %')
  expect(ended.frame()).toMatch(/image +━+╸ +99 %/)
  cleanup()
  const judged = await shown(stamped([...done, verifying]))
  expect(judged.frame()).toContain('verify image')
  expect(judged.frame()).not.toContain('100 %')
  cleanup()
  const unknown = await shown(
    stamped([
      ...done.slice(0, 2),
      { type: 'step.progress', ...at('a', 'image'), done: 5000, total: null, unit: 'bytes' },
    ]),
  )
  expect(unknown.lines()[3]).toContain('5.0 kB')
  expect(unknown.lines()[3]).not.toContain('%')
})

test('a stage that stands still for a minute is shown as stalled, and no longer when it goes on', async () => {
  const events = stamped(shortRun).slice(0, 5)
  const screen = await shown(events, { nowMs: startMs + 4000 + 125_000 })
  expect(screen.frame()).toMatch(/ceh-001 .*50 % +stalled for 2 min 5 s/)
  screen.store.read({
    ...at('ceh-001', 'image'),
    type: 'step.progress',
    done: 800_000,
    total: 1_474_560,
    unit: 'bytes',
    ts: new Date(startMs + 129_000).toISOString(),
    run: 'r',
    host: 'h',
    pid: 1,
    seq: 99,
  })
  screen.store.tick()
  await sleep(120)
  expect(screen.frame()).not.toContain('stalled')
})

test('of 500 media only the rows in sight are drawn, and the list follows the work until an arrow is pressed', async () => {
  const events: Event[] = []
  const run = simulate(
    (happening) =>
      events.push({
        ...happening,
        ts: new Date(startMs).toISOString(),
        run: 'r',
        host: 'h',
        pid: 1,
        seq: events.length + 1,
      }),
    { media: 500, width: 4, stageSec: 1 },
    startMs,
  )
  for (let second = 0; second < 400; second += 1) run.advance(startMs + second * 1000)
  const screen = await shown(events, { rows: 24, columns: 120 })
  expect(screen.lines()).toHaveLength(24)
  const first = (): number => Number(/(\d+)–\d+ of 500/.exec(screen.frame())?.[1])
  expect(first()).toBeGreaterThan(20)
  await screen.type('\x1b[H')
  expect(first()).toBe(1)
  await screen.type(pageDown)
  await screen.type(pageDown)
  expect(first()).toBeGreaterThan(10)
})

test('without colours no escape byte is in the frame; in ASCII no other character than ASCII', async () => {
  const plain = await shown(stamped(shortRun).slice(0, 16))
  expect(plain.frame()).not.toContain('\x1b')
  cleanup()
  const ascii = await shown(stamped(shortRun).slice(0, 16), { ascii: true })
  expect(ascii.frame()).toMatch(/^[\n -~]*$/)
})

test('names, labels and lines from media cannot steer the terminal', async () => {
  const nasty = 'a\x1b[2J\u202e\u009b31m\nb'
  const screen = await shown(
    stamped([
      { type: 'plan.ready', lanes: [{ ...newLane(nasty), label: nasty }, ...tour.lanes] },
      {
        type: 'step.started',
        medium: nasty,
        hash: null,
        stage: 'image',
        action: 'run',
        because: { code: 'absent', text: nasty },
      },
      { type: 'step.line', medium: nasty, hash: null, stage: 'image', text: nasty },
      { type: 'medium.waiting', medium: nasty, hash: null, text: nasty },
      {
        type: 'step.failed',
        medium: nasty,
        hash: null,
        stage: 'image',
        tag: 'run',
        message: nasty,
        hint: nasty,
        stderr: nasty,
        durationSec: 1,
      },
    ]),
    { columns: 140, rows: 40 },
  )
  for (const pane of ['', `${down}${enter}`]) {
    if (pane !== '') await screen.type(pane)
    expect(screen.frame()).toContain('a\\x1b[2J')
    expect(screen.frame().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
  }
})

test('who watches is told that nobody is at work, and shown a bar where somebody is', async () => {
  const store = new ScreenStore({
    purpose: 'watch',
    commands: { pause: () => {}, stop: () => {} },
    size: { columns: 100, rows: 24 },
    now: () => startMs,
  })
  const app = render(<Screen store={store} manner={{ color: false, ascii: false }} />)
  const live = stamped(shortRun).slice(0, 5).reduce(fold, emptyRun)
  const holder = { hash: hashOf('ceh-001'), run: live.run, host: 'lab', pid: 1 }
  store.show(watched(tour.lanes, new Map(), [], startMs))
  store.tick()
  await sleep(30)
  expect(app.lastFrame()).toContain('At rest: no run is at work here.')
  store.show(watched(tour.lanes, new Map([[live.run, live]]), [holder], startMs))
  store.tick()
  await sleep(30)
  expect(app.lastFrame()).not.toContain('At rest')
})
