// Directory records of ISO 9660 out of bytes, with what RockRidge adds to them. Pure.
// Layout: ECMA-119, SUSP 1.12, RRIP 1.12; numbers are stored in both byte orders, the little-endian one is read.
import { RunError } from '../../model/errors.ts'
import { utf8 } from '../utf16.ts'

/** Which of a disc's trees is read, and so how names are told. */
export type Side = 'rockridge' | 'joliet' | 'plain'

export interface IsoRecord {
  /** Name as the side has it; `.` and `..` are one byte, 0 and 1. */
  readonly id: Buffer
  readonly block: number
  readonly bytes: number
  readonly isDirectory: boolean
  /** Resource fork or the like of the file of the same name. */
  readonly isAssociated: boolean
  /** The file goes on in the next record. */
  readonly goesOn: boolean
  /** Pieces of it are spread between those of others; nobody writes that any more. */
  readonly isInterleaved: boolean
  readonly mtimeNs: bigint | null
  /** Where the record begins, from the beginning of the directory. */
  readonly at: number
  readonly systemUse: Buffer
}

const sector = 2048

/** All records of a directory; a record never straddles two sectors. Throws RunError for what is no record. */
export function parseRecords(bytes: Buffer): readonly IsoRecord[] {
  const found: IsoRecord[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes[at] ?? 0
    if (length === 0) {
      at = (Math.floor(at / sector) + 1) * sector
      continue
    }
    const idLength = bytes[at + 32] ?? 0
    const end = at + length
    if (length < 34 || 33 + idLength > length || end > bytes.length)
      throw new RunError(`no directory record at byte ${at} of it`)
    const record = bytes.subarray(at, end)
    const flags = record.readUInt8(25)
    // Padded to an even length.
    const use = 33 + idLength + ((idLength & 1) === 0 ? 1 : 0)
    found.push({
      id: record.subarray(33, 33 + idLength),
      block: record.readUInt32LE(2) + record.readUInt8(1),
      bytes: record.readUInt32LE(10),
      isDirectory: (flags & 0x02) !== 0,
      isAssociated: (flags & 0x04) !== 0,
      goesOn: (flags & 0x80) !== 0,
      isInterleaved: record.readUInt8(26) !== 0,
      mtimeNs: recordTime(record.subarray(18, 25)),
      at,
      systemUse: record.subarray(Math.min(use, length)),
    })
    at = end
  }
  return found
}

/** Seven bytes: year from 1900, month, day, hour, minute, second, zone in quarters of an hour east. */
export function recordTime(bytes: Buffer): bigint | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = bytes
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null
  return nanoseconds(Date.UTC(1900 + year, month - 1, day, hour, minute, second), bytes.readInt8(6))
}

/** A zone that does not exist was a slip of the writer: some write one for years after 2033. */
const nanoseconds = (ms: number, zone: number): bigint =>
  BigInt(ms - (zone < -48 || zone > 52 ? 0 : zone) * 15 * 60_000) * 1_000_000n

/** `2026112321065900` and a zone byte. */
function longTime(bytes: Buffer): bigint | null {
  const text = bytes.toString('latin1', 0, 16)
  if (!/^[0-9]{16}$/.test(text) || text.startsWith('0000')) return null
  const [year, month, day, hour, minute, second, hundredth] = [0, 4, 6, 8, 10, 12, 14].map((from, index) =>
    Number(text.slice(from, from + (index === 0 ? 4 : 2))),
  ) as [number, number, number, number, number, number, number]
  return nanoseconds(Date.UTC(year, month - 1, day, hour, minute, second, hundredth * 10), bytes.readInt8(16))
}

/** What RockRidge says of one record; null or empty where it says nothing. */
export interface RockRidge {
  readonly name: Buffer | null
  readonly mode: number | null
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly target: Buffer | null
  readonly mtimeNs: bigint | null
  readonly rdev: bigint
  /** The block where a directory that was too deep really lies. */
  readonly movedTo: number | null
  /** It was moved here from too deep, and is listed where it belongs. */
  readonly isMoved: boolean
  readonly isCompressed: boolean
}

interface Field {
  readonly sign: string
  readonly data: Buffer
}

/** How many bytes of each area to pass over, from the SP field of the root's first record; null: there is no RockRidge. */
export function skipOf(systemUse: Buffer): number | null {
  const isSp =
    systemUse.length >= 7 &&
    systemUse.toString('latin1', 0, 2) === 'SP' &&
    systemUse.readUInt16BE(4) === 0xbeef
  return isSp ? (systemUse[6] ?? 0) : null
}

