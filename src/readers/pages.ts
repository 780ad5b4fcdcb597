// Small pieces of an image, fetched in pages: directories and tables lie close together, and are asked for piece by piece.
import { RunError } from '../model/errors.ts'
import { readRange } from '../model/range.ts'
import type { Place, Range, Reader } from '../model/world.ts'

const pageBytes = 256 * 1024
const pagesKept = 128

/** Positions count from `origin`. Pieces are views: not to be written to. */
export class Pages {
  readonly #image: Place
  readonly #origin: number
  readonly #world: Pick<Reader, 'read'>
  readonly #pages = new Map<number, Buffer>()

  constructor(image: Place, origin: number, world: Pick<Reader, 'read'>) {
    this.#image = image
    this.#origin = origin
    this.#world = world
  }

  /** Exactly so many bytes; throws RunError where the image ends before. */
  async bytes(start: number, length: number): Promise<Buffer> {
    const first = Math.floor(start / pageBytes)
    const last = Math.floor((start + Math.max(length, 1) - 1) / pageBytes)
    const from = start - first * pageBytes
    const pages: Buffer[] = []
    for (let page = first; page <= last; page += 1) pages.push(await this.#page(page))
    const [only] = pages
    const all = pages.length === 1 && only !== undefined ? only : Buffer.concat(pages)
    const piece = all.subarray(from, from + length)
    if (piece.length < length)
      throw new RunError(`byte ${this.#origin + start + piece.length} is past the end of the image`)
    return piece
  }

  /** The bytes of several ranges of the image, one after the other. */
  async all(ranges: readonly Range[]): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (const { start, end } of ranges) pieces.push(await this.bytes(start - this.#origin, end - start))
    const [only] = pieces
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
  }

  async #page(page: number): Promise<Buffer> {
    const known = this.#pages.get(page)
    if (known !== undefined) return known
    const start = this.#origin + page * pageBytes
    const read = await readRange(this.#world, this.#image, { start, end: start + pageBytes })
    const oldest = this.#pages.keys().next()
    if (this.#pages.size >= pagesKept && oldest.done !== true) this.#pages.delete(oldest.value)
    this.#pages.set(page, read)
    return read
  }
}
