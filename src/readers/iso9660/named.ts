// What one side of an ISO 9660 disc has named already, and how what it names is numbered.
import type { Entry } from '../../model/entry.ts'

/** Entries without bytes of their own are numbered by the place of their record, out of the way of block numbers. */
export const byRecord = 1n << 40n

/** Which contents were named already, by where they begin. */
export class Named {
  readonly #sizes = new Map<number, number>()

  /** Takes note of a file; false where another of a different size begins at the same place. */
  take(block: number, size: number): boolean {
    const known = this.#sizes.get(block)
    if (known === undefined) this.#sizes.set(block, size)
    return known === undefined || known === size
  }

  /** Takes note of a directory: a file that begins where it lies has a number of its own. */
  enter(block: number): true {
    if (!this.#sizes.has(block)) this.#sizes.set(block, -1)
    return true
  }

  /** Whether a content that was named begins there. */
  has(block: number): boolean {
    return (this.#sizes.get(block) ?? -1) >= 0
  }

  isNews({ ino, size }: Entry): boolean {
    return size > 0 && ino < byRecord && !this.has(Number(ino))
  }
}
