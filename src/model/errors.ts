// Every way to fail on purpose. Whatever else is thrown is a bug and prints its stack.

/** What each exit code means; the README's table is compared with this by a test. */
export const exitCodes = {
  0: 'what is declared is what is; nothing to do, nothing unknown',
  1: 'wrong use, wrong documents, or a bug (a bug prints its stack)',
  2: 'work to do, or something to put right (`plan`, `status`, `why`, `audit`, `verify`, `doctor`; `apply` and `rebuild` that were answered with no), or something is lost (`losses`, `cat`)',
  3: 'contradicted: a proof or a claim says so, reality does not; or a verification failed',
  4: '`apply` ended and some media did not converge',
  5: 'something could not be observed',
  6: 'a saved plan was refused: reality moved',
  11: 'a lock was not to be had',
  130: 'interrupted; safe to run again',
} as const

export type ExitCode = keyof typeof exitCodes

/** Most serious first: where several apply, the first of these is returned. */
export const seriousness: readonly ExitCode[] = [1, 130, 3, 4, 5, 6, 11, 2, 0]

/** The most serious of several exit codes; 0 for none. */
export function mostSerious(codes: Iterable<ExitCode>): ExitCode {
  const seen = new Set(codes)
  return seriousness.find((code) => seen.has(code)) ?? 0
}

export interface ErrorParts {
  /** What to do: one sentence, or a command alone on its line. */
  readonly hint?: string
  readonly cause?: unknown
}

/** A failure that was expected as a possibility: a tag for programs, a sentence for people, a hint for hands. */
export abstract class NttError extends Error {
  abstract readonly tag: string
  abstract readonly exitCode: ExitCode
  readonly hint: string | undefined

  constructor(message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? {} : { cause: parts.cause })
    this.name = new.target.name
    this.hint = parts.hint
  }
}

/**
 * One thing wrong in one document. Lines and columns count from 1; columns are UTF-16 units, as editors count.
 * Line 0: it is not in a text (`file` then says where: `environment`, `command line`).
 */
export interface Problem {
  readonly file: string
  /** The other file, where two say what only one can. */
  readonly other?: string
  readonly line: number
  readonly column: number
  /** Dotted path of the key inside the document, empty for the document itself. */
  readonly field: string
  readonly message: string
  /** The lines around it with a caret line, ready to print; empty where there is no text to show. */
  readonly frame: string
}

/** A document says something that we cannot act on. */
export class DesiredError extends NttError {
  readonly tag = 'desired'
  readonly exitCode = 1
  readonly problems: readonly Problem[]
  constructor(message: string, problems: readonly Problem[], parts: ErrorParts = {}) {
    super(message, parts)
    this.problems = problems
  }
}

/** The command line asks for something that does not exist or does not go together. */
export class UsageError extends NttError {
  readonly tag = 'usage'
  readonly exitCode = 1
}

/** It is there, and it is not what it should be. */
export class VerifyError extends NttError {
  readonly tag = 'verify'
  readonly exitCode = 3
}

/** A program, a write or a query failed. */
export class RunError extends NttError {
  readonly tag: string = 'run'
  readonly exitCode = 4
  /** Exit status of the program, where one ended by itself. */
  readonly status: number | undefined
  /** The last lines that it wrote to stderr. */
  readonly stderr: string
  constructor(message: string, parts: ErrorParts & { status?: number; stderr?: string } = {}) {
    super(message, parts)
    this.status = parts.status
    this.stderr = parts.stderr ?? ''
  }
}

/** A root can no longer be written (full, read-only, failing): the whole run stops, not only this medium. */
export class StoreError extends RunError {
  override readonly tag = 'store'
}

/** We could not look, so we do not know. */
export class ObserveError extends NttError {
  readonly tag = 'observe'
  readonly exitCode = 5
}

/** Since the plan, the world changed into something that a person must judge. */
export class RefusedError extends NttError {
  readonly tag = 'refused'
  readonly exitCode = 6
}

/** Another ntt holds this medium. */
export class LockedError extends NttError {
  readonly tag = 'locked'
  readonly exitCode = 11
}

/** A person asked us to stop. */
export class InterruptedError extends NttError {
  readonly tag = 'interrupted'
  readonly exitCode = 130
}

/** A failure that was foreseen, and that need not keep others from being looked at; a bug or an interruption is thrown again. */
export function survivable(error: unknown): NttError {
  if (error instanceof NttError && !(error instanceof InterruptedError)) return error
  throw error
}

/** The errno name of a failed system call, if that is what `error` is. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
