// How a volume ends without being read: by its kind, its place, its neighbours, or because nothing is in it.
import type { Volume, VolumeOutcome } from '../../model/entry.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Reader } from '../../model/world.ts'
import type { Partition } from './probe.ts'

export interface FoundVolume extends Volume {
  /** What else it may be, where blkid will not decide: tried after `type`. */
  readonly alsoTypes: readonly string[]
  /** How it ends without being read; null: a reader is to be asked. */
  readonly verdict: Verdict | null
  /** Why something of it may be missing, whatever a reader says; null: nothing gives cause to think so. */
  readonly doubt?: string
}

export interface Verdict {
  readonly outcome: VolumeOutcome
  readonly reason: string
}

const extended = 'an extended partition: it only holds others'

/** Partition types that hold no files by their nature. */
const containers = new Map([
  ['dos 0x5', extended],
  ['dos 0xf', extended],
  ['dos 0x85', extended],
  ['mac Apple_partition_map', 'the partition map itself'],
  ['mac Apple_Free', 'free space'],
  ['mac Apple_Void', 'free space'],
  ['mac Apple_Patches', 'driver code'],
  ['mac Apple_Driver', 'driver code'],
  ['mac Apple_Driver43', 'driver code'],
  ['mac Apple_Driver43_CD', 'driver code'],
  ['mac Apple_Driver_ATA', 'driver code'],
  ['mac Apple_Driver_ATAPI', 'driver code'],
  ['mac Apple_Driver_IOKit', 'driver code'],
  ['mac Apple_FWDriver', 'driver code'],
  ['gpt 21686148-6449-6e6f-744e-656564454649', 'boot loader code'],
  ['gpt e3c9e316-0b5c-4db8-817d-f92df00215ae', 'space reserved by Windows'],
])

const members = /_member$|^LVM|^crypto_|^BitLocker$|^bcache$|^drbd$|^zfs_member$/

/** What the kind of content alone says. */
export function judgeType({ type }: Pick<Volume, 'type'>): Verdict | null {
  if (type === 'swap' || type === 'swsuspend') return { outcome: 'waived', reason: 'swap space' }
  if (type !== null && members.test(type)) {
    return {
      outcome: 'unreadable',
      reason: `${type}: a part of something larger, which ntt does not assemble`,
    }
  }
  return null
}

/** What geometry, table and neighbours say. Pure. */
export function judgePartition(
  one: Omit<FoundVolume, 'verdict'>,
  { start, bytes }: Partition,
  disk: Omit<FoundVolume, 'verdict'> | null,
  imageBytes: number,
): Verdict | null {
  const waived = (reason: string): Verdict => ({ outcome: 'waived', reason })
  const container = one.type === null ? containers.get(`${one.scheme} ${one.partitionType}`) : undefined
  const missing = start + bytes - imageBytes
  if (container === extended && missing > 0) {
    const reason = `${extended}; its last ${missing} bytes are past the end of the image: partitions may be missing`
    return { outcome: 'partial', reason }
  }
  if (container !== undefined) return waived(container)
  if (bytes === 0) return waived('a partition of no length')
  if (start >= imageBytes) {
    const reason = `it begins at byte ${start}, past the end of the image (${imageBytes} bytes)`
    return { outcome: 'unreadable', reason }
  }
  if (disk !== null) {
    const { type, uuid } = disk
    if (start === 0) return waived(`it is the whole medium, which is read as ${type}`)
    if (one.type === type && one.uuid === uuid && uuid !== '' && one.label.equals(disk.label))
      return waived(`the ${type} of the whole medium, seen from byte ${start}`)
    if (one.type === null)
      return waived(`no filesystem in it; the medium is a hybrid, and is read as ${type}`)
  }
  return judgeType(one)
}

/**
 * Nothing was recognised: is it blank? Reads it through until two bytes differ. A blank partition is empty; a whole medium that
 * is blank was wiped, or it is what a drive gave that read nothing: a person must tell.
 */
export async function judgeNothing(
  image: Place,
  { start, bytes, partitionType, scheme }: Pick<Volume, 'start' | 'bytes' | 'partitionType' | 'scheme'>,
  world: Pick<Reader, 'read'>,
  table: string | null = null,
): Promise<Verdict> {
  const fill = await fillOf(world.read(image, { start, end: start + bytes })).catch(unreadPart)
  if (typeof fill === 'string') {
    return { outcome: 'unreadable', reason: `nothing in it that is known to blkid; ${fill}` }
  }
  if (fill !== null) {
    const hex = fill.byte.toString(16).toUpperCase().padStart(2, '0')
    const reason = `blank: each of its ${fill.bytes} bytes is 0x${hex}`
    if (scheme !== 'whole') return { outcome: 'empty', reason }
    return {
      outcome: 'unreadable',
      reason: `${reason}; wiped, or never read (if it is known to hold nothing: partitions: {0: skip})`,
    }
  }
  const about = partitionType === '' ? '' : ` (partition type ${partitionType})`
  const reason =
    table === null
      ? `nothing that is known to blkid${about}, and it is not blank`
      : `a partition table (${table}) without partitions, and it is not blank`
  return { outcome: 'unreadable', reason }
}

/** What was not read may be something else than the rest. */
function unreadPart(error: unknown): string {
  if (error instanceof UnreadError) return error.message
  throw error
}

/** The one byte that all bytes are, and how many; null where two differ, or there are none. */
export async function fillOf(
  chunks: AsyncIterable<Buffer>,
): Promise<{ readonly byte: number; readonly bytes: number } | null> {
  let byte: number | null = null
  let bytes = 0
  let same = Buffer.alloc(0)
  for await (const chunk of chunks) {
    byte ??= chunk[0] ?? null
    if (byte === null) continue
    if (same.length < chunk.length) same = Buffer.alloc(chunk.length, byte)
    if (chunk.compare(same, 0, chunk.length) !== 0) return null
    bytes += chunk.length
  }
  return byte === null ? null : { byte, bytes }
}
