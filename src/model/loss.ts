// What of a medium is lost, or left out: one value for each thing, told as it is met.
import type { ExitCode } from './errors.ts'
import type { VolumeOutcome } from './entry.ts'
import type { Range } from './world.ts'

/** Names are bytes: one char of a path stands for one byte. Ranges are those of the image. */
export type Loss = { readonly medium: string } & (
  | {
      readonly kind: 'volume'
      readonly fs: number
      readonly type: string | null
      readonly outcome: VolumeOutcome
      readonly text: string
    }
  /** A directory, or something that may be one, below which names may be missing. */
  | {
      readonly kind: 'names'
      readonly fs: number
      readonly path: string
      readonly ranges: readonly Range[]
      readonly text: string
    }
  /** `bytes`: how many were not read; null where that is not known. */
  | {
      readonly kind: 'damaged'
      readonly fs: number
      readonly path: string
      readonly size: number
      readonly bytes: number | null
      readonly ranges: readonly Range[]
      readonly text: string
    }
  | {
      readonly kind: 'failed' | 'excluded'
      readonly fs: number
      readonly path: string
      readonly size: number
      readonly text: string
    }
  /** Unread, and in no file or directory that is known. `isHarmless`: all names are known, so nothing of a file can lie there. */
  | {
      readonly kind: 'outside'
      readonly bytes: number
      readonly ranges: readonly Range[]
      readonly isHarmless: boolean
      readonly text: string
    }
  /** It could not be found out. */
  | { readonly kind: 'unknown'; readonly text: string }
)

/** Left out by a person's word, or harmless, is not lost. */
export function isLost(loss: Loss): boolean {
  switch (loss.kind) {
    case 'volume':
      return loss.outcome !== 'waived'
    case 'names':
    case 'damaged':
    case 'failed':
      return true
    case 'excluded':
    case 'unknown':
      return false
    case 'outside':
      return !loss.isHarmless
    default:
      return loss satisfies never
  }
}

/** 5: not known of some. 2: something is lost. 0: nothing is. */
export const lossExit = (loss: Loss): ExitCode => (loss.kind === 'unknown' ? 5 : isLost(loss) ? 2 : 0)
