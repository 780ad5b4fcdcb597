// ntt verify --budget: what was proven longest ago is proven again, as far as a time or a number of bytes goes.
import { coverage } from '../ledger.ts'
import { parseBudget, parseTime, usualMaxAge } from '../model/budget.ts'
import { UsageError, type ExitCode } from '../model/errors.ts'
import type { Depth } from '../model/stage.ts'
import { products, sweep } from '../sweep.ts'
import { coverageOf } from '../views/coverage.ts'
import { sweepText } from '../views/sweep.ts'
import { lineText } from '../views/jsonl.ts'
import { openPlain } from '../views/plain.ts'
import { look } from './look.ts'
import type { Flags } from './flags.ts'
import { startRun } from './run.ts'
import { writeStrangers } from './strangers.ts'
import { sweepHands } from './sweep-hands.ts'
import { openVerb } from './verb.ts'

interface BudgetFlags extends Flags {
  readonly budget: string
  readonly maxAge?: string
  readonly depth?: Depth
  readonly only?: readonly string[]
}

export async function verifyByBudget(named: readonly string[], flags: BudgetFlags): Promise<ExitCode> {
  const budget = parseBudget(flags.budget)
  if (budget === null)
    throw new UsageError(`--budget takes a time or a size, not ${JSON.stringify(flags.budget)}`, {
      hint: 'For example 10m, 2h, 20GB.',
    })
  const maxAgeMs = parseTime(flags.maxAge ?? usualMaxAge)
  if (maxAgeMs === null)
    throw new UsageError(`--max-age takes a time, not ${JSON.stringify(flags.maxAge)}`, {
      hint: 'For example 30d, 12h.',
    })
  if (flags.depth === 'counts')
    throw new UsageError('--depth counts does not go with --budget: what is read by a budget is read whole', {
      hint: 'ntt verify proves all that is there by its counts.',
    })
  if (named.length > 0 || (flags.only ?? []).length > 0)
    throw new UsageError('a budget is for the whole installation: the oldest comes first, whatever it is', {
      hint: 'ntt verify MEDIUM --depth hash proves one medium.',
    })
  await using verb = await openVerb(flags, { writes: true })
  const { session, declarations, signals, manner, write } = verb
  const { database } = session
  const looked = await look(session, declarations)
  const { verbose = false, quiet = false, json = false } = flags
  const plain = openPlain({ manner, write, verbose, quiet })
  const run = await startRun(session, {
    verb: 'verify',
    arguments: process.argv.slice(2),
    reader: (event) => (json ? write(`${lineText(event)}\n`) : plain.read(event)),
    stopping: signals.stopping,
    unpaused: async () => {},
    wait: false,
  })
  const hands = sweepHands(run, session, database)
  const media = [...looked.observed.values()]
  // Starting up and looking have taken their part of it; a part is left for reading, however slow they were.
  const left = 'ms' in budget ? { ms: Math.max(budget.ms / 4, budget.ms - performance.now()) } : budget
  const ended = await sweep(media, hands, { budget: left, maxAgeMs })
  await run.finish(ended.exit, { converged: ended.products, failed: ended.exit === 0 ? 0 : 1 })
  if (!json) {
    const now = new Date()
    const since = new Date(now.getTime() - maxAgeMs).toISOString()
    const store = await coverage(hands.query, since, now)
    const fresh = await look({ ...session, eyes: session.freshEyes() }, declarations)
    const covered = coverageOf(store, products([...fresh.observed.values()]), since, now)
    write(sweepText(ended, covered, { maxAgeMs, nowMs: Date.now() }, manner))
    await writeStrangers(verb, media)
  }
  return ended.exit
}
