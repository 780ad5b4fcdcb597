// A volume of NTFS: the records of its file table, and each file put together from all of its records.
import { RunError } from '../../model/errors.ts'
import { InodeSet } from '../../model/inodes.ts'
import type { Range } from '../../model/world.ts'
import {
  attributes,
  parseAttributes,
  parseBootSector,
  parseFileName,
  placeInRecord,
  referenceAt,
  residentValue,
  timeAt,
  unprotected,
  wide,
  type Attribute,
  type FileName,
  type NtfsLayout,
  type Reference,
} from './layout.ts'
import { hasPacked, parseRuns, rangesOf, type Run } from './runs.ts'
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

/** An attribute with its content, put together from all of its pieces. */
export interface Stream {
  readonly type: number
  readonly name: string
  readonly size: number
  /** Content that stands in the record itself. */
  readonly value: Buffer | null
  /** Where the content lies in the image; null: what lies there is not the content. */
  readonly extents: readonly Range[] | null
  /** Clusters that belong to it. */
  readonly runs: readonly Run[]
  /** Clusters that are compressed together; 0: none are. */
  readonly unit: number
  readonly isEncrypted: boolean
  /** What is wrong with it. */
  readonly fault: string | null
}

export interface NtfsFile {
  readonly number: number
  readonly record: TableRecord
  readonly mtimeNs: bigint | null
  /** File attributes: 0x4 system, 0x400 reparse point. */
  readonly flags: number
  /** But those that are only for DOS, where there are others. */
  readonly names: readonly FileName[]
  readonly streams: readonly Stream[]
  /** What is wrong with it as a whole: some of its records cannot be read. */
  readonly fault: string | null
}

const mostListBytes = 2 ** 22
const mostRecords = 65_536

