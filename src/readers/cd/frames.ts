// Raw images of CDs: frames of 2352 bytes, of which a data sector holds 2048; found by the mark that each data frame begins with.
//
// Layout: ECMA-130 and the CD-ROM XA extension. A frame of data begins with 12 bytes of mark, then its address on the disc in minutes,
// seconds and 75ths (binary-coded decimal), and its mode; audio has none of that.
import { RunError } from '../../model/errors.ts'
import { readRange } from '../../model/range.ts'
import type { Place, Range, Reader } from '../../model/world.ts'

export type FrameKind = 'mode1' | 'mode2' | 'audio'

/** Frames of one kind whose addresses follow on one another. */
export interface Stretch {
  readonly kind: FrameKind
  /** Byte in the image where its first frame begins. */
  readonly start: number
  readonly frames: number
  /** Address on the disc of its first frame, in sectors; of audio, which has none, as counted from what is before it. */
  readonly sector: number
}

export interface Framing {
  /** 2352, or 2448 where the subchannels stand behind each frame. */
  readonly frameBytes: number
  readonly stretches: readonly Stretch[]
}

export const sectorBytes = 2048
const mark = Buffer.from('00ffffffffffffffffffff00', 'hex')
const frameSizes = [2352, 2448]
/** One look every two seconds: no track is shorter than four. */
const step = 150
/** An address on the disc ends at 99 minutes. */
const mostFrames = 100 * 60 * 75
/** Frames between tracks that belong to neither. */
const mostBetween = 2 * step

/** Where the data stand in a frame. */
export const dataAt = (kind: FrameKind): number => (kind === 'mode2' ? 24 : 16)

interface Header {
  readonly kind: FrameKind
  readonly sector: number
}

/** What a frame says of itself; null: it is not one of data. */
export function headerOf(frame: Buffer): Header | null {
  if (frame.length < 16 || !frame.subarray(0, 12).equals(mark)) return null
  const [minute, second, part] = [decimal(frame, 12), decimal(frame, 13), decimal(frame, 14)]
  const mode = frame[15] ?? 0
  if (mode !== 1 && mode !== 2) return null
  return { kind: mode === 1 ? 'mode1' : 'mode2', sector: (minute * 60 + second) * 75 + part - 150 }
}

const decimal = (bytes: Buffer, at: number): number => {
  const byte = bytes[at] ?? 0
  return (byte >>> 4) * 10 + (byte & 15)
}

/** The frames of an image; null: it has none. `anywhere`: also where it does not begin with one of data. */
export async function findFraming(
  image: Place,
  bytes: number,
  world: Pick<Reader, 'read'>,
  anywhere = true,
): Promise<Framing | null> {
  const head = await readRange(world, image, { start: 0, end: Math.min(bytes, 4096) }).catch(orEmpty)
  const isMarked = (at: number): boolean => head.subarray(at, at + mark.length).equals(mark)
  const isFirst = isMarked(0)
  if (!isFirst && !(anywhere && bytes % 2352 === 0)) return null
  const frameBytes = isFirst ? (frameSizes.find((size) => bytes < 2 * size || isMarked(size)) ?? 2352) : 2352
  const count = Math.floor(bytes / frameBytes)
  if (count > mostFrames) return null
  const stretches = await new Looks(image, frameBytes, count, world).stretches()
  return stretches.some(({ kind }) => kind !== 'audio') ? { frameBytes, stretches } : null
}

function orEmpty(error: unknown): Buffer {
  if (error instanceof RunError) return Buffer.alloc(0)
  throw error
}

interface Look {
  readonly at: number
  readonly kind: FrameKind
  /** Address less place: equal for all of a stretch. */
  readonly shift: number
}

/** Single frames looked at, until it is known where each stretch begins and ends. */
class Looks {
  readonly #frameBytes: number
  readonly #image: Place
  readonly #count: number
  readonly #world: Pick<Reader, 'read'>

  constructor(image: Place, frameBytes: number, count: number, world: Pick<Reader, 'read'>) {
    this.#image = image
    this.#frameBytes = frameBytes
    this.#count = count
    this.#world = world
  }

