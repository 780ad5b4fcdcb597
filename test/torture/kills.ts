// Kills at random moments: of ntt, of what it has started, of its database, of everything at once. Then it runs again.
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { seeded, type Random } from '../../bench/data/random.ts'
import type { Project } from '../support/project.ts'
import { mediumNames, type Arena, type MediumName } from './arena.ts'
import { compare, compareStore, findLeftovers, findLies } from './lies.ts'
import { descendants, everyone, read, usersOf, type Process } from './processes.ts'
import { findSurvivors, kill, postmasterOf, runAgain, startApply, type Running } from './run.ts'
import { readTruth } from './truth.ts'

export const victims = ['ntt', 'child', 'postmaster', 'backend', 'everything'] as const
export type Victim = (typeof victims)[number]

export interface KillsOptions {
  /** How many kills are wanted. */
  readonly kills: number
  readonly seed: string
  /** True when no further chain is to be begun. */
  readonly isOver: () => boolean
  readonly tell: (line: string) => void
}

export interface KillsReport {
  /** Kills that hit something alive, by what they hit. */
  readonly hits: Readonly<Record<Victim, number>>
  /** Runs that had ended before they could be killed. */
  readonly misses: number
  /** Chains of kills at whose end everything converged. */
  readonly converged: number
  readonly chains: number
  /** Each with the seed of its chain, which repeats it. */
  readonly failures: readonly string[]
}

/** A chain is one project: some killed runs, one that is left alone, and the comparison with an undisturbed project. */
export async function killAnywhere(arena: Arena, options: KillsOptions): Promise<KillsReport> {
  const hits = Object.fromEntries(victims.map((victim) => [victim, 0])) as Record<Victim, number>
  const failures: string[] = []
  let [misses, converged, chains] = [0, 0, 0]
  const total = (): number => Object.values(hits).reduce((sum, count) => sum + count, 0)
  while (total() < options.kills && !options.isOver()) {
    const seed = `${options.seed}-${chains}`
    chains += 1
    const random = seeded(seed)
    const names = chosen(random)
    const made = arena.fresh(names, random.next() < 0.8)
    const found: string[] = []
    const length = random.between(1, 5)
    for (let round = 0; round < length && found.length === 0; round += 1) {
      const victim = random.pick(weighted)
      const moment = {
        lines: random.next() < 0.6 ? random.between(1, 60 * names.length) + linesOf(made) : 0,
        ms: Math.round(random.next() * (random.next() < 0.5 ? arena.tookMs / 2 : 100)),
      }
      const hit = await killOne(made, victim, moment)
      if (hit.isHit) hits[victim] += 1
      else misses += 1
      // Half of the time nobody waits: what the kill has left must not be in the way of the next run.
      const left = random.next() < 0.5 ? await findSurvivors(made, hit.before) : []
      found.push(...hit.wrong, ...left, ...findLies(made, arena.truth))
      if (found.length > 0)
        found.unshift(
          `round ${round}: ${victim} of ${names.join(', ')} after ${moment.lines} lines and ${moment.ms} ms`,
        )
      if (hit.isDone) break
    }
    if (found.length === 0) found.push(...(await converge(made, arena)))
    if (found.length === 0) converged += 1
    for (const text of found) failures.push(`seed ${seed}: ${text}`)
    options.tell(
      `${seed}: ${length} rounds over ${names.join(', ')}: ${found.length === 0 ? 'converged' : found.join('\n  ')}   (${total()} kills)`,
    )
    if (found.length === 0) rmSync(made.folder, { recursive: true, force: true, maxRetries: 3 })
    else options.tell(`  kept: ${made.folder}`)
  }
  return { hits, misses, converged, chains, failures }
}

const weighted: readonly Victim[] = ['ntt', 'ntt', 'ntt', 'child', 'postmaster', 'backend', 'everything']

function chosen(random: Random): readonly MediumName[] {
  const some = mediumNames.filter(() => random.next() < 0.4)
  return some.length > 0 ? some : [random.pick(mediumNames)]
}

/** When: the log has so many lines, and then so much time has gone by. */
interface Moment {
  readonly lines: number
  readonly ms: number
}

const linesOf = (made: Project): number => read(made.path('.ntt/log/events.jsonl')).split('\n').length

interface Hit {
  /** It came to its end before it could be killed, and all is done. */
  readonly isDone: boolean
  readonly isHit: boolean
  /** Who lived when it was killed. */
  readonly before: readonly Process[]
  readonly wrong: readonly string[]
}

async function killOne(made: Project, victim: Victim, { lines, ms }: Moment): Promise<Hit> {
  const running = startApply(made)
  let isOver = false
  void running.ended.then(() => {
    isOver = true
  })
  while (!isOver && linesOf(made) < lines) await sleep(5)
  await Promise.race([sleep(ms), running.ended])
  let before: readonly Process[] = []
  let isHit = false
  while (!isOver && !isHit) {
    before = descendants(running.pid)
    isHit = strike(made, victim, running, before)
    if (!isHit) await sleep(2)
  }
  const { end, told } = await running.ended
  // Whoever lost a program or its database says so; a crash of ours would be 1, or a signal that nobody sent.
  const expected: readonly (number | string)[] =
    victim === 'ntt' || victim === 'everything' ? ['SIGKILL'] : [0, 3, 4, 5]
  // Who ended with 0 had come to its end when the signal came: nobody outlives a SIGKILL.
  const wasAlive = isHit && !(expected.includes('SIGKILL') && end === 0)
  const wrong = expected.includes(end) || (!wasAlive && end === 0) ? [] : [`ended with ${end}:\n${told}`]
  return { isHit: wasAlive, isDone: end === 0, before, wrong }
}

/** Kills, if there is something to kill. */
function strike(made: Project, victim: Victim, running: Running, below: readonly Process[]): boolean {
  const itself = everyone().find(({ pid }) => pid === running.pid)
  switch (victim) {
    case 'ntt':
      return itself !== undefined && kill(itself)
    case 'child': {
      const mortal = below.filter(({ name }) => name !== 'postgres')
      const one = mortal[Math.floor(running.pid % Math.max(mortal.length, 1))]
      return one !== undefined && kill(one)
    }
    case 'postmaster': {
      const first = postmasterOf(made)
      return first !== null && kill(first)
    }
    case 'backend': {
      const first = postmasterOf(made)
      const workers = everyone().filter(({ parent }) => parent === first?.pid)
      const one = workers[running.pid % Math.max(workers.length, 1)]
      return one !== undefined && kill(one)
    }
    case 'everything':
      return (
        [...(itself === undefined ? [] : [itself]), ...below, ...usersOf(made.folder)].filter(kill).length > 0
      )
    default:
      return victim satisfies never
  }
}

/** One run that is left alone; then all must be as if nothing had ever been killed. */
export async function converge(made: Project, arena: Arena): Promise<readonly string[]> {
  const again = await runAgain(made, arena.truth)
  if (again.length > 0) return again
  const planned = await made.ntt('plan')
  if (planned.code !== 0)
    return [`after it converged, plan ends with ${planned.code}:\n${planned.out}${planned.err}`]
  const sealed = await made.ntt('verify', '--log')
  const truth = await readTruth(made)
  return [
    ...(sealed.code === 0 ? [] : [`verify --log ends with ${sealed.code}:\n${sealed.out}${sealed.err}`]),
    ...compare(truth, arena.truth),
    ...compareStore(made, truth),
    ...(await findSurvivors(made, [])),
    ...findLeftovers(made),
  ]
}
