// ntt log --replay: a run that is over, on the screen that showed it, at its own pace or faster.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { InterruptedError, UsageError, type ExitCode } from '../model/errors.ts'
import type { Event } from '../model/event.ts'
import { openScreen } from '../views/tui/start.tsx'
import { readLog } from './read-log.ts'

/** Pauses of the run are shown no longer than this. */
const longestPauseMs = 3000

export async function replay(config: Config, run: string, speed: number): Promise<ExitCode> {
  const events = await eventsOf(config.log, run)
  const [first] = events
  if (first === undefined) {
    throw new UsageError(`the event log knows no run ${run}`, { hint: 'ntt log --runs lists them.' })
  }
  const closing = new AbortController()
  let nowMs = Date.parse(first.ts)
  const screen = openScreen({
    manner: config.display,
    purpose: 'watch',
    commands: { pause: () => {}, stop: () => closing.abort(new InterruptedError('closed')) },
    stdin: process.stdin,
    stdout: process.stdout,
    now: () => nowMs,
  })
  const closed = new Promise<void>((resolve) => closing.signal.addEventListener('abort', () => resolve()))
  const play = async (): Promise<void> => {
    for (const event of events) {
      const waitMs = Math.min(longestPauseMs, Math.max(0, Date.parse(event.ts) - nowMs) / speed)
      // Small steps, so that clocks and stalls of the recorded time are seen to grow.
      for (let left = waitMs; left > 0 && !closing.signal.aborted; left -= 100) {
        await sleep(Math.min(100, left))
        nowMs += Math.min(100, left) * speed
      }
      if (closing.signal.aborted) return
      nowMs = Math.max(nowMs, Date.parse(event.ts))
      screen.read(event.type === 'run.started' ? { ...event, verb: `${event.verb}, replayed` } : event)
    }
    await closed
  }
  await Promise.race([play(), screen.finished])
  await screen.close()
  return 0
}

async function eventsOf(log: string, run: string): Promise<readonly Event[]> {
  const events: Event[] = []
  await readLog(log, 0, {
    event: (event) => {
      if (event.run === run) events.push(event)
    },
  })
  return events
}
