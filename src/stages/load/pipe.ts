// One side puts blocks in, the other takes them out, and neither runs far ahead; a failure of either reaches both.

/** Blocks that may wait: 4 MiB, so that a server that flushes pages or waits for a processor does not stop the other tables. */
const room = 16

/** A bounded queue that ends, or fails. */
export class Pipe implements AsyncIterable<Buffer> {
  readonly #blocks: Buffer[] = []
  #ended = false
  #failure: { readonly cause: unknown } | null = null
  #wake: () => void = () => undefined
  readonly #done: (block: Buffer) => void

  /** `done` is told of a block when the one that took it asks for the next. */
  constructor(done: (block: Buffer) => void) {
    this.#done = done
  }

  /** Resolves when there is room for more; rejects with what broke the pipe. */
  async put(blocks: readonly Buffer[]): Promise<void> {
    for (const block of blocks) {
      while (this.#blocks.length >= room && this.#failure === null) await this.#change()
      if (this.#failure !== null) throw this.#failure.cause
      this.#blocks.push(block)
      this.#changed()
    }
  }

  end(): void {
    this.#ended = true
    this.#changed()
  }

  /** Breaks the pipe for both sides. The first cause stays. */
  fail(cause: unknown): void {
    this.#failure ??= { cause }
    this.#changed()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.cause
      const block = this.#blocks.shift()
      if (block !== undefined) {
        this.#changed()
        yield block
        this.#done(block)
      } else if (this.#ended) return
      else await this.#change()
    }
  }

  /** There is one waiter at most: the side that is ahead. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #changed(): void {
    this.#wake()
  }
}
