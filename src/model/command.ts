// A program as data: built by a pure function, shown by the plan, compared in a test, run by one port.

export interface Command {
  /** Name of a program on PATH; never a shell. */
  readonly file: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The longest that it may run. */
  readonly timeoutMs: number
  /** The longest that it may be silent on stdout, where that is shorter. */
  readonly idleMs?: number
  /** Exit codes that are an answer, beside 0. */
  readonly accept?: readonly number[]
  /** It paints its stdout for people's eyes: what it writes there is dropped. */
  readonly isPainter?: boolean
  /** The most that it may write to stdout before it is ended, in bytes. */
  readonly maxBytes?: number
}
