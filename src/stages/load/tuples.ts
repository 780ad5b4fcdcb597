// Rows as PostgreSQL's binary COPY has them: written into blocks, found again in what the server sends; each is summed.
import { ObserveError } from '../../model/errors.ts'
import { Sum } from '../../model/sum.ts'

const signature = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const blockBytes = 256 * 1024
/** Room for the fixed columns of any of our rows. */
const fixedRoom = 256

/** Rows of one table on their way to the server. */
export class Tuples {
  readonly sum = new Sum()
  readonly #columns: number
  #block = Buffer.allocUnsafeSlow(blockBytes)
  #view = new DataView(this.#block.buffer)
  #start: number
  #at: number
  #full: Buffer[] = []

  constructor(columns: number) {
    this.#columns = columns
    this.#at = signature.copy(this.#block)
    this.#start = this.#at
  }

  /** Begins a row; `room`: bytes of its names. */
  open(room: number): this {
    if (this.#at + room + fixedRoom > this.#block.length) {
      if (this.#at > 0) this.#full.push(this.#block.subarray(0, this.#at))
      this.#block = Buffer.allocUnsafeSlow(Math.max(blockBytes, room + fixedRoom))
      this.#view = new DataView(this.#block.buffer)
      this.#at = 0
    }
    this.#start = this.#at
    this.#view.setInt16(this.#at, this.#columns)
    this.#at += 2
    return this
  }

  int8(value: bigint): this {
    this.#view.setInt32(this.#at, 8)
    this.#view.setBigInt64(this.#at + 4, value)
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
    this.sum.take(this.#view, this.#start, this.#at).close()
  }

  /** The blocks that are full. They are nobody else's from then on. */
  take(): readonly Buffer[] {
    const full = this.#full
    if (full.length > 0) this.#full = []
    return full
  }

  /** What is left, and the mark of the end. */
  end(): readonly Buffer[] {
    const last = Buffer.concat([this.#block.subarray(0, this.#at), Buffer.from([0xff, 0xff])])
    return [...this.take(), last]
  }
}

/** Sums the rows of a binary COPY TO as they come from the server; the same as `Tuples.sum` for the same rows. */
export async function sumTuples(source: AsyncIterable<Buffer>): Promise<Sum> {
  const sum = new Sum()
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
      else sum.take(view, at, end).close()
      at = end
    }
    rest = Buffer.from(block.subarray(at))
  }
  if (!ended || rest.length > 0) throw new ObserveError('the server sent rows without an end')
  return sum
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
