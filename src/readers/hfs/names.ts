// HFS+ stores each name twice, in the record of its file and in a thread: here all of the one are held against all of the other.
import type { Said } from './volume.ts'

interface Sum {
  count: number
  hash: number
}

const empty = (): { readonly records: Sum; readonly threads: Sum } => ({
  records: { count: 0, hash: 0 },
  threads: { count: 0, hash: 0 },
})

/** Sums that do not depend on order: of files and of folders apart, for HFS has threads of folders alone. */
export class HfsNames {
  readonly #folders = empty()
  readonly #files = empty()

  take({ parent, name, record }: Said): void {
    const isThread = record.type === 'thread'
    const isFolder = isThread ? record.isFolder : record.type === 'folder'
    const sums = isFolder ? this.#folders : this.#files
    const own = isThread ? hashOf(parent, record.parent, record.name) : hashOf(record.id, parent, name)
    const sum = isThread ? sums.threads : sums.records
    sum.count += 1
    sum.hash = (sum.hash + own) >>> 0
  }

  /** Whether every file that has a thread has the same name in it. */
  get agree(): boolean {
    return [this.#folders, this.#files].every(
      ({ records, threads }) =>
        threads.count === 0 || (records.count === threads.count && records.hash === threads.hash),
    )
  }
}

function hashOf(id: number, parent: number, name: Buffer): number {
  let hash = Math.imul(id, 0x9e37_79b1) ^ Math.imul(parent, 0x85eb_ca6b)
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x0100_0193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0xc2b2_ae35) >>> 0
}
