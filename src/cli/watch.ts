// ntt status --watch: the screen over what others are doing; it looks again and again, and touches nothing.
import { setTimeout as sleep } from 'node:timers/promises'
import { survivable, type ExitCode } from '../model/errors.ts'
import type { Declaration } from '../model/medium.ts'
import { fold } from '../model/progress.ts'
import { emptyRun, type RunView } from '../model/run-view.ts'
import type { Lane } from '../model/stage.ts'
import { watched, type Holder } from '../model/watch.ts'
import { heldMedia } from '../ports/locks.ts'
import { planExit } from '../plan.ts'
import { openScreen } from '../views/tui/start.tsx'
import { readLog, sizeOf } from './read-log.ts'
import { look } from './look.ts'
import { openSession, type Session } from './session.ts'
import type { Verb } from './verb.ts'

/** Seconds between two looks at least; a look that takes long is made less often. */
const leastPauseSec = 2
/** So much of the log's end is read for the runs that are going on. */
const tailBytes = 64 << 20
/** How often the log is asked for more. */
const logMs = 250

export async function watch(verb: Verb, declarations: readonly Declaration[]): Promise<ExitCode> {
  const { config, signals } = verb
  const closing = new AbortController()
  signals.onStop(() => closing.abort())
  const screen = openScreen({
    manner: config.display,
    purpose: 'watch',
    commands: { pause: () => {}, stop: () => signals.stop() },
    stdin: process.stdin,
    stdout: process.stdout,
    now: Date.now,
  })
  const told = new ToldRuns(config.log)
  let seen: Seen = { lanes: [], holders: [], trouble: 'looking' }
  let exit: ExitCode = 0
  const show = (): void => screen.show(pictured(seen, told.runs))
  show()
  const looking = async (): Promise<void> => {
    let session: Session | null = null
    try {
      while (!closing.signal.aborted) {
        const began = performance.now()
        // A project may get its database while we watch.
        if (session?.database === null) {
          await session[Symbol.asyncDispose]()
          session = null
        }
        session ??= await openSession({ config, declarations, writes: false, signal: signals.now })
        seen = await lookOnce(session, declarations, seen)
        if (seen.trouble === null) exit = planExit(seen)
        show()
        const tookSec = (performance.now() - began) / 1000
        await pause(Math.max(leastPauseSec, tookSec * 4) * 1000, closing.signal)
      }
    } finally {
      await session?.[Symbol.asyncDispose]()
    }
  }
  const following = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      if (await told.readOn()) show()
      await pause(logMs, closing.signal)
    }
  }
  const work = Promise.all([looking(), following()])
  const closed = new Promise<void>((resolve) => closing.signal.addEventListener('abort', () => resolve()))
  try {
    await Promise.race([work, closed, screen.finished])
  } finally {
    closing.abort()
    await screen.close()
  }
  // The screen is gone at once; a look that is under way is let end.
  await work
  return exit
}

interface Seen {
  readonly lanes: readonly Lane[]
  readonly holders: readonly Holder[]
  /** Why the last look failed; what was seen before is then shown with this word. */
  readonly trouble: string | null
}

async function lookOnce(session: Session, declarations: readonly Declaration[], before: Seen): Promise<Seen> {
  const { database } = session
  try {
    const { plan } = await look({ ...session, eyes: session.freshEyes() }, declarations)
    const holders = database === null ? [] : await heldMedia((sql, params) => database.query(sql, params))
    return { lanes: plan.lanes, holders, trouble: null }
  } catch (error) {
    return { ...before, trouble: `could not look: ${survivable(error).message}` }
  }
}

function pictured({ lanes, holders, trouble }: Seen, runs: ReadonlyMap<string, RunView>): RunView {
  const view = watched(lanes, runs, holders, Date.now())
  if (trouble === null) return view
  const told = {
    seq: 0,
    atMs: Date.now(),
    medium: null,
    stage: null,
    weight: 'doubt',
    text: trouble,
  } as const
  return { ...view, log: [...view.log, told] }
}

/** The runs that are not over, as the log of this host tells of them. */
class ToldRuns {
  readonly #log: string
  readonly #runs = new Map<string, RunView>()
  #from: number | null = null
  constructor(log: string) {
    this.#log = log
  }
  get runs(): ReadonlyMap<string, RunView> {
    return this.#runs
  }
  /** Folds what has come since; true if anything has. */
  async readOn(): Promise<boolean> {
    // A log that begins somewhere in a line tells that line as damaged, and is right from the next on.
    this.#from ??= Math.max(0, ((await sizeOf(this.#log)) ?? 0) - tailBytes)
    let changed = false
    const reached = await readLog(this.#log, this.#from, {
      event: (event) => {
        changed = true
        if (event.type === 'run.finished') this.#runs.delete(event.run)
        else this.#runs.set(event.run, fold(this.#runs.get(event.run) ?? emptyRun, event))
      },
    })
    this.#from = reached ?? 0
    return changed
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => {
    // Woken: somebody closes the screen.
  })