export class NtfsVolume {
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
  static async open(start: number, pages: Pages): Promise<NtfsVolume> {
    const layout = parseBootSector(await pages.bytes(0, 512))
    const volume = new NtfsVolume(layout, start, pages)
    const { tableAt, mirrorAt } = layout
    // The table's first record tells where the table is; a copy of it lies elsewhere.
    await volume.#begin(tableAt).catch(async (error: unknown) => {
      if (!(error instanceof RunError)) throw error
      await volume.#begin(mirrorAt).catch(() => {
        throw new RunError(`the file table cannot be read: ${error.message}`)
      })
    })
    return volume
  }

  async #begin(at: number): Promise<void> {
    const { recordBytes } = this.layout
    this.#setTable([{ start: this.#start + at, end: this.#start + at + recordBytes }])
    const own = parseAttributes((await this.record(0)).bytes)
    const pieces = own.filter(({ type, name }) => type === attributes.data && name === '')
    const [first] = pieces
    if (first === undefined || first.isResident) throw new RunError('it does not say where the table lies')
    const runs = [...this.#runsOf(first)]
    const size = wide(first.bytes, 0x30)
    const grow = (): void =>
      this.#setTable(rangesOf({ runs, size, written: size }, this.layout.clusterBytes, this.#start))
    grow()
    // Later pieces are found by the earlier ones.
    const list = own.find(({ type }) => type === attributes.list)
    if (list !== undefined) {
      for (const one of listed(await this.#listOf(list))) {
        if (one.type !== attributes.data || one.name !== '' || one.firstCluster === 0) continue
        const more = parseAttributes((await this.record(one.file.number)).bytes)
        const next = more.find(
          (piece) => piece.type === attributes.data && wide(piece.bytes, 0x10) === one.firstCluster,
        )
        if (next === undefined) throw new RunError('a piece of the table is not where it should be')
        runs.push(...this.#runsOf(next))
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

  /** Where a record lies in the image; Throws RunError where the table has none of that number. */
  place(number: number): readonly Range[] {
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
    return this.pages.all(this.place(number))
  }

  async record(number: number): Promise<TableRecord> {
    const place = this.place(number)
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

  /** All of a file. Throws RunError where its first record cannot be read; what is wrong with others is a fault of it. */
  async file(number: number): Promise<NtfsFile> {
    const record = await this.record(number)
    const pieces: Piece[] = parseAttributes(record.bytes).map((attribute) => ({ attribute, record }))
    const list = pieces.find(({ attribute: { type } }) => type === attributes.list)
    let fault: string | null = null
    if (list !== undefined) {
      try {
        pieces.push(...(await this.#others(record, await this.#listOf(list.attribute))))
      } catch (error) {
        if (!(error instanceof RunError)) throw error
        fault = error.message
      }
    }
    return { ...this.#assemble(record, pieces), fault }
  }

  async #others({ number }: TableRecord, list: Buffer): Promise<readonly Piece[]> {
    const others = new Map(
      listed(list).flatMap(({ file }) => (file.number === number ? [] : [[file.number, file.sequence]])),
    )
    if (others.size > mostRecords) throw new RunError(`it has ${others.size} records`)
    const pieces: Piece[] = []
    for (const [other, sequence] of others) {
      const record = await this.record(other).catch((error: unknown) => {
        throw error instanceof RunError ? new RunError(`record ${other} of it: ${error.message}`) : error
      })
      if (!record.isUsed || record.sequence !== sequence || record.base?.number !== number)
        throw new RunError(`record ${other} of it is another file's`)
      for (const attribute of parseAttributes(record.bytes)) pieces.push({ attribute, record })
    }
    return pieces
  }

  #assemble(record: TableRecord, pieces: readonly Piece[]): Omit<NtfsFile, 'fault'> {
    const names: FileName[] = []
    let [mtimeNs, flags]: [bigint | null, number] = [null, 0]
    const streams = new Map<string, Piece[]>()
    for (const piece of pieces) {
      const { type, name } = piece.attribute
      if (type === attributes.name) {
        names.push(parseFileName(residentValue(piece.attribute).value))
      } else if (type === attributes.standard) {
        const { value } = residentValue(piece.attribute)
        if (value.length < 36) throw new RunError('its times make no sense')
        mtimeNs = timeAt(value, 8)
        flags = value.readUInt32LE(0x20)
      } else {
        const key = `${type} ${name}`
        const known = streams.get(key)
        if (known === undefined) streams.set(key, [piece])
        else known.push(piece)
      }
    }
    const long = names.filter(({ isShort }) => !isShort)
    return {
      number: record.number,
      record,
      mtimeNs,
      flags,
      names: long.length > 0 ? long : names,
      streams: Array.from(streams.values(), (own) => this.#stream(own)),
    }
  }

  #stream(pieces: readonly Piece[]): Stream {
    const [first] = pieces
    if (first === undefined) throw new RunError('an attribute without a piece')
    const { type, name, isResident, flags, at } = first.attribute
    const known = { type, name, isEncrypted: (flags & 0x4000) !== 0, fault: null as string | null }
    if (isResident) {
      const { value, offset } = residentValue(first.attribute)
      const { bytes, place } = first.record
      const extents = placeInRecord(bytes, place, at + offset, value.length)
      return { ...known, size: value.length, value, extents, runs: [], unit: 0 }
    }
    const ordered = pieces.toSorted((a, b) => firstCluster(a) - firstCluster(b))
    const head = ordered[0] ?? first
    const stated = firstCluster(head) === 0 ? wide(head.attribute.bytes, 0x30) : 0
    const size = Number.isSafeInteger(stated) ? stated : 0
    const written = wide(head.attribute.bytes, 0x38)
    const runs: Run[] = []
    try {
      if (size !== stated) throw new RunError('its size makes no sense')
      let next = 0
      for (const piece of ordered) {
        if (firstCluster(piece) !== next) throw new RunError('a piece of its list of runs is not there')
        runs.push(...this.#runsOf(piece.attribute))
        next = wide(piece.attribute.bytes, 0x18) + 1
      }
    } catch (error) {
      if (!(error instanceof RunError)) throw error
      return { ...known, size, value: null, extents: null, runs: [], unit: 0, fault: error.message }
    }
    const { clusterBytes } = this.layout
    const room = runs.reduce((sum, { clusters }) => sum + clusters * clusterBytes, 0)
    const own = { ...known, size, value: null, runs }
    if (room < size) own.fault = `its list of runs breaks off after ${room} of ${size} bytes`
    const exponent = head.attribute.bytes.readUInt8(0x22)
    const unit = (flags & 0xff) === 0 || exponent === 0 ? 0 : 2 ** exponent
    if (unit > 0 && hasPacked(runs, unit)) return { ...own, extents: null, unit }
    return { ...own, extents: rangesOf({ runs, size, written }, clusterBytes, this.#start), unit: 0 }
  }

  #runsOf({ bytes }: Attribute): readonly Run[] {
    return parseRuns(bytes.subarray(bytes.readUInt16LE(0x20)), this.layout.clusters)
  }

  /** The content of an attribute list: which attribute is in which record. */
  async #listOf(list: Attribute): Promise<Buffer> {
    if (list.isResident) return residentValue(list).value
    const size = wide(list.bytes, 0x30)
    if (size > mostListBytes) throw new RunError('its list of attributes is too long')
    const runs = this.#runsOf(list)
    const ranges = rangesOf({ runs, size, written: size }, this.layout.clusterBytes, this.#start)
    if (ranges.some(({ start }) => start === -1)) throw new RunError('its list of attributes has holes')
    return Buffer.from(await this.pages.all(ranges))
  }
}

/** The stream of a type and name; undefined: the file has none. */
export const streamOf = (file: NtfsFile, type: number, name: string): Stream | undefined =>
  file.streams.find((one) => one.type === type && one.name === name)

interface Piece {
  readonly attribute: Attribute
  readonly record: TableRecord
}

const firstCluster = ({ attribute }: Piece): number => wide(attribute.bytes, 0x10)

interface Listed {
  readonly type: number
  readonly name: string
  readonly firstCluster: number
  readonly file: Reference
}

function listed(list: Buffer): readonly Listed[] {
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
