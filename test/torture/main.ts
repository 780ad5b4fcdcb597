// npm run torture: the real command is killed as often as is asked for; every failure comes with the seed that repeats it.
import { parseArgs } from 'node:util'
import { roomiest } from '../support/shared-server.ts'
import { openArena } from './arena.ts'
import { flipBits } from './flips.ts'
import { killAnywhere } from './kills.ts'
import { tryMutants } from './mutants.ts'
import { killAtPoints } from './points.ts'

const usage = `npm run torture -- [--points N] [--kills N] [--flips N] [--mutants N] [--seconds N] [--seed S]

  --points N   kills at write points: before and after each rename, flush, commit and start of a child (all there are)
  --part K/N   of the points, the K-th of N parts (1/1)
  --point TEXT of the points, those whose names end with this; as often as you like
  --kills N    kills at random moments (300)
  --flips N    single bits flipped in contents, images, enumerations, archives and the log (10000)
  --mutants N  images and words of programs with some bytes changed, for every reader (1000)
  --seconds N  begin nothing new after so long (3600)
  --seed S     what is chosen follows from it: victims, media, moments
`

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: 'all' },
    part: { type: 'string', default: '1/1' },
    point: { type: 'string', multiple: true, default: [] },
    kills: { type: 'string', default: '300' },
    flips: { type: 'string', default: '10000' },
    mutants: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '3600' },
    seed: { type: 'string', default: String(Date.now()) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const points = values.points === 'all' ? Number.POSITIVE_INFINITY : Number(values.points)
const [k, n] = values.part.split('/').map(Number) as [number, number]
const [kills, flips, mutants, seconds] = [values.kills, values.flips, values.mutants, values.seconds].map(
  Number,
) as [number, number, number, number]
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
      ? [
          await killAtPoints(arena, {
            media: ['floppy', 'drive', 'box7'],
            seed,
            named: values.point,
            limit: points,
            part: { k, n },
            isOver,
            tell,
          }),
        ]
      : []),
    ...(mutants > 0 ? [await tryMutants({ mutants, seed, isOver })] : []),
    ...(flips > 0 ? [await flipBits(arena, { flips, seed, isOver, tell })] : []),
    ...(kills > 0 ? [await killAnywhere(arena, { kills, seed, isOver, tell })] : []),
  ]
  tell(JSON.stringify(reports, null, 2))
  process.exitCode = reports.every(({ failures }) => failures.length === 0) ? 0 : 1
}

if (
  values.help ||
  !(points >= 0) ||
  !(k >= 1 && k <= n) ||
  !(kills >= 0) ||
  !(flips >= 0) ||
  !(mutants >= 0) ||
  !(seconds > 0)
) {
  tell(usage)
  process.exitCode = values.help ? 0 : 1
} else await torture()
