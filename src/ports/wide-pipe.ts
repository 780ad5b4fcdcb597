// A pipe out of a program that holds 1 MiB and is read into one buffer: what comes in pieces of 64 KiB, each in new memory, costs three times as much.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { libc } from './libc.ts'

const roomBytes = 1024 * 1024

export interface WidePipe {
  /** For the program's stdout; ours is to be closed when the program has it. */
  readonly writing: number
  /** What was written to it, until all who hold its other end have closed it; a chunk is only valid until the next one is asked for. */
  readonly chunks: AsyncIterable<Buffer>
  /** Ends the chunks, whoever still holds the other end. */
  end(): void
}

/** null: the C library cannot be asked for one. */
export function openWidePipe(): WidePipe | null {
  const ends = libc()?.pipe(roomBytes) ?? null
  if (ends === null) return null
  const buffer = Buffer.allocUnsafeSlow(roomBytes)
  let [filled, isOver] = [0, false]
  let broken: Error | null = null
  let tell = (): void => undefined
  const socket: Socket = new Socket({
    fd: ends.reading,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback(bytes) {
        filled = bytes
        tell()
        // The buffer is the reader's until it asks again.
        return false
      },
    },
  })
  socket.on('error', (error) => {
    broken = error
  })
  socket.on('close', () => {
    isOver = true
    tell()
  })
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      tell = resolve
      if (isOver) resolve()
      else socket.resume()
    })
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        filled = 0
        await next()
        if (broken !== null) throw broken
        if (filled === 0) return
        yield buffer.subarray(0, filled)
      }
    } finally {
      socket.destroy()
    }
  }
  return { writing: ends.writing, chunks: chunks(), end: () => void socket.destroy() }
}

/** Our copy of the end that the program has now. */
export const handOver = ({ writing }: WidePipe): void => closeSync(writing)
