// What a verification by a budget needs beside the hands of a run: the table of contents, and the store itself.
import type { Hands } from '../apply/hands.ts'
import type { Reader, Transaction } from '../model/world.ts'

export interface SweepHands extends Hands {
  query: Reader['query']
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** For reading the store, until the signal fires; `told` hears how many bytes were read. */
  store(signal: AbortSignal, told?: (bytes: number) => void): Reader
}
