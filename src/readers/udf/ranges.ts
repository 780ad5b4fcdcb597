// The ranges of a file of UDF as they are found, one descriptor after the other, up to its size.
import type { Range } from '../../model/world.ts'
import { push } from '../ranges.ts'

export class Ranges {
  readonly #found: { start: number; end: number }[] = []
  /** Bytes of the file that have no place yet. */
  left: number

  constructor(size: number) {
    this.left = size
  }

  get found(): readonly Range[] {
    return this.#found
  }

  add(start: number, bytes: number): void {
    push(this.#found, { start, end: start + bytes })
    this.left -= bytes
  }

  hole(stated: number): void {
    const bytes = Math.min(stated, this.left)
    push(this.#found, { start: -1, end: bytes })
    this.left -= bytes
  }
}
