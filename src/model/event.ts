// What takes place, as one stream: the log, the screen and the summary are readers of it, and nothing else is printed.
import { NttError, RunError, errnoOf, messageOf, type ExitCode } from './errors.ts'
import type { StageName } from './medium.ts'
import type { Check, Depth, Lane, Losses, Reason, Step } from './stage.ts'
import type { Unit } from './world.ts'

interface At {
  readonly medium: string
  readonly hash: string | null
  readonly stage: StageName
}

/** What a failure says of itself, as an event tells it. */
interface Failure {
  readonly tag: string
  readonly message: string
  readonly hint?: string
  /** Exit status of a program. */
  readonly status?: number
  /** Name of a failed system call's errno. */
  readonly errno?: string
  /** The last lines that a program wrote. */
  readonly stderr?: string
}

/** What took place; the emitter adds when, where and in which run. */
export type Happening =
  | {
      readonly type: 'run.started'
      readonly verb: string
      readonly version: string
      readonly arguments: readonly string[]
    }
  | {
      readonly type: 'plan.ready'
      readonly lanes: readonly Lane[]
      /** What a file of a copy costs beside its bytes, in bytes, as this installation's earlier copies tell it. */
      readonly fileInBytes?: number
    }
  | ({ readonly type: 'step.started'; readonly action: Step['action']; readonly because: Reason } & At)
  /** How far the work is, or after `step.verifying` the witness; in one unit: a stage that moves files and bytes tells both in turn, and each is kept. */
  | ({
      readonly type: 'step.progress'
      readonly done: number
      readonly total: number | null
      readonly unit: Unit
    } & At)
  | ({ readonly type: 'step.line'; readonly text: string; readonly notable?: true } & At)
  /** The work has ended and the witness looks. Not a success. */
  | ({ readonly type: 'step.verifying'; readonly depth: Depth } & At)
  | ({ readonly type: 'step.checked'; readonly check: Check } & At)
  /** Only after the proof is stored. */
  | ({
      readonly type: 'step.done'
      readonly action: 'run' | 'prove' | 'keep'
      readonly depth: Depth | null
      readonly durationSec: number
      readonly figures: Readonly<Record<string, number>>
      /** How much of the medium was read, where the proof knows: ok, incomplete, corrupt, failed. */
      readonly health?: string
    } & At)
  | ({ readonly type: 'step.failed'; readonly durationSec: number } & Failure & At)
  | ({ readonly type: 'step.contradicted'; readonly check: Check } & At)
  /** What the stage's product lacks of its medium, for good. */
  | ({ readonly type: 'step.lost'; readonly lost: Losses } & At)
  /** Not carried out: refused, unknown, held by a step before it, or (keep) done meanwhile by somebody else. */
  | ({
      readonly type: 'step.held'
      readonly action: 'keep' | 'refuse' | 'unknown' | 'wait'
      readonly because: Reason
    } & At)
  /** It waits for another run that holds it; an empty text: no longer. */
  | {
      readonly type: 'medium.waiting'
      readonly medium: string
      readonly hash: string | null
      readonly text: string
    }
  /** A part of the store was read back, and that is written down. `from`, `to`: the first 12 digits of the hashes at its ends. */
  | {
      readonly type: 'store.read'
      readonly from: string
      readonly to: string
      readonly blobs: number
      readonly bytes: number
      readonly bad: number
      readonly durationSec: number
    }
  /** A blob is not what its name says. */
  | {
      readonly type: 'store.bad'
      readonly blob: string
      readonly text: string
      /** Names of the media that hold it (their hashes, where they have none). */
      readonly media: readonly string[]
      /** The first of their files that have this content, as one char for each byte: `<medium>: <path>`. */
      readonly paths: readonly string[]
    }
  | { readonly type: 'run.stopping'; readonly text: string }
  | {
      readonly type: 'run.finished'
      readonly exitCode: ExitCode
      readonly durationSec: number
      readonly converged: number
      readonly failed: number
      /** The seal over this run, its log, all runs before it and all proofs, 64 hex digits; null where it could not be stored. */
      readonly evidence: string | null
    }

/** A happening with its place in the run. */
export type Event = Happening & {
  /** ISO 8601, UTC, milliseconds. */
  readonly ts: string
  readonly run: string
  readonly host: string
  readonly pid: number
  /** 1, 2, 3 … within the run. */
  readonly seq: number
}

export type Emit = (happening: Happening) => void

/** What was thrown, for an event; the tag of what was not foreseen is `bug`. */
export function failureOf(error: unknown): Failure {
  const { tag, hint } = error instanceof NttError ? error : { tag: 'bug', hint: undefined }
  const { status, stderr = '' } = error instanceof RunError ? error : {}
  const errno = errnoOf(error) ?? (error instanceof Error ? errnoOf(error.cause) : undefined)
  return {
    tag,
    message: messageOf(error),
    ...(hint === undefined ? {} : { hint }),
    ...(status === undefined ? {} : { status }),
    ...(errno === undefined ? {} : { errno }),
    ...(stderr === '' ? {} : { stderr }),
  }
}
