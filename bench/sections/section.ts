// What a section is handed: how large, how often, where to work and whom to tell.
import type { Findings } from '../report.ts'
import type { Store } from '../store.ts'

export interface Bench {
  readonly quick: boolean
  readonly rounds: number
  /** Data that is kept from run to run. */
  readonly data: string
  /** A working folder of ours, beside the store. */
  readonly work: string
  /** Where contenders write; made when it is first asked for. */
  readonly store: () => Store
  readonly tell: (text: string) => void
}

export type Section = (bench: Bench) => Promise<Findings>
