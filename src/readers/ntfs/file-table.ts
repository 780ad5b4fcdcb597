// The file table of NTFS: where it lies, and its records by their numbers.
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { Range } from '../../model/world.ts'
import {
  attributes,
  parseAttributes,
  parseBootSector,
  referenceAt,
  residentValue,
  unprotected,
  wide,
  type Attribute,
  type NtfsLayout,
  type Reference,
} from './layout.ts'
import { parseRuns, rangesOf, type Run, type Stretch } from './runs.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'
import { slice } from '../ranges.ts'

/** A record of the file table, with its own bytes put back. */
export interface TableRecord {
  readonly number: number
  readonly bytes: Buffer
  readonly place: readonly Range[]
  readonly sequence: number
  readonly isUsed: boolean
  readonly isDirectory: boolean
  /** The record whose continuation it is; null for a first one. */
  readonly base: Reference | null
}

const mostListBytes = 2 ** 22

export class FileTable {
  readonly layout: NtfsLayout
  readonly pages: Pages
  /** Numbers of records that were asked for and could not be read. */
  readonly unreadable = new InodeSet()
  readonly #start: number
  /** The file table in the image. */
  #table: readonly Range[] = []
  #ends: number[] = []

  private constructor(layout: NtfsLayout, start: number, pages: Pages) {
    this.layout = layout
    this.pages = pages
    this.#start = start
  }

  /** `start`: of the volume in the image; `pages` count from there. Throws RunError where there is no file table. */
  static async open(start: number, pages: Pages): Promise<FileTable> {
    const layout = parseBootSector(await pages.bytes(0, 512))
    const table = new FileTable(layout, start, pages)
    const { tableAt, mirrorAt } = layout
    // The table's first record tells where the table is; a copy of it lies elsewhere.
    await table.#begin(tableAt).catch(async (error: unknown) => {
      const { message } = faultOf(error)
      await table.#begin(mirrorAt).catch((again: unknown) => {
        faultOf(again)
        throw new RunError(`the file table cannot be read: ${message}`, { cause: error })
      })
    })
    return table
  }

  async #begin(at: number): Promise<void> {
    const { recordBytes } = this.layout
    this.#setTable([{ start: this.#start + at, end: this.#start + at + recordBytes }])
    const own = parseAttributes((await this.record(0)).bytes)
    const pieces = own.filter(({ type, name }) => type === attributes.data && name === '')
    const [first] = pieces
    if (first === undefined || first.isResident) throw new RunError('it does not say where the table lies')
    const runs = [...this.runsOf(first)]
    const size = wide(first.bytes, 0x30)
    const grow = (): void => this.#setTable(this.rangesOf({ runs, size, written: size }))
    grow()
    // Later pieces are found by the earlier ones.
    const list = own.find(({ type }) => type === attributes.list)
    if (list !== undefined) {
      for (const one of await this.listOf(list)) {
        if (one.type !== attributes.data || one.name !== '' || one.firstCluster === 0) continue
        const more = parseAttributes((await this.record(one.file.number)).bytes)
        const next = more.find(
          (piece) => piece.type === attributes.data && wide(piece.bytes, 0x10) === one.firstCluster,
        )
        if (next === undefined) throw new RunError('a piece of the table is not where it should be')
        runs.push(...this.runsOf(next))
        grow()
      }
    }
    if (this.#ends.length === 0 || this.#table.some(({ start }) => start === -1))
      throw new RunError('a piece of the table is not there')
  }

  #setTable(ranges: readonly Range[]): void {
    this.#table = ranges
    let end = 0
    this.#ends = ranges.map((range) => (end += range.end - range.start))
  }

  /** Records that the table has room for. */
  get records(): number {
    return Math.floor((this.#ends.at(-1) ?? 0) / this.layout.recordBytes)
  }

  /** Where a record lies in the image; throws RunError where the table has none of that number. */
  #placeOf(number: number): readonly Range[] {
    const { recordBytes } = this.layout
    const at = number * recordBytes
    let [low, high] = [0, this.#ends.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) > at) high = middle
      else low = middle + 1
    }
    const before = low === 0 ? 0 : (this.#ends[low - 1] ?? 0)
    // A record may lie in several clusters, and these in several pieces.
    const found = slice(
      this.#table.slice(low, low + recordBytes / 512),
      at - before,
      at - before + recordBytes,
    )
    if (found.reduce((sum, { start, end }) => sum + end - start, 0) !== recordBytes)
      throw new RunError(`the file table has no record ${number}`)
    return found
  }

  /** The bytes of a record as they lie there. */
  rawRecord(number: number): Promise<Buffer> {
    return this.pages.all(this.#placeOf(number))
  }

  async record(number: number): Promise<TableRecord> {
    const place = this.#placeOf(number)
    const bytes = await this.#whole(number, place)
    const base = referenceAt(bytes, 0x20)
    const flags = bytes.readUInt16LE(0x16)
    return {
      number,
      bytes,
      place,
      sequence: bytes.readUInt16LE(0x10),
      isUsed: (flags & 1) !== 0,
      isDirectory: (flags & 2) !== 0,
      base: base.number === 0 && base.sequence === 0 ? null : base,
    }
  }

  async #whole(number: number, place: readonly Range[]): Promise<Buffer> {
    try {
      return unprotected(await this.pages.all(place), 'FILE')
    } catch (error) {
      this.unreadable.add(BigInt(number))
      throw error
    }
  }

  runsOf({ bytes }: Attribute): readonly Run[] {
    return parseRuns(bytes.subarray(bytes.readUInt16LE(0x20)), this.layout.clusters)
  }

  /** Where the content of runs lies in the image. */
  rangesOf(stretch: Stretch): Range[] {
    return rangesOf(stretch, this.layout.clusterBytes, this.#start)
  }

  /** What an attribute list says: which attribute is in which record. */
  async listOf(list: Attribute): Promise<readonly Listed[]> {
    if (list.isResident) return parseList(residentValue(list).value)
    const size = wide(list.bytes, 0x30)
    if (size > mostListBytes) throw new RunError('its list of attributes is too long')
    const runs = this.runsOf(list)
    const ranges = this.rangesOf({ runs, size, written: size })
    if (ranges.some(({ start }) => start === -1)) throw new RunError('its list of attributes has holes')
    return parseList(Buffer.from(await this.pages.all(ranges)))
  }
}

export interface Listed {
  readonly type: number
  readonly name: string
  readonly firstCluster: number
  readonly file: Reference
}

function parseList(list: Buffer): readonly Listed[] {
  const found: Listed[] = []
  for (let at = 0; at + 26 <= list.length;) {
    const length = list.readUInt16LE(at + 4)
    if (length < 26 || at + length > list.length) throw new RunError('its list of attributes makes no sense')
    const nameAt = at + list.readUInt8(at + 7)
    found.push({
      type: list.readUInt32LE(at),
      name: list.toString('utf16le', nameAt, nameAt + list.readUInt8(at + 6) * 2),
      firstCluster: wide(list, at + 8),
      file: referenceAt(list, at + 16),
    })
    at += length
  }
  return found
}
