// Finds the volumes of an image: whole-disk filesystems, partitions, and what is neither. No root, no mount.
import type { Volume, VolumeOutcome } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { findCdVolumes } from '../cd/volumes.ts'
import { Pages } from '../pages.ts'
import { secondReading } from './partition-table.ts'
import { blkid, parseBlkid, parsePartx, partx, type Partition, type Probe } from './probe.ts'
import { furtherSessions } from './sessions.ts'

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

/** Number of the Macintosh side of a disc that has no partition of its own; no partition has it. */
const macSide = 1000

/** Where a filesystem may begin though no table says so: an Iomega Zip disk whose table is gone. */
const oddOffsets: readonly number[] = [16_384]

/**
 * The volumes of an image, in the order of their numbers; at least one. Throws RunError for an image of no bytes,
 * ObserveError where it could not be looked at. The bytes are only read through where nothing is recognised, and `judge`
 * does not say otherwise.
 */
export async function findVolumes(
  image: Place,
  bytes: number,
  world: Pick<Reader, 'path' | 'probe' | 'read' | 'text'>,
  judge: typeof judgeNothing = judgeNothing,
): Promise<readonly FoundVolume[]> {
  if (bytes === 0) {
    throw new RunError('the image has 0 bytes: nothing was ever read of this medium', {
      hint: 'Image it again; an image of no bytes is not an empty disc.',
    })
  }
  await canRead(image, world)
  // In frames blkid sees nothing, or what is not there.
  const tracks = await findCdVolumes(image, bytes, world, false)
  if (tracks !== null) return tracks
  const look = async (range: Range | null, type?: string): Promise<Probe> =>
    parseBlkid((await world.probe(blkid(world.path(image), range, type))).stdout)

  const disk = await decided(await look(null), (type) => look(null, type))
  const whole = volume(0, 'whole', '', { start: 0, end: bytes }, disk)
  // Of a disk with sectors of 4096 bytes only the protective table is found where it is looked for first.
  const sectorBytes = disk.table === 'PMBR' ? 4096 : undefined
  const told = parsePartx((await world.probe(partx(world.path(image), sectorBytes))).stdout)
  const table = await secondReading(told, new Pages(image, 0, world)).catch(unreadTable)
  const found: FoundVolume[] = []
  const doubt = typeof table === 'string' ? { doubt: table } : {}
  if (disk.type !== null) found.push({ ...whole, verdict: judgeType(whole), ...doubt })
  else if (typeof table === 'string' && told.length > 0)
    found.push({ ...whole, verdict: { outcome: 'unreadable', reason: table } })
  if (disk.type === 'iso9660' || disk.type === 'udf') {
    // A disc for Macintosh as well: the other side may name files that this one does not.
    const mac = await look(null, 'hfs,hfsplus')
    const side = volume(macSide, 'hybrid', '', { start: 0, end: bytes }, mac)
    if (mac.usage === 'filesystem') found.push({ ...side, verdict: null })
    if (told.length === 0) found.push(...(await furtherSessions(image, whole, world)))
  }
  for (const partition of typeof table === 'string' ? told : table) {
    const range = { start: partition.start, end: Math.min(partition.start + partition.bytes, bytes) }
    const probe =
      range.end > range.start
        ? await decided(await look(range), (type) => look(range, type))
        : parseBlkid(Buffer.alloc(0))
    const one = volume(partition.number, partition.scheme, partition.type, range, probe)
    const verdict =
      judgePartition(one, partition, disk.type === null ? null : whole, bytes) ??
      (one.type === null ? await judge(image, one, world) : null)
    found.push({ ...one, bytes: partition.bytes, verdict })
  }
  if (found.length > 0) return found
  for (const start of oddOffsets.filter((offset) => offset < bytes)) {
    const probe = await look({ start, end: bytes })
    const one = volume(0, 'offset', '', { start, end: bytes }, probe)
    if (probe.usage === 'filesystem') return [{ ...one, verdict: judgeType(one), ...doubt }]
  }
  const later = disk.table === null ? await findCdVolumes(image, bytes, world, true) : null
  return later ?? [{ ...whole, verdict: await judge(image, whole, world, disk.table) }]
}

/** What is missing where the table could not be read a second time, because it was not read of the medium. */
function unreadTable(error: unknown): string {
  if (error instanceof UnreadError)
    return `partitions may be missing: of the place of their table, ${error.message}`
  throw error
}

/** blkid says "nothing" also of what it may not open, so we try that ourselves. */
async function canRead(image: Place, world: Pick<Reader, 'read'>): Promise<void> {
  try {
    for await (const chunk of world.read(image, { start: 0, end: 1 })) if (chunk.length > 0) return
  } catch (error) {
    if (error instanceof UnreadError) return
    throw error
  }
  throw new ObserveError(`no byte of ${image} could be read`)
}

/** Where blkid sees several filesystems, the first is taken as that, and the others are kept as candidates. */
async function decided(probe: Probe, ask: (type: string) => Promise<Probe>): Promise<Probe> {
  const [first] = probe.candidates
  return first === undefined ? probe : { ...(await ask(first)), type: first, candidates: probe.candidates }
}

const volume = (
  fs: number,
  scheme: string,
  partitionType: string,
  range: Range,
  { type, label, uuid, candidates }: Probe,
): Omit<FoundVolume, 'verdict'> => ({
  fs,
  scheme,
  partitionType,
  start: range.start,
  bytes: range.end - range.start,
  type,
  label,
  uuid,
  alsoTypes: candidates.filter((one) => one !== type),
})

/** Partition types that hold no files by their nature. */
const containers = new Map([
  ['dos 0x5', 'an extended partition: it only holds others'],
  ['dos 0xf', 'an extended partition: it only holds others'],
  ['dos 0x85', 'an extended partition: it only holds others'],
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
function judgeType({ type }: Pick<Volume, 'type'>): Verdict | null {
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
async function judgeNothing(
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
