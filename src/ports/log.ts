// The event log: one JSON object a line, appended and flushed as it happens, each line chained to the one before it.
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { ObserveError, StoreError, errnoOf } from '../model/errors.ts'
import { makeDirectories } from './folders.ts'
import { needFile } from './readable.ts'
import { firstPrev, lineHash } from '../model/log-chain.ts'

export interface Log {
  /** Appends one object as one line; `prev` is added. `sync`: flush it to the disk before returning. */
  append(line: Readonly<Record<string, unknown>>, sync: boolean): void
  /** SHA-256 of the last line of this run, 64 hex digits; before its first, of the line behind which it began. */
  readonly head: string
  readonly lines: number
  /** Flushes what was appended to the disk. */
  sync(): void
  close(): void
}

/**
 * Opens the log for appending. Several processes may: each line is one write(2) at the end of the file (O_APPEND), so lines
 * are never torn or mixed. The chain is by run; a run's first line is chained to the last one that was there when it began.
 */
export function openLog(path: string): Log {
  const descriptor = open(path)
  let head = mendedEnd(descriptor, path)
  let lines = 0
  /** The file ends in a part of a line that did not fit. */
  let isTorn = false
  return {
    get head() {
      return head
    },
    get lines() {
      return lines
    },
    append(line, sync) {
      const text = JSON.stringify({ ...line, prev: head })
      const bytes = Buffer.from(`${isTorn ? '\n' : ''}${text}\n`)
      try {
        const written = writeSync(descriptor, bytes)
        isTorn = written < bytes.length
        if (isTorn) throw new Error(`only ${written} of ${bytes.length} bytes were taken`)
        // It is in the log now, whatever becomes of its flush: the next line is chained to it.
        head = lineHash(text)
        lines += 1
        if (sync) fdatasyncSync(descriptor)
      } catch (error) {
        throw failed(path, error)
      }
    },
    sync() {
      try {
        fdatasyncSync(descriptor)
      } catch (error) {
        throw failed(path, error)
      }
    },
    close() {
      closeSync(descriptor)
    },
  }
}

/** The hash of the last whole line. One that a power cut tore is ended, so that it spoils no other. */
function mendedEnd(descriptor: number, path: string): string {
  try {
    const { size } = fstatSync(descriptor)
    for (let wanted = 1 << 16; size > 0; wanted *= 16) {
      const tail = Buffer.alloc(Math.min(size, wanted))
      readSync(descriptor, tail, 0, tail.length, size - tail.length)
      const isTorn = tail.at(-1) !== 0x0a
      const end = isTorn ? tail.lastIndexOf(0x0a) : tail.length - 1
      const start = end <= 0 ? -1 : tail.lastIndexOf(0x0a, end - 1)
      const isWhole = start !== -1 || tail.length === size
      if (!isWhole) continue
      if (isTorn) writeSync(descriptor, '\n')
      return end <= 0 ? firstPrev : lineHash(tail.subarray(start + 1, end))
    }
    return firstPrev
  } catch (error) {
    throw failed(path, error)
  }
}

function open(path: string): number {
  try {
    makeDirectories(dirname(path))
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined) needFile(found, path)
    return openSync(path, 'a+', 0o644)
  } catch (error) {
    throw failed(path, error)
  }
}

function failed(path: string, error: unknown): StoreError {
  // It was looked at, and is none that could be written to.
  if (error instanceof ObserveError)
    return new StoreError(`cannot write the event log: ${error.message}`, {
      cause: error,
      ...(error.hint !== undefined && { hint: error.hint }),
    })
  const isNoFolder = ['EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')
  return new StoreError(`cannot write the event log ${path} (${errnoOf(error) ?? 'short write'})`, {
    cause: error,
    hint: isNoFolder
      ? `Something that is no folder lies in its way: move it away, or give the log another place (--root log=FOLDER).`
      : 'nothing is done without its log: make room or mend the permissions, then run again',
  })
}
