// A volume of NTFS: each file put together from all of its records.
import { RunError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'
import { FileTable, type Listed, type TableRecord } from './file-table.ts'
import {
  attributes,
  parseAttributes,
  parseFileName,
  placeInRecord,
  residentValue,
  timeAt,
  wide,
  type Attribute,
  type FileName,
  type NtfsLayout,
} from './layout.ts'
import { hasPacked, type Run } from './runs.ts'
import { faultOf } from '../faults.ts'
import type { Pages } from '../pages.ts'

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

const mostRecords = 65_536

export class NtfsVolume {
  readonly table: FileTable
  readonly layout: NtfsLayout
  readonly pages: Pages

  private constructor(table: FileTable) {
    this.table = table
    this.layout = table.layout
    this.pages = table.pages
  }

  /** `start`: of the volume in the image; `pages` count from there. Throws RunError where there is no file table. */
  static async open(start: number, pages: Pages): Promise<NtfsVolume> {
    return new NtfsVolume(await FileTable.open(start, pages))
  }

  /** All of a file. Throws RunError where its first record cannot be read; what is wrong with others is a fault of it. */
  async file(number: number): Promise<NtfsFile> {
    const record = await this.table.record(number)
    const pieces: Piece[] = parseAttributes(record.bytes).map((attribute) => ({ attribute, record }))
    const list = pieces.find(({ attribute: { type } }) => type === attributes.list)
    let fault: string | null = null
    if (list !== undefined) {
      try {
        pieces.push(...(await this.#others(record, await this.table.listOf(list.attribute))))
      } catch (error) {
        fault = faultOf(error).message
      }
    }
    return { ...this.#assemble(record, pieces), fault }
  }

  async #others({ number }: TableRecord, list: readonly Listed[]): Promise<readonly Piece[]> {
    const others = new Map(
      list.flatMap(({ file }) => (file.number === number ? [] : [[file.number, file.sequence]])),
    )
    if (others.size > mostRecords) throw new RunError(`it has ${others.size} records`)
    const pieces: Piece[] = []
    for (const [other, sequence] of others) {
      const record = await this.table.record(other).catch((error: unknown) => {
        throw new RunError(`record ${other} of it: ${faultOf(error).message}`, { cause: error })
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
        runs.push(...this.table.runsOf(piece.attribute))
        next = wide(piece.attribute.bytes, 0x18) + 1
      }
    } catch (error) {
      const fault = faultOf(error).message
      return { ...known, size, value: null, extents: null, runs: [], unit: 0, fault }
    }
    const { clusterBytes } = this.layout
    const room = runs.reduce((sum, { clusters }) => sum + clusters * clusterBytes, 0)
    const own = { ...known, size, value: null, runs }
    if (room < size) own.fault = `its list of runs breaks off after ${room} of ${size} bytes`
    const exponent = head.attribute.bytes.readUInt8(0x22)
    const unit = (flags & 0xff) === 0 || exponent === 0 ? 0 : 2 ** exponent
    if (unit > 0 && hasPacked(runs, unit)) return { ...own, extents: null, unit }
    return { ...own, extents: this.table.rangesOf({ runs, size, written }), unit: 0 }
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
