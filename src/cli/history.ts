// What this installation has measured: the steps that the event log tells of, for the estimates of a plan.
import type { Past } from '../model/estimate.ts'
import { ObserveError } from '../model/errors.ts'
import type { Event } from '../model/event.ts'
import { parseLine } from '../views/replay.ts'
import { logTail } from './log-file.ts'

/** So much of the log's end is looked at: thousands of steps, read in a moment. */
const tailBytes = 8 << 20

/** The finished steps of the last runs, oldest first. Nothing is told by a log that is not there or cannot be read. */
export async function readHistory(log: string): Promise<readonly Past[]> {
  const text = await logTail(log, tailBytes).catch((error: unknown) => {
    // An estimate is a courtesy: without a history it is a guess, and says so.
    if (error instanceof ObserveError) return ''
    throw error
  })
  return past(text)
}

/** The finished steps that these lines tell of. Pure. */
export function past(text: string): readonly Past[] {
  const sizes = new Map<string, number>()
  return text.split('\n').flatMap((line): Past[] => {
    if (!line.includes('_success"') && !line.includes('"plan_ready"')) return []
    const event = eventOf(line)
    if (event?.type === 'plan.ready') {
      for (const { hash, bytes } of event.lanes) if (hash !== null && bytes !== null) sizes.set(hash, bytes)
    }
    if (event?.type !== 'step.done' || event.action === 'keep') return []
    const { stage, action, durationSec, hash, figures } = event
    const bytes = sizes.get(hash ?? '') ?? figures['bytes']
    return bytes === undefined ? [] : [{ stage, action, bytes, durationSec }]
  })
}

function eventOf(line: string): Event | null {
  try {
    return parseLine(line)
  } catch (error) {
    if (error instanceof ObserveError) return null
    throw error
  }
}
