// ntt status: one line a medium.
import type { ExitCode } from '../model/errors.ts'
import type { Lane, Observed } from '../model/stage.ts'
import { planExit } from '../plan.ts'
import { statusText, waitsFor, rung, type Standing } from '../views/status.ts'
import { look, select } from './look.ts'
import type { Flags } from './main.ts'
import { openVerb } from './verb.ts'

interface StatusFlags extends Flags {
  readonly watch?: boolean
  readonly only?: readonly string[]
}

export async function statusVerb(named: readonly string[], flags: StatusFlags): Promise<ExitCode> {
  await using verb = await openVerb(flags, { writes: false })
  const chosen = select(verb.declarations, named, flags.only)
  if (flags.watch === true && !verb.config.display.plain) {
    const { watch } = await import('./watch.ts')
    return watch(verb, chosen)
  }
  const { plan, observed } = await look(verb.session, chosen)
  const standings = plan.lanes.map((lane) => standing(lane, observed.get(lane.medium)))
  if (flags.json === true) {
    const document = standings.map(({ lane, health, proven }) => ({
      medium: lane.medium,
      medium_hash: lane.hash,
      holds: rung(lane),
      target: lane.target,
      proven,
      health,
      waits_for: waitsFor(lane),
    }))
    verb.write(`${JSON.stringify(document)}\n`)
  } else verb.write(statusText(standings, Date.now(), verb.manner))
  return planExit(plan)
}

function standing(lane: Lane, observed: Observed | undefined): Standing {
  const holding = lane.steps
    .filter(({ action }) => action === 'keep')
    .flatMap(({ proof }) => (proof === null ? [] : [proof]))
  const oldest = holding.toSorted((a, b) => (a.at < b.at ? -1 : 1))[0] ?? null
  const image = observed?.proofs.filter(({ stage, ok }) => stage === 'image' && ok).at(-1)
  const health = image?.facts['health']
  return { lane, health: typeof health === 'string' ? health : null, proven: oldest }
}
