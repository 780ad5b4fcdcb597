// Kills at every write point of a run: before and after each rename, flush, commit and start of a child. Then it runs again.
import { rmSync } from 'node:fs'
import { seeded, type Random } from '../../bench/data/random.ts'
import type { Arena, MediumName } from './arena.ts'
import { follow, keyOf, type Target } from './follow.ts'
import { converge } from './kills.ts'
import { findLies } from './lies.ts'
import { findSurvivors } from './run.ts'
import { sides } from './trace.ts'
import { sha256 } from './truth.ts'

export interface PointsReport {
  /** Points that were to be hit: those of undisturbed runs, or the part of them that was asked for. */
  readonly points: number
  /** Those at which a run was killed, in that very place; and it converged. */
  readonly converged: number
  /** Points to which a run did not come that was left alone because of it. */
  readonly gone: readonly string[]
  /** Points that a run had always left behind when it was killed. */
  readonly missed: readonly string[]
  /** Points for which there was no time. */
  readonly untried: readonly string[]
  readonly failures: readonly string[]
}

export interface PointsOptions {
  readonly media: readonly MediumName[]
  readonly seed: string
  /** Of points whose names end with one of these; none: all points. */
  readonly named: readonly string[]
  /** At most so many points. */
  readonly limit: number
  /** The k-th of n parts, which together are all points. */
  readonly part: { readonly k: number; readonly n: number }
  readonly isOver: () => boolean
  readonly tell: (line: string) => void
}

/** A point with its medium. Every commit is a point of its own; of other calls that are alike one is chosen. */
interface Wanted extends Pick<Target, 'side' | 'point'> {
  readonly key: string
  readonly medium: MediumName
  readonly isMade: boolean
  /** Which commit; null: any. */
  readonly nth: number | null
  readonly times: number
}

/** How often a point is tried, each time held longer. */
const tries = 4

export async function killAtPoints(arena: Arena, options: PointsOptions): Promise<PointsReport> {
  const { named, part, tell } = options
  const all = (
    await Promise.all(options.media.map((medium, index) => watch(arena, medium, index > 0)))
  ).flat()
  const mine = all
    .filter(({ key }) => named.length === 0 || named.some((end) => key.endsWith(end)))
    .filter(({ key }) => Number.parseInt(sha256(key).slice(0, 8), 16) % part.n === part.k - 1)
  const ordered = mine
    .map((one) => ({ one, random: seeded(`${options.seed} ${one.key}`) }))
    .map((both) => ({ ...both, at: both.random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, options.limit)
  tell(`${all.length} points in all, ${ordered.length} of them here`)
  const results = { gone: [] as string[], missed: [] as string[], untried: [] as string[] }
  const failures: string[] = []
  let converged = 0
  for (const { one, random } of ordered) {
    const began = performance.now()
    const result = options.isOver() ? 'untried' : await attack(arena, one, random)
    if (typeof result === 'object') failures.push(...result.map((text) => `${one.key}: ${text}`))
    else if (result === 'converged') converged += 1
    else results[result].push(one.key)
    const what = typeof result === 'object' ? result.join('\n  ') : result
    tell(`${what}: ${one.key}   (${Math.round(performance.now() - began)} ms)`)
  }
  return { points: ordered.length, converged, ...results, failures }
}

/** The points of a run that nobody disturbs. The database is made in the first only: there is no difference between media in it. */
async function watch(arena: Arena, medium: MediumName, isMade: boolean): Promise<readonly Wanted[]> {
  const made = arena.fresh([medium], isMade)
  const { end, told, times } = await follow(made, null)
  if (end !== 0) throw new Error(`the run that was watched ended with ${end}:\n${told}`)
  rmSync(made.folder, { recursive: true, force: true, maxRetries: 3 })
  const points = [...times].filter(([key]) => key.startsWith('after ')).map(([key]) => key.slice(6))
  return points.flatMap((point) =>
    sides.flatMap((side) => {
      const count = times.get(keyOf({ side: 'after', point })) ?? 0
      const which = point === 'commit' ? Array.from({ length: count }, (_, index) => index + 1) : [null]
      return which.map((nth) => {
        const key = `${medium}: ${keyOf({ side, point })}${nth === null ? '' : ` ${nth}`}`
        return { key, medium, isMade, side, point, nth, times: count }
      })
    }),
  )
}

/** What became of it, or everything that was wrong. */
async function attack(
  arena: Arena,
  one: Wanted,
  random: Random,
): Promise<'converged' | 'gone' | 'missed' | readonly string[]> {
  let { times } = one
  for (let patience = 1; patience < 4 ** tries; patience *= 4) {
    const nth = one.nth ?? random.between(1, times)
    const made = arena.fresh([one.medium], one.isMade)
    const { hit, end, told, times: seen } = await follow(made, { ...one, nth }, patience)
    if (hit === null && end !== 0) return [`ended with ${end}:\n${told}`]
    // Half of the time nobody waits: what the kill has left must not be in the way of the next run.
    const left = random.next() < 0.5 ? await findSurvivors(made, []) : []
    const found = [...left, ...findLies(made, arena.truth)]
    if (found.length === 0) found.push(...(await converge(made, arena)))
    if (found.length > 0) return [...found, `time ${nth} of ${times}; kept: ${made.folder}`]
    rmSync(made.folder, { recursive: true, force: true, maxRetries: 3 })
    if (hit === 'there') return 'converged'
    times = hit === 'late' ? times : (seen.get(keyOf(one)) ?? 0)
    if (times === 0 || (one.nth !== null && times < one.nth)) return 'gone'
  }
  return 'missed'
}
