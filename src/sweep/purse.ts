// What is left of a budget, and whether something still fits into it. Times are guessed by how fast the reading has gone so far.
import type { Budget } from '../model/budget.ts'

/** A guess until a second of reading has been measured: a slow disk. Bytes a second. */
const guessedRate = 20e6
/** What is at work when the time is over may still come to its end, for so long. */
const graceMs = 1500

export class Purse {
  readonly #budget: Budget
  readonly #seconds: () => number
  readonly #began: number
  readonly #over = new AbortController()
  readonly #timer: NodeJS.Timeout | null
  /** Bytes that were read. */
  spent = 0
  /** `seconds`: a clock that only goes forward. */
  constructor(budget: Budget, seconds: () => number) {
    this.#budget = budget
    this.#seconds = seconds
    this.#began = seconds()
    this.#timer =
      'ms' in budget ? setTimeout(() => this.#over.abort(), Math.min(budget.ms + graceMs, 2 ** 31 - 1)) : null
    this.#timer?.unref()
  }

  /** Fires when the time has been over for a moment: what still runs is to end at once. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  get isEmpty(): boolean {
    return this.#over.signal.aborted || this.#left() <= 0
  }

  /** Whether so many bytes can still be read. */
  fits(bytes: number): boolean {
    return !this.isEmpty && this.#cost(bytes) <= this.#left()
  }

  /** Whether they could be, were the whole budget there for them. */
  couldFit(bytes: number): boolean {
    return this.#cost(bytes) <= ('ms' in this.#budget ? this.#budget.ms : this.#budget.bytes)
  }

  /** What seems too much may be tried with what is left: true for a time, which is only guessed; bytes are known. */
  get mayTry(): boolean {
    return 'ms' in this.#budget && !this.isEmpty
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #left(): number {
    return 'ms' in this.#budget
      ? this.#budget.ms - (this.#seconds() - this.#began) * 1000
      : this.#budget.bytes - this.spent
  }

  #cost(bytes: number): number {
    if ('bytes' in this.#budget) return bytes
    const seconds = this.#seconds() - this.#began
    const rate = seconds < 1 || this.spent === 0 ? guessedRate : Math.max(guessedRate, this.spent / seconds)
    return (bytes / rate) * 1000
  }
}
