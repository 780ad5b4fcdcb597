// Which bytes of a file were not read of its medium: its ranges, laid over what was not read.
import type { Entry, Volume } from './entry.ts'
import { rangesText } from './unread.ts'
import { bytesIn, intersect } from './ranges.ts'
import type { Range } from './world.ts'

export interface Damage {
  /** In the image, in the order of the file. */
  readonly ranges: readonly Range[]
  /** Bytes of the file that have no place, because what tells it was not read either. */
  readonly placeless: number
  /** Bytes that are lost in all; null: not known, because it is not known where the file lies. */
  readonly bytes: number | null
}

/** What was not read of the place of a volume. */
export const unreadIn = (
  { start, bytes }: Pick<Volume, 'start' | 'bytes'>,
  unread: readonly Range[],
): readonly Range[] => intersect([{ start, end: start + bytes }], unread)

/** null: all of it was read. `unread`: of the file's volume. */
export function damageOf(
  { extents, size }: Pick<Entry, 'extents' | 'size'>,
  unread: readonly Range[],
): Damage | null {
  if (unread.length === 0) return null
  if (extents === null) return size === 0 ? null : { ranges: [], placeless: 0, bytes: null }
  const ranges = intersect(extents, unread)
  const placeless = Math.max(0, size - bytesIn(extents))
  return ranges.length === 0 && placeless === 0
    ? null
    : { ranges, placeless, bytes: bytesIn(ranges) + placeless }
}

export function damageText({ ranges, placeless, bytes }: Damage): string {
  if (bytes === null) return 'not known which of its bytes were not read'
  return [
    ...(ranges.length > 0 ? [`${rangesText(ranges)} of the image were never read`] : []),
    ...(placeless > 0 ? [`where ${placeless.toLocaleString('en-US')} of its bytes lie was never read`] : []),
  ].join('; ')
}
