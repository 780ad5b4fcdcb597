// The enumeration's file: records in, bytes out, and back; our format and the two older ones. Layout: schemas/raw.md.
import { createHash } from 'node:crypto'
import type { VolumeReport } from '../entry.ts'
import { Decoding, formatBytes, formatOf } from './decoding.ts'
import { Edges, edgeBytes, roughDigest } from './edges.ts'
import { Fields } from './fields.ts'
import type { Line } from './line.ts'
import { RawCounter, RawError, type RawRecord, type RawTail } from './record.ts'
import {
  endBytes,
  endLine,
  headLine,
  magic,
  readEnd,
  readHead,
  readSection,
  totalsLine,
  volumeLine,
  type RawAbout,
} from './trailer.ts'
import { roomForEntry, roomForError, writeEntry, writeError } from './writing.ts'
import { Sum } from '../sum.ts'

export { Line } from './line.ts'
export type { RawAbout } from './trailer.ts'
export { RawCounter, RawError } from './record.ts'
export type { RawCounts, RawRecord, RawTail } from './record.ts'

const blockBytes = 256 * 1024
/** Most headers are shorter. */
const headBytes = 4096
/** The longest record that is believed: a file in a million pieces. */
const recordLimit = 64 * 1024 * 1024

/**
 * The bytes of an enumeration: header, records, volume reports, counts, digest. `volumes` is asked when the records have
 * ended. Throws RawError for what cannot be written: a name with a zero byte, a negative size.
 */
export async function* encodeRaw(
  records: AsyncIterable<readonly RawRecord[]>,
  volumes: () => readonly VolumeReport[],
  about: RawAbout,
): AsyncGenerator<Buffer> {
  const digest = createHash('sha256')
  const counter = new RawCounter()
  const sum = new Sum()
  let offset = 0
  const passed = (bytes: Buffer): Buffer => {
    digest.update(bytes)
    offset += bytes.length
    return bytes
  }
  yield passed(headLine(about))
  let block = Buffer.allocUnsafeSlow(blockBytes)
  let view = new DataView(block.buffer)
  let at = 0
  for await (const some of records) {
    for (const record of some) {
      const room = 'entry' in record ? roomForEntry(record.entry) : roomForError(record.error)
      if (at + room > block.length) {
        if (at > 0) yield passed(block.subarray(0, at))
        block = Buffer.allocUnsafeSlow(Math.max(blockBytes, room))
        view = new DataView(block.buffer)
        at = 0
      }
      const { end, from, to } =
        'entry' in record
          ? writeEntry(block, at, record.fs, record.entry)
          : writeError(block, at, record.fs, record.error)
      sum.take(view, at, from).take(view, to, end).close()
      counter.add(record)
      at = end
    }
  }
  if (at > 0) yield passed(block.subarray(0, at))
  const tail = offset
  for (const report of volumes()) yield passed(volumeLine(report))
  yield passed(totalsLine({ content: sum.hex(), counts: counter.counts() }))
  yield passed(endLine(tail))
  yield Buffer.from(`${digest.digest('hex')}\0`)
}

/**
 * The records of an enumeration, in their order, a few hundred at a time. Throws RawError as `scanRaw` does. `ended` is told the
 * tail, once, when all is well. Names are views of a block of some 100 KB: copy what is kept for long.
 */
export async function* decodeRaw(
  bytes: AsyncIterable<Buffer>,
  ended?: (tail: RawTail) => void,
): AsyncGenerator<readonly RawRecord[]> {
  let found: RawRecord[] = []
  for await (const read of scan(bytes, (line) => found.push(line.record()), true, ended)) {
    if (read !== found.length) throw new Error(`${read} records were read, and ${found.length} handed out`)
    yield found
    found = []
  }
}

/**
 * Tells `each` of every record of an enumeration, in their order; yields how many they were after a few hundred, so that others
 * can keep up. Throws RawError where it is damaged, cut, followed by anything, or where its counts or its digest are not those of
 * its trailer; so a consumer must not settle anything before the end. `ended` is told the tail, once, when all is well.
 */
export function scanRaw(
  bytes: AsyncIterable<Buffer>,
  each: (line: Line) => void,
  ended?: (tail: RawTail) => void,
): AsyncGenerator<number> {
  return scan(bytes, each, false, ended)
}

/** `keeps`: views of a block stay what they are; else all blocks lie in the same memory. */
async function* scan(
  bytes: AsyncIterable<Buffer>,
  each: (line: Line) => void,
  keeps: boolean,
  ended?: (tail: RawTail) => void,
): AsyncGenerator<number> {
  const edges = new Edges()
  let decoding: Decoding | null = null
  let rest: Buffer = Buffer.alloc(0)
  let room: Buffer = rest
  let offset = 0
  for await (const chunk of bytes) {
    edges.pass(chunk)
    // The chunk is only ours until we ask for the next one, and names that are kept are views.
    const length = rest.length + chunk.length
    if (keeps || room.length < length) room = Buffer.allocUnsafeSlow(length)
    const block = room.subarray(0, length)
    rest.copy(block)
    chunk.copy(block, rest.length)
    rest = block
    if (decoding === null && block.length < formatBytes) continue
    decoding ??= new Decoding(block, each)
    // No record has more than two NULs: one that begins before the last but one is whole.
    const last = block.lastIndexOf(0)
    const whole = last > 0 ? block.lastIndexOf(0, last - 1) : -1
    const fields = new Fields(block, offset)
    while (fields.at <= whole) yield decoding.some(fields, whole + 1)
    offset += fields.at
    rest = block.subarray(fields.at)
    if (rest.length > recordLimit) fields.fault('a record does not end')
  }
  decoding ??= new Decoding(rest, each)
  const fields = new Fields(rest, offset)
  while (fields.at < rest.length) yield decoding.some(fields, rest.length)
  yield decoding.end()
  ended?.(decoding.tail(edges))
}

/**
 * How an enumeration of `bytes` bytes ended, from its last ones: cheap, and no proof of the records. null: it is no
 * enumeration of any format. One of ours without its whole trailer is `complete: false`.
 */
export async function readTail(
  read: (start: number, end: number) => Promise<Buffer>,
  bytes: number,
): Promise<RawTail | null> {
  const edge = Math.min(bytes, edgeBytes)
  const head = await read(0, Math.min(bytes, headBytes))
  const format = formatOf(head)
  if (format === null) return null
  const foot = await read(bytes - edge, bytes)
  const rough = async (): Promise<RawTail> => ({
    format,
    complete: false,
    digest: roughDigest(bytes, await read(0, edge), foot),
    content: '',
    hash: null,
    source: null,
    unread: null,
    image: '',
    volumes: [],
    counts: [],
  })
  if (format !== 'ntt-1' || bytes < endBytes) return rough()
  try {
    const { offset, digest } = readEnd(foot.subarray(-endBytes).toString('latin1'))
    if (offset >= bytes - endBytes || bytes - offset > recordLimit) return await rough()
    const at = offset - (bytes - edge)
    const section = at >= 0 ? foot.subarray(at, -endBytes) : await read(offset, bytes - endBytes)
    const { volumes, totals } = readSection(section)
    const header = head.includes(0) ? head : await read(0, edge)
    const end = header.indexOf(0)
    const {
      hash,
      source,
      unread = null,
      image = '',
    } = readHead(header.toString('utf8', magic.length, end === -1 ? edge : end))
    return { format, complete: true, digest, hash, source, unread, image, volumes, ...totals }
  } catch (error) {
    if (error instanceof RawError) return rough()
    throw error
  }
}
