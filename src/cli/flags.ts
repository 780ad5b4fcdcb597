// The flags that every verb has.
import type { ExitCode } from '../model/errors.ts'

/** As commander gives them. */
export interface Flags {
  readonly C?: string
  readonly config?: string
  readonly db?: string
  readonly root?: readonly string[]
  readonly json?: boolean
  readonly plain?: boolean
  readonly color?: boolean
  readonly ascii?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/** Whoever asked for quiet hears nothing where all is well; a document is one all the same. */
export const isHushed = ({ quiet, json }: Flags, exit: ExitCode): boolean =>
  quiet === true && json !== true && exit === 0
