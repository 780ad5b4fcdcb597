// `COPY … TO STDOUT` as a stream of what the server sends, without the frames that it puts around each row.
import { Readable } from 'node:stream'
import type { Connection, Submittable } from 'pg'

/** First bytes of messages: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const copyData = 0x64
/** CopyOutResponse, ParameterStatus, NoticeResponse, NotificationResponse: they may come in between, and hold no rows. */
const passedOver: readonly number[] = [0x48, 0x53, 0x4e, 0x41]
const copyDone = 0x63
/** A message begins with its kind and its length, which counts itself. */
const headBytes = 5
/** Rows are short, and a call to copy one costs more than its words do. */
const shortRow = 256
const aheadBytes = 1 << 20

type DataListener = (bytes: Buffer) => void

/**
 * Ends when the server has said that the command is complete; fails as the command does. It takes the place of the driver's parser
 * for as long as rows come, because a view and an event for each of ten million rows cost more than all else that is done to them.
 */
export class CopyOut extends Readable implements Submittable {
  readonly #sql: string
  #connection: Connection | null = null
  /** The driver's own listener; null while it is in its place. */
  #driver: DataListener | null = null
  readonly #mine = (bytes: Buffer): void => this.#take(bytes)
  /** What came of a head that is not whole. */
  #head = Buffer.alloc(0)
  /** Bytes of the present message that are still to come, and whether they are rows. */
  #left = 0
  #isData = false

  constructor(sql: string) {
    super({ highWaterMark: aheadBytes })
    this.#sql = sql
  }

  submit(connection: Connection): void {
    this.#connection = connection
    const listeners = connection.stream.listeners('data')
    const [driver] = listeners
    if (driver === undefined || listeners.length > 1)
      throw new Error(`one listens to the database connection, not ${listeners.length}`)
    this.#driver = driver as DataListener
    connection.stream.off('data', this.#driver)
    connection.stream.on('data', this.#mine)
    connection.query(this.#sql)
  }

  handleError(error: Error): void {
    this.destroy(error)
  }

  /** The driver asks for it; the end is when the server is ready again. */
  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.push(null)
  }

  override _read(): void {
    this.#connection?.stream.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#giveBack(Buffer.alloc(0))
    done(error)
  }

  /** The bytes are nobody else's: rows are moved together where they lie. */
  #take(bytes: Buffer): void {
    const block = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes])
    const view = new DataView(block.buffer, block.byteOffset, block.length)
    let at = 0
    let end = 0
    while (at < block.length) {
      if (this.#left > 0) {
        const length = Math.min(this.#left, block.length - at)
        if (this.#isData) end = move(block, view, at, end, length)
        at += length
        this.#left -= length
        continue
      }
      if (at + headBytes > block.length) break
      const kind = block[at] ?? 0
      this.#isData = kind === copyData
      if (!this.#isData && !passedOver.includes(kind)) {
        if (end > 0) this.push(block.subarray(0, end))
        // What ends the rows is the driver's again, but for the word that there are no more.
        this.#giveBack(block.subarray(kind === copyDone ? at + headBytes : at))
        return
      }
      this.#left = view.getInt32(at + 1) - 4
      at += headBytes
    }
    // Rows were moved down, but never over what has not been looked at.
    this.#head = Buffer.from(block.subarray(at))
    if (end > 0 && !this.push(block.subarray(0, end))) this.#connection?.stream.pause()
  }

  #giveBack(rest: Buffer): void {
    const [driver, stream] = [this.#driver, this.#connection?.stream]
    if (driver === null || stream === undefined) return
    this.#driver = null
    stream.off('data', this.#mine)
    stream.on('data', driver)
    if (rest.length > 0) driver(rest)
    stream.resume()
  }
}

/** Moves bytes down within a block; where they end now. */
function move(block: Buffer, view: DataView, from: number, to: number, length: number): number {
  const end = to + length
  if (from === to) return end
  if (length > shortRow) {
    block.copyWithin(to, from, from + length)
    return end
  }
  let [source, target] = [from, to]
  // A word is read before it is written over: the distance is a head at least.
  for (; target + 4 <= end; source += 4, target += 4) view.setInt32(target, view.getInt32(source))
  for (; target < end; source += 1, target += 1) block[target] = block[source] ?? 0
  return end
}
