// npm run torture: the real command is killed as often as is asked for; every failure comes with the seed that repeats it.
import { parseArgs } from 'node:util'
import { roomiest } from '../support/shared-server.ts'
import { openArena } from './arena.ts'
import { killAnywhere } from './kills.ts'

const usage = `npm run torture -- [--kills N] [--seconds N] [--seed S]

  --kills N    kills at random moments (300)
  --seconds N  begin nothing new after so long (3600)
  --seed S     what is chosen follows from it: victims, media, moments
`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: String(Date.now()) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const [kills, seconds] = [Number(values.kills), Number(values.seconds)]
const tell = (line: string): void => void process.stdout.write(`${line}\n`)

async function torture(): Promise<void> {
  // Nothing here has to survive a power cut, and memory is fast.
  process.env['TMPDIR'] ??= roomiest()
  const ends = performance.now() + seconds * 1000
  const isOver = (): boolean => performance.now() > ends
  const arena = await openArena()
  tell(`seed ${values.seed}; an undisturbed run takes ${Math.round(arena.tookMs)} ms`)
  const report = await killAnywhere(arena, { kills, seed: values.seed, isOver, tell })
  tell(JSON.stringify(report, null, 2))
  process.exitCode = report.failures.length === 0 ? 0 : 1
}

if (values.help || !(kills >= 0) || !(seconds > 0)) {
  tell(usage)
  process.exitCode = values.help ? 0 : 1
} else await torture()
