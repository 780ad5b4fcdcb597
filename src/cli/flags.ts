// The flags that every verb has.

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
