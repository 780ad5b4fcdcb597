// Rows as PostgreSQL's binary COPY has them: written into blocks, found again in what the server sends; a mark is kept of all.
import { ObserveError } from '../../model/errors.ts'
import type { Mark } from './marks.ts'

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const blockBytes = 256 * 1024
/** A socket of Node asks for more as soon as it holds less than this (`getDefaultHighWaterMark`), sent or not; what is longer has been sent by then. */
const unsentBytes = 64 * 1024
/** Room for the fixed columns of any of our rows. */
const fixedRoom = 256

/** Rows of one table on their way to the server. */
export class Tuples {
  members = 0
  readonly #mark: Mark
  readonly #columns: number
  #block = Buffer.allocUnsafeSlow(blockBytes)
  #view = new DataView(this.#block.buffer)
  #start: number
  #at: number
  #full: Buffer[] = []
  /** Blocks that have done their work: new memory for each would be taken, cleared and collected for each. */
  readonly #spare: Buffer<ArrayBuffer>[] = []
  #told: Told | null = null

  constructor(columns: number, mark: Mark) {
    this.#columns = columns
    this.#mark = mark
    this.#at = signature.copy(this.#block)
    this.#start = this.#at
  }

  /** Begins a row; `room`: bytes of its names. */
  open(room: number): this {
    if (this.#at + room + fixedRoom > this.#block.length) {
      if (this.#at > 0) this.#pass(this.#block.subarray(0, this.#at))
      this.#block = this.#room(room + fixedRoom)
      this.#view = new DataView(this.#block.buffer)
      this.#at = 0
    }
    this.#start = this.#at
    this.#view.setInt16(this.#at, this.#columns)
    this.#at += 2
    return this
  }

  /** A number in its halves. */
  int8(high: number, low: number): this {
    this.#view.setInt32(this.#at, 8)
    this.#view.setUint32(this.#at + 4, high)
    this.#view.setUint32(this.#at + 8, low)
    this.#at += 12
    return this
  }

  /** A count below 2^53. */
  count(value: number): this {
    this.#view.setInt32(this.#at, 8)
    this.#view.setInt32(this.#at + 4, Math.floor(value / 2 ** 32))
    this.#view.setUint32(this.#at + 8, value >>> 0)
    this.#at += 12
    return this
  }

  /** int4 or oid. */
  int4(value: number): this {
    this.#view.setInt32(this.#at, 4)
    this.#view.setUint32(this.#at + 4, value)
    this.#at += 8
    return this
  }

  int2(value: number): this {
    this.#view.setInt32(this.#at, 2)
    this.#view.setInt16(this.#at + 4, value)
    this.#at += 6
    return this
  }

  nothing(): this {
    this.#view.setInt32(this.#at, -1)
    this.#at += 4
    return this
  }

  bytes(from: Buffer, start = 0, end = from.length): this {
    const length = end - start
    this.#view.setInt32(this.#at, length)
    // Most names are short, and a call costs more than they do.
    if (length > 64) from.copy(this.#block, this.#at + 4, start, end)
    else for (let at = 0; at < length; at += 1) this.#block[this.#at + 4 + at] = from[start + at] ?? 0
    this.#at += 4 + length
    return this
  }

  close(): void {
    this.members += 1
    this.#mark.row(this.#view, this.#start, this.#at)
  }

  #pass(block: Buffer): void {
    this.#mark.block(block)
    this.#full.push(block)
  }

  #room(bytes: number): Buffer<ArrayBuffer> {
    if (bytes > blockBytes) return Buffer.allocUnsafeSlow(bytes)
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
  }

  /** The blocks that are full. They are nobody else's until they are given back. */
  take(): readonly Buffer[] {
    const full = this.#full
    if (full.length > 0) this.#full = []
    return full
  }

  /** Takes a block back that nobody reads any more; a short one may still be on its way. */
  giveBack({ buffer, length }: Buffer): void {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === blockBytes && length > unsentBytes)
      this.#spare.push(Buffer.from(buffer))
  }

  /** Throws the full blocks away. */
  drop(): void {
    for (const block of this.take()) this.giveBack(block)
  }

  /** What is left, with the sign of the end; after it, `told` is what was marked. */
  end(): readonly Buffer[] {
    this.#pass(Buffer.concat([this.#block.subarray(0, this.#at), Buffer.from([0xff, 0xff])]))
    this.#at = 0
    this.#told = { members: this.members, mark: this.#mark.text() }
    return this.take()
  }

  /** Of all rows; there are none before `end`. */
  get told(): Told {
    if (this.#told === null) throw new Error('the rows have not ended')
    return this.#told
  }
}

/** How many rows, and what is kept of them. */
export interface Told {
  readonly members: number
  readonly mark: string
}

/** Marks the rows of a binary COPY TO as they come from the server; the same as of `Tuples` for the same rows. */
export async function markTuples(source: AsyncIterable<Buffer>, mark: Mark): Promise<Told> {
  let members = 0
  let rest: Buffer = Buffer.alloc(0)
  let begun = false
  let ended = false
  for await (const chunk of source) {
    const block: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    if (!begun) {
      if (block.length < signature.length) {
        rest = Buffer.from(block)
        continue
      }
      if (!block.subarray(0, signature.length).equals(signature))
        throw new ObserveError('the server sent no rows')
      begun = true
      at = signature.length
    }
    const view = new DataView(block.buffer, block.byteOffset, block.length)
    for (let end = endOfTuple(view, at); end !== null && !ended; end = endOfTuple(view, at)) {
      if (end === at + 2) ended = true
      else {
        members += 1
        mark.row(view, at, end)
      }
      at = end
    }
    rest = Buffer.from(block.subarray(at))
  }
  if (!ended || rest.length > 0) throw new ObserveError('the server sent rows without an end')
  return { members, mark: mark.text() }
}

/** Where the row from `at` ends; null: not within the view. The mark of the end is two bytes. */
function endOfTuple(view: DataView, at: number): number | null {
  if (at + 2 > view.byteLength) return null
  const columns = view.getInt16(at)
  let end = at + 2
  for (let column = 0; column < columns; column += 1) {
    if (end + 4 > view.byteLength) return null
    end += 4 + Math.max(0, view.getInt32(end))
  }
  return end <= view.byteLength ? end : null
}
