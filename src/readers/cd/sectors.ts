// The sectors of a raw CD image as if it were one of 2048-byte sectors; each is looked at before it is believed.
import { readRange } from '../../model/range.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { dataAt, headerOf, sectorBytes, stretchAt, type Framing, type Stretch } from './frames.ts'

const framesAtOnce = 128

/** A sector that is there, and does not hold what it should. */
class SectorError extends UnreadError {
  constructor(sector: number, fault: string) {
    super(bytesOf(sector))
    this.message = `sector ${sector} ${fault}`
  }
}

const bytesOf = (sector: number, count = 1): Range => ({
  start: sector * sectorBytes,
  end: (sector + count) * sectorBytes,
})

/**
 * The same world, in which the image has 2048-byte sectors, each at its address on the disc. `read` fails with an UnreadError at
 * a sector that is not there, has another address, a wrong sum, or data of another form.
 */
export function inSectors<World extends Pick<Reader, 'read'>>(
  world: World,
  image: Place,
  framing: Framing,
): World {
  const last = framing.stretches.reduce((most, one) => Math.max(most, one.sector + one.frames), 0)
  async function* read(place: Place, range?: Range): AsyncGenerator<Buffer> {
    if (place !== image) {
      yield* world.read(place, range)
      return
    }
    const { start, end } = range ?? { start: 0, end: last * sectorBytes }
    for (let at = start; at < Math.min(end, last * sectorBytes);) {
      const sector = Math.floor(at / sectorBytes)
      const own = stretchAt(framing.stretches, sector)
      if (own === null) throw new SectorError(sector, 'is not in the image')
      const wanted = Math.ceil(end / sectorBytes) - sector
      const count = Math.min(framesAtOnce, wanted, own.sector + own.frames - sector)
      const { bytes, fault } = await dataOf(own, sector, count, framing.frameBytes, image, world)
      const piece = bytes.subarray(at - sector * sectorBytes, end - sector * sectorBytes)
      if (piece.length > 0) yield piece
      if (fault !== null && fault.range.start < end) throw fault
      at = sector * sectorBytes + bytes.length
    }
  }
  return { ...world, read }
}

/** The data of so many sectors, as far as they are good, and what is wrong with the one after them. */
async function dataOf(
  own: Stretch,
  sector: number,
  count: number,
  frameBytes: number,
  image: Place,
  world: Pick<Reader, 'read'>,
): Promise<{ readonly bytes: Buffer; readonly fault: UnreadError | null }> {
  const start = own.start + (sector - own.sector) * frameBytes
  const read = (frames: number): Promise<Buffer> =>
    readRange(world, image, { start, end: start + frames * frameBytes })
  let raw: Buffer
  let fault: UnreadError | null = null
  try {
    raw = await read(count)
  } catch (error) {
    if (!(error instanceof UnreadError)) throw error
    const good = Math.max(0, Math.floor((error.range.start - start) / frameBytes))
    const beyond = Math.min(count, Math.ceil((error.range.end - start) / frameBytes))
    fault = new UnreadError(bytesOf(sector + good, Math.max(1, beyond - good)))
    raw = good === 0 ? Buffer.alloc(0) : await read(good)
  }
  const frames = Math.floor(raw.length / frameBytes)
  const bytes = Buffer.alloc(frames * sectorBytes)
  for (let index = 0; index < frames; index += 1) {
    const frame = raw.subarray(index * frameBytes, (index + 1) * frameBytes)
    const wrong = faultOf(frame, own, sector + index)
    if (wrong !== null)
      return { bytes: bytes.subarray(0, index * sectorBytes), fault: new SectorError(sector + index, wrong) }
    const from = dataAt(own.kind)
    frame.copy(bytes, index * sectorBytes, from, from + sectorBytes)
  }
  return { bytes, fault: fault ?? (frames < count ? new SectorError(sector + frames, 'is cut off') : null) }
}

function faultOf(frame: Buffer, { kind }: Stretch, sector: number): string | null {
  const header = headerOf(frame)
  if (header === null) return 'has no header: it was never read'
  if (header.kind !== kind || header.sector !== sector) return 'has the header of another'
  // Form 2 holds 2324 bytes of sound or pictures, and no sum that could be relied on.
  if (kind === 'mode2' && ((frame[18] ?? 0) & 0x20) !== 0) return 'holds sound or pictures (mode 2, form 2)'
  const [from, to] = kind === 'mode2' ? [16, 2072] : [0, 2064]
  const stated = frame.readUInt32LE(to)
  // Some writers leave the sum out.
  return stated === 0 || stated === sumOf(frame, from, to) ? null : 'was read wrongly: its sum is another'
}

/** Four tables of 256: what a byte adds to the sum when it is followed by none, one, two or three others. */
const sums = ((): Uint32Array => {
  const tables = new Uint32Array(1024)
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0xd8018001
    tables[byte] = value
  }
  for (let at = 256; at < 1024; at += 1) {
    const before = tables[at - 256] ?? 0
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] ?? 0)
  }
  return tables
})()

/** The error detection code of ECMA-130, of a length that is a multiple of four. */
function sumOf(bytes: Buffer, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 4) {
    const word = value ^ bytes.readInt32LE(at)
    value =
      (sums[768 + (word & 0xff)] ?? 0) ^
      (sums[512 + ((word >>> 8) & 0xff)] ?? 0) ^
      (sums[256 + ((word >>> 16) & 0xff)] ?? 0) ^
      (sums[word >>> 24] ?? 0)
  }
  return value >>> 0
}
