// Kills at every write point of a run: before and after each rename, flush, commit and start of a child. Then it runs again.
import { rmSync } from 'node:fs'
import { seeded, type Random } from '../../bench/data/random.ts'
import type { Arena, MediumName } from './arena.ts'
import { converge } from './kills.ts'
import { findLies } from './lies.ts'
import { findSurvivors, startApply } from './run.ts'
import { readTrace, steady, straceArguments, type Call } from './trace.ts'

export interface PointsReport {
  /** Points at which a run was killed, before or after, and converged. */
  readonly hit: number
  /** Points that a run has and at which none was killed yet. */
  readonly missed: readonly string[]
  readonly failures: readonly string[]
}

export interface PointsOptions {
  readonly media: readonly MediumName[]
  readonly seed: string
  /** At most so many runs. */
  readonly runs: number
  readonly isOver: () => boolean
  readonly tell: (line: string) => void
}

const sides = ['before', 'after'] as const

/** Which points a run over these media has is taken from a run that is only watched. */
export async function killAtPoints(arena: Arena, options: PointsOptions): Promise<PointsReport> {
  const random = seeded(options.seed)
  const wanted = new Map<string, readonly Call[]>()
  for (const medium of options.media) {
    for (const [point, calls] of await watch(arena, medium))
      for (const side of sides) wanted.set(`${medium}: ${side} ${point}`, calls)
  }
  const open = shuffled([...wanted.keys()], random)
  const hit = new Set<string>()
  const failures: string[] = []
  for (let runs = 0; runs < options.runs && open.length > 0 && !options.isOver(); runs += 1) {
    const [key = ''] = open.splice(0, 1)
    if (hit.has(key)) continue
    const one = random.pick(wanted.get(key) ?? [])
    const medium = options.media.find((name) => key.startsWith(`${name}:`))
    if (medium === undefined) throw new Error(`no medium is meant by ${key}`)
    const isAfter = key.startsWith(`${medium}: after`)
    const { point, found } = await killAt(arena, medium, one, isAfter)
    if (point !== null) hit.add(`${medium}: ${isAfter ? 'after' : 'before'} ${point}`)
    for (const text of found) failures.push(`${key} (${one.call}:${one.nth}): ${text}`)
    options.tell(
      `${point === null ? 'not reached' : (found[0] ?? 'converged')}: ${key}   (${hit.size} of ${wanted.size} points)`,
    )
  }
  return { hit: hit.size, missed: [...wanted.keys()].filter((key) => !hit.has(key)), failures }
}

async function watch(arena: Arena, medium: MediumName): Promise<ReadonlyMap<string, readonly Call[]>> {
  const made = arena.fresh([medium], false)
  const log = made.path('trace')
  const { end, told } = await startApply(made, ['strace', ...straceArguments(log, null)], steady).ended
  if (end !== 0) throw new Error(`the run that was watched ended with ${end}:\n${told}`)
  return Map.groupBy(
    readTrace(log, made.folder).filter(({ point }) => point !== null),
    ({ point }) => point ?? '',
  )
}

/** `point`: where it was really killed, which may be the same call of another thread; null: nowhere. */
async function killAt(
  arena: Arena,
  medium: MediumName,
  { call, nth }: Call,
  isAfter: boolean,
): Promise<{ point: string | null; found: readonly string[] }> {
  const made = arena.fresh([medium], false)
  const log = made.path('trace')
  const through = ['strace', ...straceArguments(log, { call, nth, isAfter })]
  const { end, told } = await startApply(made, through, steady).ended
  const isHit = end === 'SIGKILL' || end === 'SIGALRM'
  if (!isHit && end !== 0) return { point: null, found: [`ended with ${end}:\n${told}`] }
  const point = isHit
    ? (readTrace(log, made.folder).find((one) => one.call === call && one.nth === nth)?.point ?? null)
    : null
  const found = [...(await findSurvivors(made, [])), ...findLies(made, arena.truth)]
  if (found.length === 0) found.push(...(await converge(made, arena)))
  if (found.length === 0) rmSync(made.folder, { recursive: true, force: true, maxRetries: 3 })
  return { point, found }
}

function shuffled<T>(all: readonly T[], random: Random): T[] {
  return all
    .map((one) => ({ one, at: random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
