// Reading the event log: whole lines only, from any offset on, whatever was torn by a power cut.
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { ObserveError, errnoOf } from '../model/errors.ts'
import type { Event } from '../model/event.ts'
import { needFile } from '../ports/readable.ts'
import { parseLine } from '../views/replay.ts'

/** Told of every line that is an event, and of every other one as what it is. */
export interface LogReader {
  event(event: Event, line: string): void
  /** A line that is no event: torn by a crash, or another program's. */
  damaged?(line: string): void
}

/** Tells every whole line from this offset on, and returns where the next one begins; null: there is no log. */
export async function readLog(path: string, from: number, reader: LogReader): Promise<number | null> {
  const size = await sizeOf(path)
  if (size === null) return null
  const end = await lastNewline(path, size)
  if (end <= from) return from
  const input = createReadStream(path, { start: from, end: end - 1 })
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    if (line === '') continue
    const event = eventOf(line)
    if (event === null) reader.damaged?.(line)
    else reader.event(event, line)
  }
  return end
}

/** null: the line is damaged. */
export function eventOf(line: string): Event | null {
  try {
    return parseLine(line)
  } catch (error) {
    if (error instanceof ObserveError) return null
    throw error
  }
}

/** Bytes of the log; null where there is none. */
export async function sizeOf(path: string): Promise<number | null> {
  try {
    const found = await stat(path)
    needFile(found, path)
    return found.size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    if (error instanceof ObserveError) throw error
    throw new ObserveError(`cannot read the event log ${path} (${errnoOf(error) ?? 'unknown'})`, {
      cause: error,
    })
  }
}

/** The last bytes of the log as text, from the beginning of a line; empty where there is none. */
export async function logTail(path: string, bytes: number): Promise<string> {
  const size = await sizeOf(path)
  if (size === null || size === 0) return ''
  const start = Math.max(0, size - bytes)
  const file = await open(path)
  try {
    const window = Buffer.alloc(size - start)
    const { bytesRead } = await file.read(window, 0, window.length, start)
    const text = window.toString('utf8', 0, bytesRead)
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    await file.close()
  }
}

/** The offset behind the last newline: what follows it is still being written. */
async function lastNewline(path: string, size: number): Promise<number> {
  const file = await open(path)
  try {
    for (let end = size; end > 0; end -= 1 << 20) {
      const start = Math.max(0, end - (1 << 20))
      const window = Buffer.alloc(end - start)
      await file.read(window, 0, window.length, start)
      const at = window.lastIndexOf(0x0a)
      if (at !== -1) return start + at + 1
    }
    return 0
  } finally {
    await file.close()
  }
}