  async stretches(): Promise<readonly Stretch[]> {
    const found: Stretch[] = []
    let open: { readonly first: Look; last: number } | null = null
    for (
      let at = 0;
      at < this.#count;
      at = at === this.#count - 1 ? this.#count : Math.min(at + step, this.#count - 1)
    ) {
      const look = await this.#look(at)
      if (look === null) continue
      if (open !== null && isSame(look, open.first)) {
        open.last = at
        continue
      }
      if (open !== null) this.#close(found, open.first, await this.#lastLike(open.first, open.last, at))
      open = { first: await this.#firstLike(look, at), last: at }
    }
    if (open !== null)
      this.#close(found, open.first, await this.#lastLike(open.first, open.last, this.#count))
    this.#between(found, this.#count, true)
    return found.toSorted((a, b) => a.start - b.start)
  }

  /** Takes a stretch of data, and what lies before it. */
  #close(found: Stretch[], first: Look, last: number): void {
    this.#between(found, first.at, false)
    found.push({
      kind: first.kind,
      start: first.at * this.#frameBytes,
      frames: last - first.at + 1,
      sector: first.at + first.shift,
    })
  }

  /** What lies between the last stretch and a frame is audio, unless it is too short for a track. */
  #between(found: Stretch[], until: number, isEnd: boolean): void {
    const before = found.at(-1)
    const from = before === undefined ? 0 : before.start / this.#frameBytes + before.frames
    if (until - from <= (isEnd || before !== undefined ? mostBetween : 0)) return
    const sector = before === undefined ? 0 : before.sector + before.frames
    found.push({ kind: 'audio', start: from * this.#frameBytes, frames: until - from, sector })
  }

  /** The last frame that is of a stretch, between one that is and one that is not. */
  async #lastLike(first: Look, last: number, beyond: number): Promise<number> {
    let [low, high] = [last, beyond]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      const look = await this.#look(middle)
      if (look !== null && isSame(look, first)) low = middle
      else high = middle
    }
    return low
  }

  /** The first frame that is like this one, which was met at `at`; at most one step before. */
  async #firstLike(look: Look, at: number): Promise<Look> {
    let [low, high] = [Math.max(-1, at - step), at]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      const other = await this.#look(middle)
      if (other !== null && isSame(other, look)) high = middle
      else low = middle
    }
    return { ...look, at: high }
  }

  async #look(at: number): Promise<Look | null> {
    const start = at * this.#frameBytes
    const head = await readRange(this.#world, this.#image, { start, end: start + 16 }).catch(orEmpty)
    const header = headerOf(head)
    return header === null ? null : { at, kind: header.kind, shift: header.sector - at }
  }
}

const isSame = (one: Look, other: Look): boolean => one.kind === other.kind && one.shift === other.shift

/** Where the data of these sectors lie in the image, the headers between them included; `sectors` count as bytes of 2048. */
export function placesOf({ frameBytes, stretches }: Framing, { start, end }: Range): readonly Range[] {
  const found: Range[] = []
  for (let at = start; at < end;) {
    const sector = Math.floor(at / sectorBytes)
    const own = stretchAt(stretches, sector)
    if (own === null) break
    const stop = Math.min(end, (own.sector + own.frames) * sectorBytes)
    const place = (byte: number): number =>
      own.start +
      (Math.floor(byte / sectorBytes) - own.sector) * frameBytes +
      dataAt(own.kind) +
      (byte % sectorBytes)
    found.push({ start: place(at), end: place(stop - 1) + 1 })
    at = stop
  }
  return found
}

/** The way back: which sectors, as bytes of 2048, a range of `placesOf` holds. */
export function sectorsOf({ frameBytes, stretches }: Framing, { start, end }: Range): Range {
  const own = stretches.find((one) => start >= one.start && start < one.start + one.frames * frameBytes)
  if (own === undefined) throw new RunError(`byte ${start} of the image is in no sector of data`)
  const byte = (place: number): number => {
    const frame = Math.floor((place - own.start) / frameBytes)
    return (own.sector + frame) * sectorBytes + place - own.start - frame * frameBytes - dataAt(own.kind)
  }
  return { start: byte(start), end: byte(end - 1) + 1 }
}

/** The stretch of data that holds a sector; null: none does. */
export const stretchAt = (stretches: readonly Stretch[], sector: number): Stretch | null =>
  stretches.find((one) => one.kind !== 'audio' && sector >= one.sector && sector < one.sector + one.frames) ??
  null
