// Where a verb writes, and how text is written there.
import type { Manner } from '../views/paint.ts'

export interface Out {
  readonly manner: Manner
  write(text: string): void
}

/** One JSON document on one line. */
export const writeDocument = (out: Out, document: unknown): void => out.write(`${JSON.stringify(document)}\n`)
