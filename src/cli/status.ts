// ntt status: one line a medium.
import { UsageError, type ExitCode } from '../model/errors.ts'
import { coverage } from '../ledger.ts'
import { together } from '../model/proofs.ts'
import type { Lane, Observed } from '../model/stage.ts'
import { planExit } from '../plan.ts'
import { products } from '../sweep.ts'
import { coverageOf, coverageText, type Covered } from '../views/coverage.ts'
import { wrap } from '../views/format.ts'
import { statusText, waitsFor, reached, type Standing } from '../views/status.ts'
import { shortOf, tellAccepted } from './accepted.ts'
import { tellBusy, tellFailed } from './attempts.ts'
import { failures, recentLines } from './history.ts'
import { look, select } from './look.ts'
import { isHushed, type Flags } from './flags.ts'
import type { Session } from './session.ts'
import { writeStrangers } from './strangers.ts'
import { openVerb } from './verb.ts'

/** As `verify --budget` has it by default. */
const maxAgeMs = 30 * 86_400_000

interface StatusFlags extends Flags {
  readonly watch?: boolean
  readonly only?: readonly string[]
}

export async function statusVerb(named: readonly string[], flags: StatusFlags): Promise<ExitCode> {
  const asked = [...named, ...(flags.only ?? [])]
  await using verb = await openVerb(flags, { writes: false, named: asked })
  if (flags.watch === true && flags.quiet === true)
    throw new UsageError('--quiet would leave nothing of --watch')
  const chosen = select(verb.declarations, asked)
  if (flags.watch === true && !verb.config.display.plain) {
    const { watch } = await import('./watch.ts')
    return await watch(verb, chosen)
  }
  const { plan, observed } = await look(verb.session, chosen)
  const media = [...observed.values()]
  const standings = plan.lanes.map(standing)
  const covered = await readCoverage(verb.session, media)
  if (flags.json === true) {
    const document = standings.map(({ lane, health, proven }) => ({
      medium: lane.medium,
      medium_hash: lane.hash,
      holds: reached(lane),
      target: lane.target,
      proven,
      health,
      waits_for: waitsFor(lane),
      not_whole: shortOf(observed.get(lane.medium)),
    }))
    verb.write(`${JSON.stringify({ media: document, read_back: covered })}\n`)
  } else if (!isHushed(flags, planExit(plan))) {
    verb.write(statusText(standings, Date.now(), verb.manner))
    for (const text of [
      ...tellAccepted(media, verb.manner),
      ...(await tellBusy(verb.session, plan.lanes, verb.manner)),
      ...tellFailed(failures(await recentLines(verb.config.log)), plan.lanes, verb.manner),
    ])
      verb.write(`${wrap(text, verb.manner.width).join('\n')}\n`)
    if (asked.length === 0) await writeStrangers(verb, media)
    if (covered !== null)
      verb.write(`${wrap(coverageText(covered, maxAgeMs, Date.now()), verb.manner.width).join('\n')}\n`)
  }
  return planExit(plan)
}

/** null: there is nothing that could be covered, or no database that knows. */
async function readCoverage({ database }: Session, media: readonly Observed[]): Promise<Covered | null> {
  if (database === null) return null
  const now = new Date()
  const since = new Date(now.getTime() - maxAgeMs).toISOString()
  const store = await coverage((sql, params) => database.query(sql, params), since, now)
  const kept = products(media)
  return kept.length + store.blobs === 0 ? null : coverageOf(store, kept, since, now)
}

function standing(lane: Lane): Standing {
  const proven = together(
    lane.steps.filter(({ action }) => action === 'keep').flatMap(({ proof }) => proof ?? []),
  )
  return { lane, health: lane.health, proven }
}
