// npm run torture: the real command is killed as often as is asked for; every failure comes with the seed that repeats it.
import { parseArgs } from 'node:util'
import { roomiest } from '../support/shared-server.ts'
import { openArena } from './arena.ts'
import { killAnywhere } from './kills.ts'
import { killAtPoints } from './points.ts'

const usage = `npm run torture -- [--points N] [--kills N] [--seconds N] [--seed S]

  --points N   kills at write points: before and after each rename, flush, commit and start of a child (all there are)
  --kills N    kills at random moments (300)
  --seconds N  begin nothing new after so long (3600)
  --seed S     what is chosen follows from it: victims, media, moments
`

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: 'all' },
    kills: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: String(Date.now()) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const points = values.points === 'all' ? Number.POSITIVE_INFINITY : Number(values.points)
const [kills, seconds] = [Number(values.kills), Number(values.seconds)]
const tell = (line: string): void => void process.stdout.write(`${line}\n`)

async function torture(): Promise<void> {
  // Nothing here has to survive a power cut, and memory is fast.
  process.env['TMPDIR'] ??= roomiest()
  const ends = performance.now() + seconds * 1000
  const isOver = (): boolean => performance.now() > ends
  const arena = await openArena()
  tell(`seed ${values.seed}; an undisturbed run takes ${Math.round(arena.tookMs)} ms`)
  const { seed } = values
  const reports = [
    ...(points > 0
      ? [await killAtPoints(arena, { media: ['floppy', 'drive', 'box7'], seed, runs: points, isOver, tell })]
      : []),
    ...(kills > 0 ? [await killAnywhere(arena, { kills, seed, isOver, tell })] : []),
  ]
  tell(JSON.stringify(reports, null, 2))
  process.exitCode = reports.every(({ failures }) => failures.length === 0) ? 0 : 1
}

if (values.help || !(points >= 0) || !(kills >= 0) || !(seconds > 0)) {
  tell(usage)
  process.exitCode = values.help ? 0 : 1
} else await torture()
