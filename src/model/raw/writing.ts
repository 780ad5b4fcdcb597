// Records of a raw enumeration into bytes. schemas/raw.md tells the layout to people.
import type { Entry, EntryError } from '../entry.ts'
import { comma, dot, errorMark, minus, plus, space, star, zero } from './marks.ts'
import { RawError } from './record.ts'
import type { Range } from '../world.ts'

/** Room that the fields of a record take at the most, beside its names and extents. */
const fieldsRoom = 256
const extentRoom = 40

/** Bytes of a record in the file: from `start` to `end`, with its extents between `from` and `to`. */
export interface Written {
  readonly end: number
  readonly from: number
  readonly to: number
}

export const roomForEntry = ({ path, target, extents }: Entry): number =>
  fieldsRoom + path.length + (target?.length ?? 0) + (extents?.length ?? 0) * extentRoom

export const roomForError = ({ path, message, error }: EntryError): number =>
  fieldsRoom + error.length + path.length + message.length * 3

function writeDigits(into: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RawError(`${value} cannot be written as a count`)
  let end = at + 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end += 1
  for (let slot = end - 1, rest = value; slot >= at; slot -= 1) {
    const tenth = Math.floor(rest / 10)
    into[slot] = zero + (rest - tenth * 10)
    rest = tenth
  }
  return end
}

function writeBig(into: Buffer, at: number, value: bigint): number {
  const small = Number(value)
  if (small >= 0 && small <= Number.MAX_SAFE_INTEGER) return writeDigits(into, at, small)
  if (value < 0n || value >= 1n << 64n) throw new RawError(`${value} is not an unsigned 64-bit number`)
  return at + into.write(value.toString(), at, 'latin1')
}

/** Whole seconds, rounded down, and nine digits of nanoseconds where there are any. */
function writeTime(into: Buffer, at: number, ns: bigint): number {
  let nanos = Number(ns % 1_000_000_000n)
  if (nanos < 0) nanos += 1_000_000_000
  const seconds = Number((ns - BigInt(nanos)) / 1_000_000_000n)
  let end = at
  if (seconds < 0) into[end++] = minus
  end = writeDigits(into, end, Math.abs(seconds))
  if (nanos === 0) return end
  into[end] = dot
  for (let slot = end + 9, rest = nanos; slot > end; slot -= 1, rest = Math.floor(rest / 10)) {
    into[slot] = zero + (rest % 10)
  }
  return end + 10
}

function writeMaybe(into: Buffer, at: number, value: number | null, octal = false): number {
  if (value === null) {
    into[at] = minus
    return at + 1
  }
  return octal ? at + into.write(value.toString(8), at, 'latin1') : writeDigits(into, at, value)
}

function writeExtents(into: Buffer, at: number, extents: readonly Range[] | null): number {
  if (extents === null || extents.length === 0) {
    into[at] = extents === null ? minus : dot
    return at + 1
  }
  let end = at
  for (const { start, end: stop } of extents) {
    if (end > at) into[end++] = comma
    if (start === -1) into[end++] = star
    else {
      end = writeDigits(into, end, start)
      into[end++] = plus
    }
    end = writeDigits(into, end, start === -1 ? stop : stop - start)
  }
  return end
}

/** A name and its NUL. */
function writeName(into: Buffer, at: number, name: Buffer): number {
  if (name.includes(0))
    throw new RawError(`a name holds a zero byte: ${JSON.stringify(name.toString('latin1'))}`)
  name.copy(into, at)
  into[at + name.length] = 0
  return at + name.length + 1
}

/** Writes an entry's record; `into` must have `roomForEntry` from `at`. */
export function writeEntry(into: Buffer, start: number, fs: number, entry: Entry): Written {
  let at = start
  into[at++] = entry.type.charCodeAt(0)
  into[at++] = space
  at = writeDigits(into, at, fs)
  into[at++] = space
  at = writeBig(into, at, entry.ino)
  into[at++] = space
  at = writeDigits(into, at, entry.nlink)
  into[at++] = space
  at = writeDigits(into, at, entry.size)
  into[at++] = space
  if (entry.mtimeNs === null) into[at++] = minus
  else at = writeTime(into, at, entry.mtimeNs)
  into[at++] = space
  at = writeMaybe(into, at, entry.mode, true)
  into[at++] = space
  at = writeMaybe(into, at, entry.uid)
  into[at++] = space
  at = writeMaybe(into, at, entry.gid)
  into[at++] = space
  at = writeBig(into, at, entry.rdev)
  into[at++] = space
  at = writeMaybe(into, at, entry.target === null ? null : entry.target.length)
  into[at++] = space
  const from = at
  at = writeExtents(into, at, entry.extents)
  const to = at
  into[at++] = space
  at = writeName(into, at, entry.path)
  if (entry.target !== null) at = writeName(into, at, entry.target)
  return { end: at, from, to }
}

/** Writes an error's record; `into` must have `roomForError` from `at`. Zero bytes of the message become spaces. */
export function writeError(into: Buffer, start: number, fs: number, found: EntryError): Written {
  if (!/^[!-~]+$/.test(found.error))
    throw new RawError(`${JSON.stringify(found.error)} is not a word for an error`)
  let at = start
  into[at++] = errorMark
  into[at++] = space
  at = writeDigits(into, at, fs)
  into[at++] = space
  at += into.write(found.error, at, 'latin1')
  into[at++] = space
  at = writeName(into, at, found.path)
  at = writeName(into, at, Buffer.from(found.message.replaceAll('\0', ' ')))
  return { end: at, from: at, to: at }
}
