// How far an ingest is: what was gone through is told once a flush has made it durable, and not before.
import { setTimeout as sleep } from 'node:timers/promises'

/** Flushes come so often at least while something moves: after a twentieth of the time so far, within these bounds. */
const [leastMs, mostMs] = [250, 2000]

/**
 * Reading runs ahead of the disk by hundreds of megabytes; told at once, it would promise a speed that the disk does not have.
 * Where batches are slow to end, or one content is larger than a batch, it flushes in between, so that what is told moves.
 */
export class Flushed {
  readonly #barrier: () => Promise<void>
  readonly #tell: (contents: number, bytes: number) => void
  readonly #gone = { contents: 0, bytes: 0 }
  readonly #told = { contents: 0, bytes: 0 }
  readonly #ended = new AbortController()
  readonly #beganMs = performance.now()
  #flushedMs = this.#beganMs
  #beating: Promise<void> | null = null
  /** @param barrier resolves when all that was written before it was called is durable */
  constructor(barrier: () => Promise<void>, tell: (contents: number, bytes: number) => void) {
    this.#barrier = barrier
    this.#tell = tell
  }

  /** So much more was read, and written where it was new. */
  moved(contents: number, bytes: number): void {
    this.#gone.contents += contents
    this.#gone.bytes += bytes
    this.#beating ??= this.#beat()
  }

  async flush(): Promise<void> {
    const { contents, bytes } = this.#gone
    this.#flushedMs = performance.now()
    await this.#barrier()
    const [more, longer] = [contents - this.#told.contents, bytes - this.#told.bytes]
    if (more === 0 && longer === 0) return
    this.#told.contents = contents
    this.#told.bytes = bytes
    this.#tell(more, longer)
  }

  async end(): Promise<void> {
    this.#ended.abort()
    await this.#beating
  }

  async #beat(): Promise<void> {
    const { signal } = this.#ended
    const isAhead = (): boolean =>
      this.#gone.contents !== this.#told.contents || this.#gone.bytes !== this.#told.bytes
    try {
      while (!signal.aborted && isAhead()) {
        const now = performance.now()
        const waitMs = this.#flushedMs + Math.min(mostMs, Math.max(leastMs, (now - this.#beganMs) / 20)) - now
        if (waitMs > 0) await sleep(waitMs, undefined, { signal })
        else await this.flush()
      }
    } catch {
      // A flush that failed once fails for everybody who asks again: the batch that needs it hears of it. A sleep only ends.
    } finally {
      this.#beating = null
    }
  }
}
