// Numbers for directories, so that each one's path is stored once and not in each of its entries.

import { Names } from './names.ts'

const slash = 0x2f
/** So many names are remembered, about 12 MB of them; then only the way to the present one. */
const limit = 1 << 18

/** A directory's number, and whether it was given just now. */
export interface Numbered {
  readonly dir: number
  readonly fresh: boolean
}

/**
 * Gives each directory of a filesystem a number, by its path, in the order in which they are met. It keeps a tree of names
 * and no paths, and forgets it when it grows too large: so memory is bounded, a listing in the order of a walk still meets each
 * directory once, and one in another order may number a directory again. The same listing gives the same numbers.
 */
export class Directories {
  readonly #limit: number
  #names = new Names()
  /** Of the last path that was asked for: filesystem, bytes, node. */
  #fs = -1
  #path = Buffer.alloc(0)
  #node = -1
  #given = 0

  constructor(most = limit) {
    this.#limit = most
  }

  /** The number of the directory whose path is from `start` to `end` in the block. */
  number(fs: number, block: Buffer, start: number, end: number): Numbered {
    if (fs !== this.#fs || !this.#isLast(block, start, end)) {
      this.#node = this.#find(fs, block, start, end)
      this.#fs = fs
      this.#path = Buffer.from(block.subarray(start, end))
    }
    const known = this.#names.number(this.#node)
    if (known > 0) return { dir: known, fresh: false }
    this.#given += 1
    this.#names.give(this.#node, this.#given)
    return { dir: this.#given, fresh: true }
  }

  /** Compared from its end, where paths differ, and by hand: a call costs more than most of them do. */
  #isLast(block: Buffer, start: number, end: number): boolean {
    const last = this.#path
    if (last.length !== end - start) return false
    for (let at = last.length - 1; at >= 0; at -= 1) if (last[at] !== block[start + at]) return false
    return true
  }

  #find(fs: number, block: Buffer, start: number, end: number): number {
    if (this.#names.size > this.#limit) this.#forget()
    let node = this.#names.node(-1 - fs, block, start, start)
    if (start === end) return node
    for (let at = start, stop = start; stop < end; at = stop + 1) {
      const next = block.indexOf(slash, at)
      stop = next === -1 || next > end ? end : next
      node = this.#names.node(node, block, at, stop)
    }
    return node
  }

  /** Forgets all but the directories above the last one: in the order of a walk, no other comes again. */
  #forget(): void {
    const old = this.#names
    this.#names = new Names()
    const way: number[] = []
    for (let node = this.#node; node >= 0; node = old.parent(node)) way.unshift(node)
    let node = -1 - this.#fs
    for (const before of way) {
      const name = old.name(before)
      node = this.#names.node(node, name, 0, name.length)
      this.#names.give(node, old.number(before))
    }
  }
}
