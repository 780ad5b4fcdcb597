// ntt apply: show the plan, ask, carry it out, verify every step.
import { readFile } from 'node:fs/promises'
import { apply } from '../apply.ts'
import { RefusedError, UsageError, errnoOf, mostSerious, type ExitCode } from '../model/errors.ts'
import { estimate } from '../model/estimate.ts'
import { stageNames, type Declaration, type StageName } from '../model/medium.ts'
import type { Plan } from '../model/stage.ts'
import { moved, planExit, todo } from '../plan.ts'
import { planText } from '../views/plan.ts'
import { isWanted } from './ask.ts'
import { readHistory } from './history.ts'
import { openTeller } from './teller.ts'
import { fromDevice, look, parseRedo, select, stageOfTarget } from './look.ts'
import type { Flags } from './flags.ts'
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

/** A saved plan was looked at as it is; what would widen it was not. */
function needNothingElse({ only, redo, target, device }: ApplyFlags): void {
  const given = Object.entries({ only, redo, target, device }).flatMap(([name, value]) =>
    value === undefined || value.length === 0 ? [] : [`--${name}`],
  )
  if (given.length > 0)
    throw new UsageError(`${given.join(' and ')} cannot be given beside a saved plan`, {
      hint: 'ntt plan takes them with --out FILE; ntt apply FILE then does what was planned.',
    })
}

export async function applyVerb(named: readonly string[], flags: ApplyFlags): Promise<ExitCode> {
  const saved = await savedPlan(named)
  if (saved !== null) needNothingElse(flags)
  const names = saved === null ? named : saved.lanes.map(({ medium }) => medium)
  const check = (declarations: readonly Declaration[]): void => {
    fromDevice(select(declarations, names, flags.only), flags.device)
    parseRedo(flags.redo ?? [], declarations)
  }
  await using verb = await openVerb(flags, { writes: true, check })
  const { session, declarations, signals, manner, write } = verb
  const chosen = fromDevice(select(declarations, names, flags.only), flags.device)
  const redo = parseRedo(flags.redo ?? [], declarations)
  const only = stageOfTarget(flags.target) ?? topStage(saved)
  const looked = await look(session, chosen, { only, redo })
  if (saved !== null) {
    const facts = moved(saved, looked.plan)
    if (facts.length > 0) {
      throw new RefusedError(`reality moved since the plan was made: ${facts.join('; ')}`, {
        hint: 'ntt plan --out FILE makes a new one',
      })
    }
  }
  const steps = looked.plan.lanes.reduce((sum, lane) => sum + todo(lane).length, 0)
  const { past, fileInBytes } = await readHistory(session.config.log)
  const asks = flags.yes !== true && saved === null && steps > 0
  // Who asks for documents has no plan on stdout; what is asked about is then told beside the question.
  const tell = flags.json === true ? (text: string): void => void process.stderr.write(text) : write
  if (asks || (flags.json !== true && flags.quiet !== true))
    tell(
      planText(looked.plan, {
        manner,
        tookSec: looked.tookSec,
        estimate: estimate(looked.plan, past, session.config.jobs),
        verbose: flags.verbose === true,
        beside:
          chosen.length < declarations.length
            ? []
            : await tellStrangers(session, [...looked.observed.values()], manner),
      }),
    )
  if (steps === 0) {
    // Nothing that a machine could do: it has ended, and what is refused or waits did not converge.
    const exit = planExit(looked.plan)
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
      ...(fileInBytes === undefined ? {} : { fileInBytes }),
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

/** A plan that was saved: the one argument that names a file which holds one. */
async function savedPlan(named: readonly string[]): Promise<Plan | null> {
  const [file] = named
  if (file === undefined || named.length !== 1 || !/[/.]/.test(file) || /\.ya?ml$/.test(file)) return null
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read the plan ${file} (${errnoOf(error) ?? 'unknown'})`, {
      hint: 'A name with a dot or a slash is taken for a plan that was saved: ntt plan --out FILE makes one.',
    })
  })
  const { plan: validate } = await import('../generated/validators.js')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${file} is not a plan: ${String(error)}`, { hint: 'ntt plan --out FILE makes one' })
  }
  if (!isPlan(value, validate))
    throw new UsageError(`${file} is not a plan of this ntt`, { hint: 'ntt plan --out FILE makes one' })
  return value
}

const isPlan = (value: unknown, validate: (value: unknown) => boolean): value is Plan => validate(value)

/** The highest stage that a saved plan speaks of: nothing above it is done. */
const topStage = (saved: Plan | null): StageName | undefined =>
  saved === null
    ? undefined
    : stageNames.findLast((name) =>
        saved.lanes.some(({ steps }) => steps.some(({ stage }) => stage === name)),
      )
