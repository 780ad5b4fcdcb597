// Records of a raw enumeration out of bytes, field by field. schemas/raw.md tells the layout to people.
import type { Entry, EntryError, EntryType } from '../entry.ts'
import { comma, dot, minus, plus, space, star, zero } from './marks.ts'
import { RawError } from './record.ts'
import type { Range } from '../world.ts'

const clock = new BigInt64Array(1)
const clockWords = new Uint32Array(clock.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** seconds * 10^9 + nanos, by 32-bit words: three times as fast as by big integers. */
function joinTime(seconds: number, nanos: number): bigint {
  if (seconds < 0 || seconds > 9_000_000_000) return BigInt(seconds) * 1_000_000_000n + BigInt(nanos)
  const upper = Math.floor(seconds / 65_536) * 1_000_000_000
  const lower = (seconds % 65_536) * 1_000_000_000 + nanos
  const low = (upper % 65_536) * 65_536 + lower
  clockWords[littleEndian ? 0 : 1] = low >>> 0
  clockWords[littleEndian ? 1 : 0] = Math.floor(upper / 65_536) + Math.floor(low / 2 ** 32)
  return clock[0] ?? 0n
}

/** Reads the fields of records, one after the other, from a block that holds them whole. */
export class Fields {
  at = 0
  readonly block: Buffer
  /** Place of the block in the file, for what is told of a fault. */
  readonly offset: number

  constructor(block: Buffer, offset: number) {
    this.block = block
    this.offset = offset
  }

  fault(what: string): never {
    throw new RawError(`byte ${this.offset + this.at}: ${what}`)
  }

  byte(expected: number): void {
    if (this.block[this.at] !== expected)
      this.fault(`expected ${JSON.stringify(String.fromCharCode(expected))}`)
    this.at += 1
  }

  /** Digits up to 2^53 - 1, without leading zeros; stays on the byte after them. */
  digits(): number {
    const { block } = this
    const start = this.at
    let at = start
    let value = 0
    for (let digit = (block[at] ?? 0) - zero; digit >= 0 && digit <= 9; digit = (block[at] ?? 0) - zero) {
      value = value * 10 + digit
      at += 1
    }
    if (at === start || (block[start] === zero && at > start + 1)) this.fault('expected a number')
    if (value > Number.MAX_SAFE_INTEGER) this.fault('a number is too large')
    this.at = at
    return value
  }

  /** A number and the byte that ends it. */
  number(end = space): number {
    const value = this.digits()
    this.byte(end)
    return value
  }

  maybe(): number | null {
    if (this.block[this.at] !== minus) return this.number()
    this.at += 1
    this.byte(space)
    return null
  }

  octal(): number | null {
    if (this.block[this.at] === minus) return this.maybe()
    const { block } = this
    const start = this.at
    let value = 0
    for (let digit = (block[this.at] ?? 0) - zero; digit >= 0 && digit <= 7;) {
      value = value * 8 + digit
      this.at += 1
      digit = (block[this.at] ?? 0) - zero
    }
    if (this.at === start || value > 0o7777) this.fault('expected permissions')
    this.byte(space)
    return value
  }

  /** An unsigned 64-bit number and the byte that ends it. */
  big(end = space): bigint {
    const { block } = this
    let stop = this.at
    while (block[stop] !== end && stop - this.at <= 20) stop += 1
    if (stop - this.at <= 15) return BigInt(this.number(end))
    const text = block.toString('latin1', this.at, stop)
    const value = /^[1-9][0-9]{1,19}$/.test(text) ? BigInt(text) : this.fault('expected a number')
    if (value >= 1n << 64n) this.fault('a number is too large')
    this.at = stop
    this.byte(end)
    return value
  }

  /** Seconds and fraction, in nanoseconds. A fraction of fewer than nine digits is padded, as find(1) prints some. */
  time(end = space): bigint | null {
    const { block } = this
    let sign = 1
    if (block[this.at] === minus) {
      this.at += 1
      if (block[this.at] === end) {
        this.at += 1
        return null
      }
      sign = -1
    }
    const seconds = sign * this.digits()
    let nanos = 0
    if (block[this.at] === dot) {
      this.at += 1
      let unit = 100_000_000
      for (let digit = (block[this.at] ?? 0) - zero; digit >= 0 && digit <= 9; unit = Math.floor(unit / 10)) {
        nanos += digit * unit
        this.at += 1
        digit = (block[this.at] ?? 0) - zero
      }
    }
    this.byte(end)
    return joinTime(seconds, nanos)
  }

  /** Up to the next NUL, which is passed over. The bytes are a view of the block. */
  name(end = 0): Buffer {
    const stop = this.block.indexOf(end, this.at)
    if (stop === -1) this.fault('a name does not end')
    const name = this.block.subarray(this.at, stop)
    this.at = stop + 1
    return name
  }

  extents(): readonly Range[] | null {
    const { block } = this
    const first = block[this.at]
    if (first === minus || first === dot) {
      this.at += 1
      this.byte(space)
      return first === minus ? null : []
    }
    const found: Range[] = []
    for (;;) {
      if (block[this.at] === star) {
        this.at += 1
        found.push({ start: -1, end: this.digits() })
      } else {
        const start = this.digits()
        this.byte(plus)
        found.push({ start, end: start + this.digits() })
      }
      if (block[this.at] !== comma) break
      this.at += 1
    }
    this.byte(space)
    return found
  }
}

/** The entry after its type letter and space. */
export function readEntry(fields: Fields, type: EntryType): { readonly fs: number; readonly entry: Entry } {
  const fs = fields.number()
  const ino = fields.big()
  const nlink = fields.number()
  const size = fields.number()
  const mtimeNs = fields.time()
  const mode = fields.octal()
  const uid = fields.maybe()
  const gid = fields.maybe()
  const rdev = fields.big()
  const length = fields.maybe()
  const extents = fields.extents()
  const path = fields.name()
  const target = length === null ? null : fields.name()
  if (target !== null && target.length !== length) fields.fault('a link target has another length')
  return { fs, entry: { type, path, ino, nlink, size, mtimeNs, mode, uid, gid, rdev, target, extents } }
}

/** The error after its mark and space. */
export function readError(fields: Fields): { readonly fs: number; readonly error: EntryError } {
  const fs = fields.number()
  const error = fields.name(space).toString('latin1')
  const path = fields.name()
  return { fs, error: { error, path, message: fields.name().toString() } }
}
