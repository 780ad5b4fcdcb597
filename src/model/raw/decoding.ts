// A decoder of raw enumerations between two blocks of bytes: what must come next, and what was counted.
import { createHash } from 'node:crypto'
import { canonicalJson } from '../canonical.ts'
import type { EntryType, VolumeReport } from '../entry.ts'
import type { Edges } from './edges.ts'
import { readEntry, readError, type Fields } from './fields.ts'
import { Legacy, legacyFormat } from './legacy.ts'
import { Line } from './line.ts'
import { endMark, errorMark, space, totalsMark, volumeMark } from './marks.ts'
import { RawCounter, RawError, type RawFormat, type RawRecord, type RawTail } from './record.ts'
import {
  endBytes,
  magic,
  readEnd,
  readHead,
  readTotals,
  readVolume,
  type RawAbout,
  type Totals,
} from './trailer.ts'

/** Records that are handed out at a time. */
const batch = 256

const types: Readonly<Record<number, EntryType>> = Object.fromEntries(
  (['f', 'd', 'l', 'b', 'c', 'p', 's', '?'] as const).map((type) => [type.charCodeAt(0), type]),
)

/** So much of a file tells its format. */
export const formatBytes = 16

/** Which format a file is of, by its beginning; null for none. */
export const formatOf = (head: Buffer): RawFormat | null =>
  head.subarray(0, magic.length).toString('latin1') === magic ? 'ntt-1' : legacyFormat(head)

/** Where a decoder is between two blocks. */
export class Decoding {
  readonly format: RawFormat
  readonly #digest = createHash('sha256')
  readonly #counter = new RawCounter()
  readonly #volumes: VolumeReport[] = []
  readonly #legacy = new Legacy()
  readonly #line = new Line()
  readonly #each: (line: Line) => void
  #read = 0
  #place: 'head' | 'records' | 'volumes' | 'totals' | 'ended' = 'head'
  #about: RawAbout | null = null
  #tailAt = 0
  #totals: Totals | null = null
  #end = ''

  /** `each` is told of every record; the line is another one's when it returns. */
  constructor(head: Buffer, each: (line: Line) => void) {
    this.#each = each
    const format = formatOf(head)
    if (format === null) throw new RawError(head.length === 0 ? 'it is empty' : 'it is no enumeration')
    this.format = format
  }

  /** Reads records until there are enough for a batch or the next would begin at `stop`; how many they were. */
  some(fields: Fields, stop: number): number {
    const start = fields.at
    this.#read = 0
    while (fields.at < stop && this.#read < batch) {
      if (this.format === 'ntt-1') this.#one(fields, start)
      else this.#older((found) => this.#legacy.read(fields, found))
    }
    if (this.#place !== 'ended') this.#digest.update(fields.block.subarray(start, fields.at))
    return this.#read
  }

  #older(read: (into: RawRecord[]) => void): void {
    const found: RawRecord[] = []
    read(found)
    for (const record of found) {
      this.#line.take(record)
      this.#pass()
    }
  }

  /** Counts the line, and hands it on. */
  #pass(): void {
    const line = this.#line
    this.#read += 1
    if (line.error !== null) this.#counter.error(line.fs)
    else line.isFirst = this.#counter.entry(line.fs, line.type, line.inoHigh, line.inoLow, line.size)
    this.#each(line)
  }

  #one(fields: Fields, start: number): void {
    const { block, at } = fields
    if (this.#place === 'ended') fields.fault('something follows the end')
    if (this.#place === 'head') {
      this.#about = readHead(fields.name().toString('utf8', magic.length))
      this.#place = 'records'
      return
    }
    const mark = block[at] ?? 0
    if (mark === endMark) return this.#last(fields, start)
    fields.at += 1
    fields.byte(space)
    if (mark === volumeMark || mark === totalsMark) {
      if (this.#place === 'records') this.#tailAt = fields.offset + at
      const text = fields.name().toString()
      if (this.#place === 'totals') fields.fault('something follows the counts')
      this.#place = mark === totalsMark ? 'totals' : 'volumes'
      if (mark === totalsMark) this.#totals = readTotals(text)
      else this.#volumes.push(readVolume(text))
      return
    }
    if (this.#place !== 'records') fields.fault('a record follows the volume reports')
    if (mark === errorMark) readError(fields, this.#line)
    else readEntry(fields, types[mark] ?? fields.fault('no kind of record'), this.#line)
    this.#pass()
  }

  #last(fields: Fields, start: number): void {
    const { block, at } = fields
    if (this.#place !== 'totals') fields.fault('it ends without counts')
    const stop = Math.min(at + endBytes, block.length)
    const { offset, digest } = readEnd(block.toString('latin1', at, stop))
    this.#digest.update(block.subarray(start, stop - 65))
    if (offset !== this.#tailAt) fields.fault('the last record points elsewhere')
    this.#end = this.#digest.digest('hex')
    if (this.#end !== digest) fields.fault('the digest is not that of the bytes')
    this.#place = 'ended'
    fields.at = stop
  }

  /** The last records, which only the end of the file settles; how many they were. */
  end(): number {
    this.#read = 0
    if (this.format !== 'ntt-1') {
      this.#older((found) => found.push(...this.#legacy.end()))
      return this.#read
    }
    if (this.#place !== 'ended') throw new RawError('it ends before its trailer')
    const [told, counted] = [this.#totals?.counts, this.#counter.counts()].map(canonicalJson)
    if (told !== counted) throw new RawError(`the trailer tells ${told}, the records are ${counted}`)
    return 0
  }

  tail(edges: Edges): RawTail {
    const complete = this.format === 'ntt-1'
    return {
      format: this.format,
      complete,
      digest: complete ? this.#end : edges.digest(),
      content: this.#totals?.content ?? '',
      hash: this.#about?.hash ?? null,
      source: this.#about?.source ?? null,
      unread: this.#about?.unread ?? null,
      image: this.#about?.image ?? '',
      volumes: this.#volumes,
      counts: this.#counter.counts(),
    }
  }
}
