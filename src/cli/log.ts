// ntt log: what happened, from the event log; as lines, as JSON, or as it happens.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError, errnoOf, type ExitCode } from '../model/errors.ts'
import type { Event } from '../model/event.ts'
import { openPlain } from '../views/plain.ts'
import { parseLine } from '../views/replay.ts'
import type { Flags } from './main.ts'
import { catchSignals } from './signals.ts'
import { configOf, mannerOf } from './verb.ts'

interface LogFlags extends Flags {
  readonly follow?: boolean
  readonly run?: string
}

export async function logVerb([medium]: readonly string[], flags: LogFlags): Promise<ExitCode> {
  const config = configOf(flags)
  const about = (event: Event): boolean =>
    (medium === undefined || ('medium' in event && event.medium === medium)) &&
    (flags.run === undefined || event.run === flags.run)
  const write = (text: string): void => {
    process.stdout.write(text)
  }
  const plain = openPlain({ manner: mannerOf(config), write, verbose: true })
  const tell = (line: string): void => {
    const event = parseLine(line)
    if (!about(event)) return
    if (flags.json === true) write(`${line}\n`)
    else plain.read(event)
  }
  const signals = catchSignals()
  try {
    let from = await told(config.log, 0, tell, flags.follow === true)
    while (flags.follow === true && !signals.stopping.aborted) {
      await sleep(500)
      from = await told(config.log, from, tell, true)
    }
    return 0
  } finally {
    signals.release()
  }
}

/** Tells every whole line from this offset on, and returns where the next one begins. */
async function told(
  path: string,
  from: number,
  tell: (line: string) => void,
  mayBeAbsent: boolean,
): Promise<number> {
  const there = await stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  })
  if (there === null) {
    if (mayBeAbsent) return 0
    throw new UsageError(`there is no event log at ${path}`, { hint: 'ntt apply writes it' })
  }
  const end = await lastNewline(path, there.size)
  if (end <= from) return from
  const lines = createInterface({
    input: createReadStream(path, { start: from, end: end - 1 }),
    crlfDelay: Number.POSITIVE_INFINITY,
  })
  for await (const line of lines) if (line !== '') tell(line)
  return end
}

/** The offset behind the last newline: what follows it is still being written. */
async function lastNewline(path: string, size: number): Promise<number> {
  const file = await open(path)
  try {
    const window = Buffer.alloc(Math.min(size, 1 << 20))
    await file.read(window, 0, window.length, size - window.length)
    const at = window.lastIndexOf(0x0a)
    return at === -1 ? 0 : size - window.length + at + 1
  } finally {
    await file.close()
  }
}
