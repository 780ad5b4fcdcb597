// The event log: one JSON object a line, appended and flushed as it happens, each line chained to the one before it.
import { createHash } from 'node:crypto'
import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { StoreError, errnoOf } from '../model/errors.ts'

export interface Log {
  /** Appends one object as one line; `prev` is added. `sync`: flush it to the disk before returning. */
  append(line: Readonly<Record<string, unknown>>, sync: boolean): void
  /** SHA-256 of the last line of this run, 64 hex digits; of nothing before the first. */
  readonly head: string
  readonly lines: number
  close(): void
}

/** SHA-256 of one line without its newline. */
export const lineHash = (line: string): string => createHash('sha256').update(line).digest('hex')

/** What the first line of a run is chained to. */
export const firstPrev = '0'.repeat(64)

/**
 * Opens the log for appending. Several processes may: each line is one write(2) at the end of the file (O_APPEND), so lines
 * are never torn or mixed; the chain is by run.
 */
export function openLog(path: string): Log {
  const descriptor = open(path)
  let head = firstPrev
  let lines = 0
  return {
    get head() {
      return head
    },
    get lines() {
      return lines
    },
    append(line, sync) {
      const text = JSON.stringify({ ...line, prev: head })
      const bytes = Buffer.from(`${text}\n`)
      try {
        const written = writeSync(descriptor, bytes)
        if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were taken`)
        if (sync) fdatasyncSync(descriptor)
      } catch (error) {
        throw failed(path, error)
      }
      head = lineHash(text)
      lines += 1
    },
    close() {
      closeSync(descriptor)
    },
  }
}

function open(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    return openSync(path, 'a', 0o644)
  } catch (error) {
    throw failed(path, error)
  }
}

const failed = (path: string, error: unknown): StoreError =>
  new StoreError(`cannot write the event log ${path} (${errnoOf(error) ?? 'short write'})`, {
    cause: error,
    hint: 'nothing is done without its log: make room or mend the permissions, then run again',
  })
