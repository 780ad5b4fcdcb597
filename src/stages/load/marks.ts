// What is kept of rows that pass by, to tell whether other rows are the same.
import { Sum } from '../../model/sum.ts'
import type { Hasher } from '../../model/world.ts'

/** Told of every row, and of every block of the stream that the rows are in. */
export interface Mark {
  row(view: DataView, start: number, end: number): void
  block(bytes: Buffer): void
  /** Hex digits; asked for once, at the end. */
  text(): string
}

/** Of the rows in their order, all bytes of their stream: costs next to nothing. */
export const inOrder = (hasher: Hasher): Mark => ({
  row: () => undefined,
  block: (bytes) => hasher.update(bytes),
  text: () => hasher.digest().blake3.slice(0, 32),
})

/** Of the rows in any order. */
export function anyOrder(): Mark {
  const sum = new Sum()
  return {
    row: (view, start, end) => sum.take(view, start, end).close(),
    block: () => undefined,
    text: () => sum.hex(),
  }
}
