// A directory of an ISO 9660 disc: its records, and what is wrong with the others.
import { RunError } from '../../model/errors.ts'
import { intersect } from '../../model/ranges.ts'
import type { Range } from '../../model/world.ts'
import { faultOf } from '../faults.ts'
import type { Pages, Patchy } from '../pages.ts'
import { parseRecords, type IsoRecord } from './records.ts'

const sector = 2048
/** Directories are small; a record that says otherwise is damaged. */
const mostBytes = 1 << 28

export interface Records {
  readonly records: readonly IsoRecord[]
  readonly fault: string | null
  readonly unread: readonly Range[]
}

/** The bytes of a directory that begins at `start` of the image. Throws RunError where it is too long to be one. */
export async function contentOf({ bytes }: IsoRecord, start: number, pages: Pages): Promise<Patchy> {
  if (bytes > mostBytes) throw new RunError(`a directory of ${bytes} bytes`)
  return pages.readable([{ start, end: start + bytes }])
}

/** The records of a directory that begins at `start` of the image. */
export async function recordsOf(directory: IsoRecord, start: number, pages: Pages): Promise<Records> {
  let unread: readonly Range[] = []
  try {
    const read = await contentOf(directory, start, pages)
    unread = read.unread
    const records = sectorsOf(read.bytes, start, unread)
    const [self] = records
    const isWhole = beginsUnread(unread, start) || (self !== undefined && isSelf(self, directory))
    if (!isWhole) return { records: [], fault: 'it does not begin with itself', unread }
    const isGapped = unread.length === 0 && hasGap(read.bytes)
    return isGapped
      ? { records: [], fault: 'a part of it is empty', unread }
      : { records, fault: null, unread }
  } catch (error) {
    return { records: [], fault: faultOf(error).message, unread }
  }
}

/** A directory begins with a record of itself. */
export const isSelf = (self: IsoRecord, directory: Pick<IsoRecord, 'block'>): boolean =>
  self.id.length === 1 && self.id[0] === 0 && self.isDirectory && self.block === directory.block

/** Whether its first sector, with the record of itself, was never read. */
export const beginsUnread = (unread: readonly Range[], start: number): boolean =>
  unread.some((range) => range.start < start + sector)

/** The records of the sectors that were read whole; a directory that begins at `start` of the image. */
function sectorsOf(bytes: Buffer, start: number, unread: readonly Range[]): readonly IsoRecord[] {
  if (unread.length === 0) return parseRecords(bytes)
  const read = Buffer.from(bytes)
  for (let at = 0; at < read.length; at += sector) {
    const place = { start: start + at, end: start + at + sector }
    if (intersect([place], unread).length > 0) read.fill(0, at, at + sector)
  }
  return parseRecords(read)
}

/** A sector without a record, and one with some after it: something was there. */
function hasGap(bytes: Buffer): boolean {
  let empty = false
  for (let at = 0; at < bytes.length; at += sector) {
    if (bytes[at] === 0) empty = true
    else if (empty) return true
  }
  return false
}
