// What the event log tells of steps that were done, for the estimates of a plan, and of those that failed.
import type { Past } from '../model/estimate.ts'
import { ObserveError } from '../model/errors.ts'
import type { StageName } from '../model/medium.ts'
import { learnedFileInBytes, newPace, paced, usualFileInBytes, type Pace } from '../model/pace.ts'
import { eventOf, logTail } from './read-log.ts'

/** So much of the log's end is looked at: thousands of steps, read in a moment. */
const tailBytes = 8 << 20

/** A step that failed, as the log tells. */
export interface Failed {
  readonly stage: StageName
  readonly at: string
  readonly message: string
}

/** The last lines of the log, for what is told by them below; empty where it is not there or cannot be read. */
export async function recentLines(log: string): Promise<string> {
  try {
    return await logTail(log, tailBytes)
  } catch (error) {
    // An estimate is a courtesy: without a history it is a guess, and says so.
    if (error instanceof ObserveError) return ''
    throw error
  }
}

/** The finished steps that these lines tell of, oldest first. Pure. */
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

/** By medium, what failed last by these lines, and was not done since; that somebody stopped it, or another had it, is no failure. Pure. */
export function failures(text: string): ReadonlyMap<string, Failed> {
  const failed = new Map<string, Failed>()
  for (const line of text.split('\n')) {
    if (!line.includes('_error"') && !line.includes('_success"')) continue
    const event = eventOf(line)
    if (event?.type === 'step.failed' && event.tag !== 'interrupted' && event.tag !== 'locked')
      failed.set(event.medium, { stage: event.stage, at: event.ts, message: event.message })
    if (event?.type === 'step.done' && failed.get(event.medium)?.stage === event.stage)
      failed.delete(event.medium)
  }
  return failed
}

/** What a file of a copy costs beside its bytes, in bytes, in the middle with what is usual; null: no copy of these lines tells. Pure. */
export function fileInBytes(text: string): number | null {
  const copies = new Map<string, Pace>()
  const learned: number[] = []
  for (const line of text.split('\n')) {
    if (!line.includes('"copy_')) continue
    const event = eventOf(line)
    if (event === null || !('stage' in event) || event.stage !== 'copy') continue
    const key = `${event.run} ${event.medium}`
    if (event.type === 'step.progress') {
      const pace = copies.get(key) ?? newPace()
      const { unit, done, total } = event
      copies.set(key, paced(pace, unit, { done, total }, Date.parse(event.ts)))
    } else if (event.type === 'step.verifying') {
      const pace = copies.get(key)
      const told = pace?.amounts.bytes === undefined ? null : learnedFileInBytes(pace)
      if (told !== null) learned.push(told)
      copies.delete(key)
    } else if (event.type === 'step.done') copies.delete(key)
  }
  if (learned.length === 0) return null
  // One copy may have gone badly for its own reasons; the guess counts as one more.
  const all = [usualFileInBytes, ...learned.slice(-10)]
  return Math.exp(all.reduce((sum, one) => sum + Math.log(one), 0) / all.length)
}
