// ntt verify: prove again what is there; runs nothing.
import { mostSerious, UsageError, type ExitCode } from '../model/errors.ts'
import { count } from '../model/counted.ts'
import type { Depth, Lane, Observed } from '../model/stage.ts'
import { readTogether } from '../sweep/together.ts'
import { isMadeInPart, isNew, verify } from '../verify.ts'
import { look, select } from './look.ts'
import type { Flags } from './flags.ts'
import { startRun } from './run.ts'
import { openTeller } from './teller.ts'
import { writeStrangers } from './strangers.ts'
import { sweepHands } from './sweep-hands.ts'
import { wrap } from '../views/format.ts'
import { command } from '../views/paint.ts'
import { openVerb, type Verb } from './verb.ts'
import { verifyLog } from './verify-log.ts'

interface VerifyFlags extends Flags {
  readonly only?: readonly string[]
  readonly jobs?: string
  readonly depth?: Depth
  readonly log?: boolean
  readonly budget?: string
  readonly maxAge?: string
}

export async function verifyVerb(named: readonly string[], flags: VerifyFlags): Promise<ExitCode> {
  if (flags.log === true) return verifyLog(flags)
  if (flags.maxAge !== undefined && flags.budget === undefined)
    throw new UsageError('--max-age goes with --budget', {
      hint: 'Without a budget all that is named is verified, however lately it was.',
    })
  if (flags.budget !== undefined) {
    const { verifyByBudget } = await import('./verify-budget.ts')
    return verifyByBudget(named, { ...flags, budget: flags.budget })
  }
  const asked = [...named, ...(flags.only ?? [])]
  await using verb = await openVerb(flags, {
    writes: true,
    named: asked,
    check: (declarations) => void select(declarations, asked),
  })
  const { session, declarations, signals } = verb
  const depth = flags.depth ?? 'counts'
  const looked = await look(session, select(declarations, asked))
  const isAll = asked.length === 0
  const teller = await openTeller(verb, flags)
  let exit: ExitCode
  try {
    const run = await startRun(session, {
      verb: 'verify',
      arguments: process.argv.slice(2),
      reader: teller.read,
      stopping: signals.stopping,
      unpaused: teller.unpaused,
      wait: false,
    })
    run.emit({ type: 'plan.ready', lanes: looked.plan.lanes.map((lane) => toProve(lane, depth)) })
    const media = [...looked.observed.values()]
    const known = media.flatMap(({ medium }) => (medium.hash === null ? [] : [medium]))
    const together =
      depth === 'hash' && (isAll || known.length > 1)
        ? readTogether(known, sweepHands(run, session, session.database), isAll)
        : { hands: run.hands, exit: () => 0 as const }
    const codes = await verify(media, together.hands, depth, session.config.jobs)
    const good = codes.filter((code) => code === 0).length
    exit = await run.finish(mostSerious([...codes, together.exit()]), {
      converged: good,
      failed: codes.length - good,
    })
  } finally {
    await teller.close()
  }
  if (flags.json !== true) {
    const all = [...looked.observed.values()]
    const none = (names: string) => `There is nothing to verify of ${names}: nothing is there as declared`
    const some = (names: string) => `Of ${names} only what is there was verified: the rest was never made`
    tellUnmade(verb, all.filter(isNew), none)
    tellUnmade(verb, all.filter(isMadeInPart), some)
  }
  if (flags.json !== true && isAll) await writeStrangers(verb, [...looked.observed.values()])
  return exit
}

const namesShown = 5

/** Of whom there was less to verify than is declared; a summary that counts them is read past. */
function tellUnmade(
  { manner, write }: Verb,
  media: readonly Observed[],
  what: (names: string) => string,
): void {
  if (media.length === 0) return
  const names = media.slice(0, namesShown).map(({ medium }) => medium.name)
  const more = media.length > namesShown ? `, and ${count(media.length - namesShown)} more` : ''
  const plan = command(media.length === 1 ? `plan ${names.join(' ')}` : 'plan', manner)
  const text = `${what(`${names.join(', ')}${more}`)}. ${plan} shows what is to be done.`
  write(`${wrap(text, manner.width).join('\n')}\n`)
}

/** What is there is proven again; the rest is not this verb's. */
const toProve = (lane: Lane, depth: Depth): Lane => ({
  ...lane,
  steps: lane.steps.flatMap((step) =>
    step.action === 'keep' || step.action === 'prove'
      ? [{ ...step, action: 'prove', because: { code: 'asked', text: `at depth ${depth}` } }]
      : [],
  ),
})
