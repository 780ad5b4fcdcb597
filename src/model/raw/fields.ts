// Records of a raw enumeration out of bytes, field by field. schemas/raw.md tells the layout to people.
import type { EntryType } from '../entry.ts'
import { halvesOf } from '../halves.ts'
import type { Line } from './line.ts'
import { comma, dot, minus, plus, space, star, zero } from './marks.ts'
import { RawError } from './record.ts'
import type { Range } from '../world.ts'

/** Reads the fields of records, one after the other, from a block that holds them whole. */
export class Fields {
  at = 0
  /** Halves of the last wide number or time, of 32 bits each; of a time they are in two's complement. */
  high = 0
  low = 0
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

  /** An unsigned 64-bit number and the byte that ends it; it is in `high` and `low`. */
  wide(end = space): void {
    const { block } = this
    let stop = this.at
    while (block[stop] !== end && stop - this.at <= 20) stop += 1
    if (stop - this.at <= 15) {
      this.#halve(this.number(end))
      return
    }
    const text = block.toString('latin1', this.at, stop)
    const value = /^[1-9][0-9]{1,19}$/.test(text) ? BigInt(text) : this.fault('expected a number')
    if (value >= 1n << 64n) this.fault('a number is too large')
    this.#split(value)
    this.at = stop
    this.byte(end)
  }

  /**
   * Seconds and fraction: false for none, else nanoseconds in `high` and `low`. A fraction of fewer than nine digits is
   * padded, as find(1) prints some.
   */
  time(end = space): boolean {
    const { block } = this
    let sign = 1
    if (block[this.at] === minus) {
      this.at += 1
      if (block[this.at] === end) {
        this.at += 1
        return false
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
    this.#join(seconds, nanos)
    return true
  }

  /** seconds * 10^9 + nanos, by 32-bit words: three times as fast as by big integers. */
  #join(seconds: number, nanos: number): void {
    if (seconds < 0 || seconds > 9_000_000_000) {
      this.#split(BigInt(seconds) * 1_000_000_000n + BigInt(nanos))
      return
    }
    const upper = Math.floor(seconds / 65_536) * 1_000_000_000
    const lower = (seconds % 65_536) * 1_000_000_000 + nanos
    const sum = (upper % 65_536) * 65_536 + lower
    this.low = sum >>> 0
    this.high = Math.floor(upper / 65_536) + Math.floor(sum / 2 ** 32)
  }

  /** Of a number below 2^53. */
  #halve(value: number): void {
    this.high = Math.floor(value / 2 ** 32)
    this.low = value >>> 0
  }

  #split(value: bigint): void {
    const { high, low } = halvesOf(value)
    this.high = high
    this.low = low
  }

  /** Up to the next NUL, which is passed over. The bytes are a view of the block. */
  name(end = 0): Buffer {
    const start = this.at
    return this.block.subarray(start, this.skipName(end))
  }

  /** Where the name ends that begins here; what ends it is passed over. */
  skipName(end = 0): number {
    const stop = this.block.indexOf(end, this.at)
    if (stop === -1) this.fault('a name does not end')
    this.at = stop + 1
    return stop
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

/** Reads the entry after its type letter and space. */
export function readEntry(fields: Fields, type: EntryType, into: Line): void {
  into.error = null
  into.type = type
  into.block = fields.block
  into.fs = fields.number()
  fields.wide()
  into.inoHigh = fields.high
  into.inoLow = fields.low
  into.nlink = fields.number()
  into.size = fields.number()
  into.hasTime = fields.time()
  into.timeHigh = fields.high
  into.timeLow = fields.low
  into.mode = fields.octal()
  into.uid = fields.maybe()
  into.gid = fields.maybe()
  fields.wide()
  into.rdevHigh = fields.high
  into.rdevLow = fields.low
  const length = fields.maybe()
  into.extents = fields.extents()
  into.pathStart = fields.at
  into.pathEnd = fields.skipName()
  into.targetStart = length === null ? -1 : fields.at
  if (length === null) return
  into.targetEnd = fields.skipName()
  if (into.targetEnd - into.targetStart !== length) fields.fault('a link target has another length')
}

/** Reads the error after its mark and space. */
export function readError(fields: Fields, into: Line): void {
  into.fs = fields.number()
  const error = fields.name(space).toString('latin1')
  const path = fields.name()
  into.error = { error, path, message: fields.name().toString() }
}
