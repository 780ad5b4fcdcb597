// ntt log: what happened, from the event log; as lines, as JSON, as it happens, or as the screen showed it.
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError, type ExitCode } from '../model/errors.ts'
import type { Event } from '../model/event.ts'
import { counted } from '../model/counted.ts'
import { readable } from '../views/format.ts'
import { command } from '../views/paint.ts'
import { openPlain } from '../views/plain.ts'
import type { Flags } from './flags.ts'
import { readLog } from './read-log.ts'
import { catchSignals } from './signals.ts'
import { configOf, mannerOf, outOf } from './verb.ts'

interface LogFlags extends Flags {
  readonly follow?: boolean
  readonly run?: string
  readonly replay?: string
  readonly speed?: string
  readonly runs?: boolean
  readonly all?: boolean
}

/** So many lines are shown where nobody asks for all; documents are always whole. */
const lastLines = 200

export async function logVerb([medium]: readonly string[], flags: LogFlags): Promise<ExitCode> {
  const config = configOf(flags)
  if (flags.replay !== undefined && !config.display.plain) {
    const { replay } = await import('./replay.ts')
    return replay(config, flags.replay, speedOf(flags.speed))
  }
  if (flags.runs === true) {
    const { runs } = await import('./runs.ts')
    return runs(config, { medium, all: flags.all === true, json: flags.json === true }, outOf(config))
  }
  const run = flags.run ?? flags.replay
  const about = (event: Event): boolean =>
    (medium === undefined || ('medium' in event && event.medium === medium)) &&
    (run === undefined || event.run === run)
  const isWhole = flags.all === true || flags.json === true || flags.run !== undefined
  const tail = openTail(
    isWhole ? Number.POSITIVE_INFINITY : lastLines,
    command(`log ${medium === undefined ? '' : `${readable(medium)} `}--all`, mannerOf(config)),
  )
  const write = (text: string): void => tail.write(text)
  const plain = openPlain({ manner: mannerOf(config), write, verbose: true, dated: true })
  let [told, damaged] = [0, 0]
  const reader = {
    event(event: Event, line: string): void {
      if (!about(event)) return
      told += 1
      if (flags.json === true) write(`${line}\n`)
      else plain.read(event)
    },
    damaged(): void {
      damaged += 1
    },
  }
  const signals = catchSignals()
  try {
    let from = await readLog(config.log, 0, reader)
    if (from === null && flags.follow !== true) {
      throw new UsageError(`there is no event log at ${config.log}`, { hint: 'ntt apply writes it.' })
    }
    tail.end()
    if (told === 0 && flags.follow === true)
      process.stderr.write(
        `nothing${medium === undefined ? '' : ` of ${readable(medium)}`} yet; ^C ends the waiting\n`,
      )
    while (flags.follow === true && !signals.stopping.aborted) {
      await sleep(500)
      from = await readLog(config.log, from ?? 0, reader)
    }
    if (damaged > 0) {
      process.stderr.write(
        `${counted(damaged, 'line')} of the log could not be read (broken off, or not of ntt)\n`,
      )
    }
    if (told === 0 && flags.follow !== true && (run !== undefined || medium !== undefined)) {
      const what = [...(run === undefined ? [] : [`run ${run}`]), ...(medium === undefined ? [] : [medium])]
      throw new UsageError(`the event log tells nothing of ${what.join(' and ')}`, {
        hint: 'ntt log --runs lists the runs that it tells of, ntt status the media that are declared.',
      })
    }
    return 0
  } finally {
    signals.release()
  }
}

/** Keeps the last lines until `end`, then says how many were left out before them and what shows them, and writes what comes. */
function openTail(most: number, all: string): { write(text: string): void; end(): void } {
  const kept: string[] = []
  let [left, isOpen] = [0, most === Number.POSITIVE_INFINITY]
  return {
    write(text) {
      if (isOpen) {
        process.stdout.write(text)
        return
      }
      kept.push(...text.split(/(?<=\n)/))
      // Cut now and then, and not for each line.
      if (kept.length > 2 * most) left += kept.splice(0, kept.length - most).length
    },
    end() {
      left += kept.splice(0, Math.max(0, kept.length - most)).length
      isOpen = true
      if (left > 0) process.stdout.write(`${counted(left, 'line')} before: ${all} shows them\n`)
      process.stdout.write(kept.join(''))
    },
  }
}

function speedOf(text: string | undefined): number {
  const speed = Number(text ?? '1')
  if (Number.isFinite(speed) && speed > 0) return speed
  throw new UsageError(`--speed takes a number above 0, not ${JSON.stringify(text)}`)
}