/** Fields of an area and of those that continue it; `more` reads bytes of a block. */
export async function fieldsOf(
  area: Buffer,
  more: (block: number, offset: number, length: number) => Promise<Buffer>,
): Promise<readonly Field[]> {
  const found: Field[] = []
  let rest: Buffer | null = area
  for (let areas = 0; rest !== null; areas += 1) {
    if (areas > 64) throw new RunError('its RockRidge fields run in a circle')
    let next: readonly [number, number, number] | null = null
    const here: Buffer = rest
    for (let at = 0; at + 4 <= here.length;) {
      const length = here[at + 2] ?? 0
      if (length < 4 || at + length > here.length) break
      const sign = here.toString('latin1', at, at + 2)
      const data = here.subarray(at + 4, at + length)
      at += length
      if (sign === 'ST') break
      if (sign === 'CE' && data.length >= 24)
        next = [data.readUInt32LE(0), data.readUInt32LE(8), data.readUInt32LE(16)]
      else found.push({ sign, data })
    }
    rest = next === null ? null : await more(...next)
  }
  return found
}

export function rockRidgeOf(fields: readonly Field[]): RockRidge {
  const px = fields.find(({ sign, data }) => sign === 'PX' && data.length >= 32)?.data
  const names = fields.filter(({ sign, data }) => sign === 'NM' && data.length >= 1)
  const links = fields.filter(({ sign, data }) => sign === 'SL' && data.length >= 1)
  const child = fields.find(({ sign, data }) => sign === 'CL' && data.length >= 8)?.data
  const node = fields.find(({ sign, data }) => sign === 'PN' && data.length >= 16)?.data
  return {
    name: names.length === 0 ? null : Buffer.concat(names.map(({ data }) => data.subarray(1))),
    mode: px?.readUInt32LE(0) ?? null,
    nlink: px?.readUInt32LE(8) ?? 1,
    uid: px?.readUInt32LE(16) ?? 0,
    gid: px?.readUInt32LE(24) ?? 0,
    target: links.length === 0 ? null : targetOf(links.map(({ data }) => data.subarray(1))),
    mtimeNs: timeOf(fields.filter(({ sign }) => sign === 'TF').map(({ data }) => data)),
    rdev: node === undefined ? 0n : deviceOf(node.readUInt32LE(0), node.readUInt32LE(8)),
    movedTo: child?.readUInt32LE(0) ?? null,
    isMoved: fields.some(({ sign }) => sign === 'RE'),
    isCompressed: fields.some(({ sign, data }) => sign === 'ZF' && data.toString('latin1', 0, 2) === 'pz'),
  }
}

/** Components of a link, a byte of flags and one of length before each; a component may go on in the next. */
function targetOf(areas: readonly Buffer[]): Buffer {
  let text = ''
  let open = true
  for (const area of areas) {
    for (let at = 0; at + 2 <= area.length;) {
      const [flags = 0, length = 0] = area.subarray(at, at + 2)
      const stored = area.toString('latin1', at + 2, at + 2 + length)
      at += 2 + length
      if (!open) text += '/'
      open = (flags & 0x01) !== 0
      if ((flags & 0x08) !== 0) {
        // The root: what follows comes after its slash.
        text = '/'
        open = true
      } else text += (flags & 0x02) !== 0 ? '.' : (flags & 0x04) !== 0 ? '..' : stored
    }
  }
  return Buffer.from(text, 'latin1')
}

/** Time of modification: the second in a field, where the first is there as well. */
function timeOf(fields: readonly Buffer[]): bigint | null {
  for (const data of fields) {
    const flags = data[0] ?? 0
    if ((flags & 0x02) === 0) continue
    const width = (flags & 0x80) === 0 ? 7 : 17
    const from = 1 + ((flags & 0x01) === 0 ? 0 : width)
    const stamp = data.subarray(from, from + width)
    if (stamp.length === width) return width === 7 ? recordTime(stamp) : longTime(stamp)
  }
  return null
}

/** Some writers leave the high half empty and pack both numbers into the low one. */
const deviceOf = (high: number, low: number): bigint =>
  high === 0 && low > 0xff
    ? (BigInt(low >>> 8) << 32n) + BigInt(low & 0xff)
    : (BigInt(high) << 32n) + BigInt(low)

/** The name without the version; on the plain side also without the dot of a name that has no extension. */
export function nameOf(id: Buffer, side: Exclude<Side, 'rockridge'>): Buffer {
  if (side === 'joliet') {
    const units = Array.from({ length: id.length >>> 1 }, (_none, index) => id.readUInt16BE(index * 2))
    const text = utf8(units)
    return withoutVersion(text)
  }
  const bare = withoutVersion(id)
  return bare.length > 1 && bare.at(-1) === 0x2e ? bare.subarray(0, -1) : bare
}

function withoutVersion(name: Buffer): Buffer {
  const at = name.lastIndexOf(0x3b)
  return at > 0 && /^[0-9]*$/.test(name.toString('latin1', at + 1)) ? name.subarray(0, at) : name
}
