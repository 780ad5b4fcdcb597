// The beginning and the end of a file, by which one without a digest of its own is told from another.
import { createHash } from 'node:crypto'

/** So much of either end is looked at. */
export const edgeBytes = 64 * 1024

/** SHA-256 over the size and both ends: two files with the same may differ in between. */
export const roughDigest = (bytes: number, head: Buffer, foot: Buffer): string =>
  createHash('sha256').update(`${bytes}\0`).update(head).update(foot).digest('hex')

/** Keeps the ends of a file that passes in chunks. */
export class Edges {
  #bytes = 0
  #head = Buffer.alloc(0)
  #foot = Buffer.alloc(0)

  pass(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#head.length < edgeBytes) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, edgeBytes - this.#head.length)])
    }
    const kept = chunk.length >= edgeBytes ? [chunk.subarray(-edgeBytes)] : [this.#foot, chunk]
    this.#foot = Buffer.from(Buffer.concat(kept).subarray(-edgeBytes))
  }

  digest(): string {
    return roughDigest(this.#bytes, this.#head, this.#foot)
  }
}
