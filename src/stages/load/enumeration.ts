// The enumeration that rows are made from: a cheap look at it, and all of its records.
import type { VolumeReport } from '../../model/entry.ts'
import { fingerprint } from '../../model/canonical.ts'
import { ObserveError } from '../../model/errors.ts'
import type { LoadOrigin } from '../../model/load-origin.ts'
import { rawPlace } from '../../model/places.ts'
import { scanRaw, type Line, type RawTail } from '../../model/raw/index.ts'
import type { Medium } from '../../model/medium.ts'
import { tailOf } from '../../model/tail.ts'
import { mayGrow } from '../../model/unread.ts'
import type { Reader } from '../../model/world.ts'
import type { Mark } from './marks.ts'
import { Rows, tables } from './rows.ts'

export function originOf(tail: RawTail): LoadOrigin {
  return {
    content: tail.complete ? tail.content : `rough-${tail.digest.slice(0, 32)}`,
    volumes: fingerprint(tail.volumes.map(volumeFacts)).slice(0, 16),
    unread: tail.unread,
    records: tail.complete ? tail.counts.reduce((sum, { records }) => sum + records, 0) : null,
  }
}

/** What is kept of a volume, and compared; the reader's version may change without anything else. */
export const volumeFacts = (report: VolumeReport) => {
  const { fs, scheme, partitionType, start, bytes, type, label, uuid, outcome, reason } = report
  return {
    fs,
    scheme,
    partitionType,
    start,
    bytes,
    type,
    label: label.toString('hex'),
    uuid,
    outcome,
    reason,
  }
}

/** The enumeration that is there now, by its ends. null: none, or none that could be loaded. */
export async function lookAtRaw(
  medium: Medium,
  world: Reader,
): Promise<{ readonly origin: LoadOrigin; readonly mayGrow: boolean } | null> {
  const tail = await tailOf(medium, world)
  if (tail === null || (tail.format === 'ntt-1' && !tail.complete)) return null
  return { origin: originOf(tail), mayGrow: tail.complete && mayGrow(tail) }
}

/**
 * Tells `each` of every record of the enumeration, read from its file and decoded to its end; then how it ended. `onward` is
 * called after each few hundred. Progress is told in records.
 */
export async function readRaw(
  medium: Medium,
  world: Reader,
  total: number | null,
  each: (line: Line) => void = () => undefined,
  onward: () => Promise<void> | void = () => undefined,
): Promise<RawTail> {
  const tails: RawTail[] = []
  let done = 0
  for await (const read of scanRaw(world.read(rawPlace(medium)), each, (tail) => tails.push(tail))) {
    await onward()
    done += read
    world.progress(done, total, 'records')
  }
  const [tail] = tails
  if (tail === undefined) throw new ObserveError('the enumeration has no end')
  return tail
}

/** The rows of the enumeration. `mark`: what is to be kept of them; they themselves are thrown away. */
export async function remade(medium: Medium, world: Reader, mark: () => Mark): Promise<Remade> {
  const rows = new Rows(mark)
  const add = (line: Line): void => rows.add(line)
  const tail = await readRaw(medium, world, null, add, () => {
    for (const table of tables) rows.made[table].drop()
  })
  for (const table of tables) rows.made[table].end()
  return { rows, tail }
}

export interface Remade {
  readonly rows: Rows
  readonly tail: RawTail
}
