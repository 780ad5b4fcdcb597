// ntt plan: look, compare, show; writes nothing but the file that --out names.
import { estimate } from '../model/estimate.ts'
import type { ExitCode } from '../model/errors.ts'
import { planExit } from '../plan.ts'
import { planText } from '../views/plan.ts'
import { tellAccepted } from './accepted.ts'
import { tellBusy, tellFailed } from './attempts.ts'
import { failures, past, recentLines } from './history.ts'
import { fromDevice, look, parseRedo, select, stageOfTarget } from './look.ts'
import { isHushed, type Flags } from './flags.ts'
import { needFileName, savedPlan, writePlan } from './saved-plan.ts'
import { tellStrangers } from './strangers.ts'
import { openVerb } from './verb.ts'

interface PlanFlags extends Flags {
  readonly target?: string
  readonly only?: readonly string[]
  readonly out?: string
  readonly redo?: readonly string[]
  readonly device?: string
}

export async function planVerb(named: readonly string[], flags: PlanFlags): Promise<ExitCode> {
  if (flags.out !== undefined) needFileName(flags.out)
  const asked = [...named, ...(flags.only ?? [])]
  await using verb = await openVerb(flags, { writes: false, named: asked })
  const { config, session, declarations, manner, write } = verb
  const redo = parseRedo(flags.redo ?? [], declarations)
  const chosen = fromDevice(select(declarations, asked), flags.device)
  const { plan, observed, tookSec } = await look(session, chosen, {
    only: stageOfTarget(flags.target),
    redo,
  })
  if (flags.json === true) write(`${JSON.stringify(savedPlan(plan, chosen, flags))}\n`)
  else if (!isHushed(flags, planExit(plan))) {
    const lines = await recentLines(config.log)
    const expected = estimate(plan, past(lines), config.jobs)
    const media = [...observed.values()]
    const beside = [
      ...tellAccepted(media, manner),
      ...(await tellBusy(session, plan.lanes, manner)),
      ...tellFailed(failures(lines), plan.lanes, manner),
      ...(asked.length > 0 ? [] : await tellStrangers(session, media, manner)),
    ]
    write(planText(plan, { manner, tookSec, estimate: expected, verbose: flags.verbose === true, beside }))
  }
  if (flags.out !== undefined) await writePlan(flags.out, savedPlan(plan, chosen, flags))
  return planExit(plan)
}
