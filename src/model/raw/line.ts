// The record under a decoder's cursor: one object for all of them, so that millions may pass and leave no garbage.
import type { Entry, EntryError, EntryType } from '../entry.ts'
import { halvesOf, signed, unsigned } from '../halves.ts'
import type { Range } from '../world.ts'
import type { RawRecord } from './record.ts'

/** The fields of an Entry, by the same names, as they lie in a block; or an error. It is another record's a moment later. */
export class Line {
  fs = 0
  /** null: it is an entry, and all that follows is its own. */
  error: EntryError | null = null
  type: EntryType = '?'
  inoHigh = 0
  inoLow = 0
  /** No record before it had this inode number in this filesystem. */
  isFirst = false
  nlink = 0
  size = 0
  hasTime = false
  timeHigh = 0
  timeLow = 0
  mode: number | null = null
  uid: number | null = null
  gid: number | null = null
  rdevHigh = 0
  rdevLow = 0
  extents: readonly Range[] | null = null
  block: Buffer = Buffer.alloc(0)
  pathStart = 0
  pathEnd = 0
  /** -1: it has no target. */
  targetStart = -1
  targetEnd = -1

  /** The same as a record that may be kept; its names are views of the block. */
  record(): RawRecord {
    const { fs, error } = this
    return error === null ? { fs, entry: this.entry() } : { fs, error }
  }

  /** The entry of a line that is none of an error. */
  entry(): Entry {
    const { type, nlink, size, mode, uid, gid, extents, block } = this
    return {
      type,
      path: block.subarray(this.pathStart, this.pathEnd),
      ino: unsigned(this.inoHigh, this.inoLow),
      nlink,
      size,
      mtimeNs: this.hasTime ? signed(this.timeHigh, this.timeLow) : null,
      mode,
      uid,
      gid,
      rdev: unsigned(this.rdevHigh, this.rdevLow),
      target: this.targetStart < 0 ? null : block.subarray(this.targetStart, this.targetEnd),
      extents,
    }
  }

  /** Is that record from now on. */
  take(record: RawRecord): void {
    this.fs = record.fs
    this.error = 'error' in record ? record.error : null
    if ('error' in record) return
    const { type, path, ino, nlink, size, mtimeNs, mode, uid, gid, rdev, target, extents } = record.entry
    this.type = type
    this.nlink = nlink
    this.size = size
    this.mode = mode
    this.uid = uid
    this.gid = gid
    this.extents = extents
    this.hasTime = mtimeNs !== null
    ;({ high: this.inoHigh, low: this.inoLow } = halvesOf(ino))
    ;({ high: this.timeHigh, low: this.timeLow } = halvesOf(mtimeNs ?? 0n))
    ;({ high: this.rdevHigh, low: this.rdevLow } = halvesOf(rdev))
    this.block = target === null ? path : Buffer.concat([path, target])
    this.pathStart = 0
    this.pathEnd = path.length
    this.targetStart = target === null ? -1 : path.length
    this.targetEnd = this.block.length
  }
}
