// How a verification by a budget ended.
import type { ExitCode } from './errors.ts'

export interface SweepEnd {
  readonly exit: ExitCode
  /** Products of media that were proven. */
  readonly products: number
  /** Contents that were read back and are what their names say. */
  readonly blobs: number
  /** Contents that are not, or are not there. */
  readonly bad: number
  readonly bytes: number
  /** What needs more than the whole budget, in words. */
  readonly putOff: readonly string[]
  /** Something is left that was due. */
  readonly isUnfinished: boolean
}
