// A small program over the real screen, for tests at a pseudo-terminal: it plays a simulated run and obeys the keys.
import type { Event } from '../../src/model/event.ts'
import { fold } from '../../src/model/progress.ts'
import { emptyRun } from '../../src/model/run-view.ts'
import { failureText } from '../../src/views/failure.ts'
import { summaryText } from '../../src/views/summary.ts'
import { openScreen } from '../../src/views/tui/start.tsx'
import { simulate } from './simulate.ts'

const [media = '12', stageSec = '2', speed = '1', vice = 'none'] = process.argv.slice(2)
const manner = {
  color: process.env['NO_COLOR'] === undefined,
  ascii: process.env['NTT_ASCII'] === '1',
  width: process.stdout.columns,
}
const startMs = Date.now()
const now = (): number => startMs + (Date.now() - startMs) * Number(speed)

let view = emptyRun
let seq = 0
let ended: (code: number) => void = () => undefined
const exit = new Promise<number>((resolve) => (ended = resolve))
let paused = false

const screen = openScreen({
  manner,
  stdin: process.stdin,
  stdout: process.stdout,
  now,
  commands: {
    pause: (wanted) => (paused = wanted),
    stop: (again) => (again ? ended(130) : run.stop()),
  },
})
const read = (event: Event): void => {
  view = fold(view, event)
  screen.read(event)
}
const run = simulate(
  (happening) => {
    seq += 1
    read({
      ...happening,
      ts: new Date(now()).toISOString(),
      run: '01JSIMULATED',
      host: 'lab',
      pid: process.pid,
      seq,
    })
  },
  { media: Number(media), width: 6, stageSec: Number(stageSec) },
  startMs,
)
const timer = setInterval(() => {
  if (!paused && run.advance(now())) ended(view.finished?.exitCode ?? 0)
}, 50)
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ended(130))
if (vice === 'crash') {
  setTimeout(() => {
    // A reason that no code of ours would give: the component that draws it breaks.
    const because = { code: 'damaged', text: 5 } as never
    const held = {
      type: 'step.held',
      medium: 'ceh-001',
      hash: null,
      stage: 'image',
      action: 'refuse',
      because,
    } as const
    read({ ...held, ts: new Date(now()).toISOString(), run: '', host: '', pid: 1, seq: 0 })
  }, 800)
}
if (vice === 'throw') {
  setTimeout(() => {
    throw new Error('a bug outside the screen')
  }, 800)
}

let code: number
try {
  code = await Promise.race([exit, screen.finished.then(() => 0)])
  await screen.close()
  process.stdout.write(summaryText(view, manner))
} catch (error) {
  process.stderr.write(`${failureText(error, manner)}\n`)
  code = 1
}
clearInterval(timer)
if (process.env['NTT_CPU'] === '1') {
  const { user, system } = process.cpuUsage()
  process.stdout.write(
    `cpu ${((user + system) / 1e6).toFixed(2)} s of ${((Date.now() - startMs) / 1000).toFixed(2)} s, rss ${Math.round(process.memoryUsage().rss / 1e6)} MB\n`,
  )
}
process.exit(code)
