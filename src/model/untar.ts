// A tar archive as a stream of members: GNU, ustar and pax (path, linkpath, size). Bounded memory, whatever it holds.
import {
  TarError,
  hasChecksum,
  paddingOf,
  parseHeader,
  readNumber,
  tarBlock,
  untilNul,
  type Overrides,
  type TarHeader,
} from './tar.ts'

export interface TarMember extends TarHeader {
  /** To be read before the next member is asked for; what is left unread is passed over. */
  readonly content: AsyncIterable<Buffer>
}

/** The members of an archive, in order. Throws TarError where it is malformed, or ends without its end mark. */
export async function* untar(bytes: AsyncIterable<Buffer>): AsyncGenerator<TarMember> {
  const feed = new Feed(bytes)
  try {
    let next: Overrides = {}
    for (;;) {
      const head = await feed.exactly(tarBlock)
      if (head === null) throw new TarError('the archive has no end mark')
      if (head.every((byte) => byte === 0)) break
      if (!hasChecksum(head)) throw new TarError('a header does not have the checksum that it states')
      const flag = head.toString('latin1', 156, 157)
      const size = readNumber(head, 124, 12)
      if ('LKxg'.includes(flag)) {
        next = { ...next, ...(await overrides(flag, size, feed)) }
        continue
      }
      const header = parseHeader(head, next)
      // Some writers state a size for directories and links, which have no content.
      const bytes = header.type === 'file' ? (next.size ?? size) : 0
      if (!Number.isSafeInteger(bytes) || bytes < 0) throw new TarError(`a member of ${bytes} bytes`)
      const content = new Content(feed, bytes)
      yield { ...header, size: bytes, content }
      await content.pass()
      next = {}
    }
    // What follows the end mark is padding; it is read, so that a program that feeds us can end by itself.
    while ((await feed.some(1 << 20)) !== null) continue
  } finally {
    await feed.close()
  }
}

async function overrides(flag: string, size: number, feed: Feed): Promise<Overrides> {
  if (size > 1 << 20) throw new TarError(`a member's name of ${size} bytes`)
  const text = (await feed.exactly(size)) ?? Buffer.alloc(0)
  await feed.exactly(paddingOf(size))
  if (flag === 'L') return { name: untilNul(text) }
  if (flag === 'K') return { target: untilNul(text) }
  if (flag === 'g') return {}
  return paxRecords(text)
}

/** `length key=value\n` records; those that we know. */
function paxRecords(text: Buffer): Overrides {
  let found: Overrides = {}
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(0x20, at)
    const length = Number(text.toString('latin1', at, space))
    if (space === -1 || !Number.isInteger(length) || length <= 0)
      throw new TarError('a pax header is malformed')
    const record = text.subarray(space + 1, at + length - 1)
    const equals = record.indexOf(0x3d)
    const key = record.toString('latin1', 0, equals)
    const value = record.subarray(equals + 1)
    if (key === 'path') found = { ...found, name: Buffer.from(value) }
    if (key === 'linkpath') found = { ...found, target: Buffer.from(value) }
    if (key === 'size') found = { ...found, size: Number(value.toString('latin1')) }
    if (key.startsWith('GNU.sparse')) throw new TarError('a sparse member cannot be read')
    at += length
  }
  return found
}

/** Bytes from a stream in the counts that are asked for. */
class Feed {
  readonly #source: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)
  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next bytes, at least one and at most `most`, valid until the next call; null at the end. */
  async some(most: number): Promise<Buffer | null> {
    while (this.#held.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return null
      this.#held = next.value
    }
    const given = this.#held.subarray(0, most)
    this.#held = this.#held.subarray(given.length)
    return given
  }

  /** Exactly so many bytes, a copy; null where the stream ends before the first of them. */
  async exactly(count: number): Promise<Buffer | null> {
    const out = Buffer.alloc(count)
    let filled = 0
    while (filled < count) {
      const some = await this.some(count - filled)
      if (some === null && filled === 0) return null
      if (some === null) throw new TarError('the archive ends in the middle of a block')
      filled += some.copy(out, filled)
    }
    return out
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }
}

/** A member's bytes, read at most once. */
class Content implements AsyncIterable<Buffer> {
  left: number
  readonly #padding: number
  readonly #feed: Feed
  constructor(feed: Feed, size: number) {
    this.#feed = feed
    this.left = size
    this.#padding = paddingOf(size)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    while (this.left > 0) {
      const some = await this.#feed.some(this.left)
      if (some === null) throw new TarError(`the archive ends ${this.left} bytes before the end of a member`)
      this.left -= some.length
      yield some
    }
  }

  /** Passes over what nobody read, and the padding. */
  async pass(): Promise<void> {
    let rest = this.left + this.#padding
    this.left = 0
    while (rest > 0) {
      const some = await this.#feed.some(rest)
      if (some === null) throw new TarError('the archive ends before the end of a member')
      rest -= some.length
    }
  }
}
