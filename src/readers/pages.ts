// Small pieces of an image, fetched in pages: directories and tables lie close together, and are asked for piece by piece.
import { RunError } from '../model/errors.ts'
import { UnreadError } from '../model/unread.ts'
import { intersect } from '../model/ranges.ts'
import type { Place, Range, Reader } from '../model/world.ts'

const pageBytes = 256 * 1024
const pagesKept = 128

interface Page {
  readonly bytes: Buffer
  /** What of it was never read of the medium, in the image; zeros stand there. */
  readonly unread: readonly Range[]
}

/** The image ends before what was asked for. */
export class PastEndError extends RunError {}

/** Bytes of which some were never read of the medium. */
export interface Patchy {
  readonly bytes: Buffer
  /** Those, in the image. */
  readonly unread: readonly Range[]
}

/** Positions count from `origin`. Pieces are views: not to be written to. */
export class Pages {
  readonly #image: Place
  readonly #origin: number
  readonly #world: Pick<Reader, 'read'>
  readonly #pages = new Map<number, Page>()

  constructor(image: Place, origin: number, world: Pick<Reader, 'read'>) {
    this.#image = image
    this.#origin = origin
    this.#world = world
  }

  /**
   * Exactly so many bytes; throws PastEndError (a RunError) where the image ends before, UnreadError (which is one) where some of them were
   * never read of the medium.
   */
  async bytes(start: number, length: number): Promise<Buffer> {
    const { bytes, unread } = await this.#piece(start, length)
    const [first] = unread
    if (first !== undefined) throw new UnreadError(first)
    return bytes
  }

  /** The bytes of several ranges of the image, one after the other; throws as `bytes`. */
  async all(ranges: readonly Range[]): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (const { start, end } of ranges) pieces.push(await this.bytes(start - this.#origin, end - start))
    return joined(pieces)
  }

  /**
   * As `all`, but what was never read of the medium is no error: `fill` stands there, a byte that means nothing to the format.
   * Still throws PastEndError where the image ends before.
   */
  async readable(ranges: readonly Range[], fill = 0): Promise<Patchy> {
    const pieces: Buffer[] = []
    const unread: Range[] = []
    for (const range of ranges) {
      const piece = await this.#piece(range.start - this.#origin, range.end - range.start)
      unread.push(...piece.unread)
      pieces.push(fill === 0 ? piece.bytes : filled(piece, range.start, fill))
    }
    return { bytes: joined(pieces), unread }
  }

  async #piece(start: number, length: number): Promise<Patchy> {
    // A number that was damaged may be too large to count on from.
    if (!Number.isSafeInteger(start + length)) throw new PastEndError('it is past the end of any image')
    const first = Math.floor(start / pageBytes)
    const last = Math.floor((start + Math.max(length, 1) - 1) / pageBytes)
    const from = start - first * pageBytes
    const pages: Page[] = []
    for (let page = first; page <= last; page += 1) pages.push(await this.#page(page))
    const bytes = joined(pages.map((page) => page.bytes)).subarray(from, from + length)
    if (bytes.length < length)
      throw new PastEndError(`byte ${this.#origin + start + bytes.length} is past the end of the image`)
    const lost = pages.flatMap(({ unread }) => unread)
    if (lost.length === 0) return { bytes, unread: lost }
    const place = { start: this.#origin + start, end: this.#origin + start + length }
    return { bytes, unread: intersect([place], lost) }
  }

  async #page(page: number): Promise<Page> {
    const known = this.#pages.get(page)
    if (known !== undefined) return known
    const start = this.#origin + page * pageBytes
    const read = await this.#fetch({ start, end: start + pageBytes })
    const oldest = this.#pages.keys().next()
    if (this.#pages.size >= pagesKept && oldest.done !== true) this.#pages.delete(oldest.value)
    this.#pages.set(page, read)
    return read
  }

  /** Goes on behind what was never read. */
  async #fetch({ start, end }: Range): Promise<Page> {
    const bytes = Buffer.alloc(end - start)
    const unread: Range[] = []
    let at = start
    while (at < end) {
      try {
        for await (const chunk of this.#world.read(this.#image, { start: at, end }))
          at += chunk.copy(bytes, at - start)
        break
      } catch (error) {
        if (!(error instanceof UnreadError)) throw error
        unread.push(error.range)
        at = error.range.end
      }
    }
    return { bytes: bytes.subarray(0, at - start), unread }
  }
}

function joined(pieces: readonly Buffer[]): Buffer {
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces)
}

/** A copy of a piece that begins at `start` of the image, with another byte than zero for what was never read. */
function filled({ bytes, unread }: Patchy, start: number, fill: number): Buffer {
  if (unread.length === 0) return bytes
  const copy = Buffer.from(bytes)
  for (const range of unread) copy.fill(fill, range.start - start, range.end - start)
  return copy
}
