// ntt apply: show the plan, ask, carry it out, verify every step.
import { apply } from '../apply.ts'
import { UsageError, mostSerious, type ExitCode } from '../model/errors.ts'
import { estimate } from '../model/estimate.ts'
import type { Declaration, StageName } from '../model/medium.ts'
import { planExit, todo } from '../plan.ts'
import { heldText, planText } from '../views/plan.ts'
import { isWanted } from './ask.ts'
import { fileInBytes, past, recentLines } from './history.ts'
import { openTeller } from './teller.ts'
import { fromDevice, look, parseRedo, select, stageOfTarget } from './look.ts'
import type { Flags } from './flags.ts'
import {
  declaredStill,
  movedSince,
  needNothingElse,
  needUnmoved,
  readPlan,
  topStage,
  type SavedPlan,
} from './saved-plan.ts'
import { tellStrangers } from './strangers.ts'
import { openVerb } from './verb.ts'
import { startRun } from './run.ts'

interface ApplyFlags extends Flags {
  readonly target?: string
  readonly only?: readonly string[]
  readonly jobs?: string
  readonly yes?: boolean
  readonly wait?: boolean
  readonly redo?: readonly string[]
  readonly device?: string
}

/** Media that are worked on, and the stages that are made again. */
interface Wanted {
  readonly chosen: readonly Declaration[]
  readonly redo: ReadonlyMap<string, ReadonlySet<StageName>>
}

export async function applyVerb(named: readonly string[], flags: ApplyFlags): Promise<ExitCode> {
  const saved = await readPlan(named)
  const { only: also, redo: again = [], target, device } = flags
  const asked = saved === null ? [...named, ...(also ?? [])] : []
  if (saved !== null) needNothingElse({ only: also, redo: again, target, device })
  const wanted = (declarations: readonly Declaration[]): Wanted =>
    saved === null
      ? {
          chosen: fromDevice(select(declarations, asked), device),
          redo: parseRedo(again, declarations),
        }
      : wantedStill(saved, declarations)
  await using verb = await openVerb(flags, { writes: true, check: wanted, named: asked })
  const { session, declarations, signals, manner, write } = verb
  const { chosen, redo } = wanted(declarations)
  const only = saved === null ? stageOfTarget(target) : topStage(saved)
  const looked = await look(session, chosen, { only, redo })
  if (saved !== null) needUnmoved(saved, looked.plan, chosen)
  const steps = looked.plan.lanes.reduce((sum, lane) => sum + todo(lane).length, 0)
  const lines = await recentLines(session.config.log)
  const price = fileInBytes(lines)
  const asks = flags.yes !== true && saved === null && steps > 0
  // Who asks for documents has no plan on stdout; what is asked about is then told beside the question.
  const tell = flags.json === true ? (text: string): void => void process.stderr.write(text) : write
  if (asks || (flags.json !== true && flags.quiet !== true))
    tell(
      planText(looked.plan, {
        manner,
        tookSec: looked.tookSec,
        estimate: estimate(looked.plan, past(lines), session.config.jobs),
        verbose: flags.verbose === true,
        beside:
          asked.length > 0 || saved !== null
            ? []
            : await tellStrangers(session, [...looked.observed.values()], manner),
      }),
    )
  if (steps === 0) {
    // Nothing that a machine could do: it has ended, and what is refused or waits did not converge.
    const exit = planExit(looked.plan)
    // Whoever was shown no plan is told why it ends like this.
    if (flags.json === true || flags.quiet === true) process.stderr.write(heldText(looked.plan, manner))
    return exit === 2 ? 4 : exit
  }
  if (asks && !(await isWanted('apply', manner))) return planExit(looked.plan)

  const teller = await openTeller(verb, flags)
  try {
    const run = await startRun(session, {
      verb: 'apply',
      arguments: process.argv.slice(2),
      reader: teller.read,
      stopping: signals.stopping,
      unpaused: teller.unpaused,
      wait: flags.wait === true,
    })
    signals.onStop(() =>
      run.emit({ type: 'run.stopping', text: 'stopping after the running steps; once more stops now' }),
    )
    run.emit({
      type: 'plan.ready',
      lanes: looked.plan.lanes,
      ...(price === null ? {} : { fileInBytes: price }),
    })
    const ends = await apply(looked.plan, looked.observed, run.hands, {
      width: session.config.jobs,
      redo,
      ...(only === undefined ? {} : { only }),
    })
    const codes = ends.map(({ exit }) => exit)
    const exit = signals.stopping.aborted ? 130 : mostSerious(codes)
    const converged = codes.filter((code) => code === 0).length
    return await run.finish(exit, { converged, failed: codes.length - converged })
  } finally {
    await teller.close()
  }
}

/** What a saved plan asks for, of what is declared by now. */
function wantedStill(saved: SavedPlan, declarations: readonly Declaration[]): Wanted {
  try {
    return {
      chosen: fromDevice(declaredStill(saved, declarations), saved.asked.device ?? undefined),
      redo: parseRedo(saved.asked.redo, declarations),
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    // It could be asked when it was planned.
    throw movedSince([error.message])
  }
}
