// Finds the volumes of an image: whole-disk filesystems, partitions, and what is neither. No root, no mount.
import { ObserveError, RunError } from '../../model/errors.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { findCdVolumes } from '../cd/volumes.ts'
import { Pages } from '../pages.ts'
import { judgeNothing, judgePartition, judgeType, type FoundVolume } from './judging.ts'
import { secondReading } from './partition-table.ts'
import { blkid, parseBlkid, parsePartx, partx, type Probe } from './probe.ts'
import { furtherSessions } from './sessions.ts'
import { cutOff } from './stated.ts'

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

  const partitions = async (sectorBytes?: number) =>
    parsePartx((await world.probe(partx(world.path(image), sectorBytes))).stdout)

  // Side by side: starting a program takes longer than its answer.
  const [first, usual] = await Promise.all([look(null), partitions()])
  const disk = await decided(first, (type) => look(null, type))
  const all: Range = { start: 0, end: bytes }
  const whole = volume(0, 'whole', '', all, disk)
  // Of a disk with sectors of 4096 bytes only the protective table is found where it is looked for first.
  const told = disk.table === 'PMBR' ? await partitions(4096) : usual
  const pages = new Pages(image, 0, world)
  const table = await secondReading(told, pages).catch(unreadTable)
  const found: FoundVolume[] = []
  const short = async (range: Range, type: string | null, also: string | null = null) => {
    const doubts = [also, await cutOff(image, range, type, world)].filter((one) => one !== null)
    return doubts.length === 0 ? {} : { doubt: doubts.join('; ') }
  }
  const unseen = typeof table === 'string' ? table : null
  if (disk.type !== null)
    found.push({ ...whole, verdict: judgeType(whole), ...(await short(all, disk.type, unseen)) })
  else if (typeof table === 'string' && told.length > 0)
    found.push({ ...whole, verdict: { outcome: 'unreadable', reason: table } })
  if (disk.type === 'iso9660' || disk.type === 'udf') {
    // A disc for Macintosh as well: the other side may name files that this one does not.
    const mac = (await mayBeMac(pages)) ? await look(null, 'hfs,hfsplus') : nothing
    const side = volume(macSide, 'hybrid', '', all, mac)
    if (mac.usage === 'filesystem') found.push({ ...side, verdict: null, ...(await short(all, mac.type)) })
    if (told.length === 0) found.push(...(await furtherSessions(image, whole, world)))
  }
  for (const partition of typeof table === 'string' ? told : table) {
    const range = { start: partition.start, end: Math.min(partition.start + partition.bytes, bytes) }
    const probe =
      range.end > range.start ? await decided(await look(range), (type) => look(range, type)) : nothing
    const one = volume(partition.number, partition.scheme, partition.type, range, probe)
    const verdict =
      judgePartition(one, partition, disk.type === null ? null : whole, bytes) ??
      (one.type === null ? await judge(image, one, world) : null)
    found.push({ ...one, bytes: partition.bytes, verdict, ...(await short(range, one.type)) })
  }
  if (found.length > 0) return found
  for (const start of oddOffsets.filter((offset) => offset < bytes)) {
    const probe = await look({ start, end: bytes })
    const one = volume(0, 'offset', '', { start, end: bytes }, probe)
    if (probe.usage === 'filesystem')
      return [{ ...one, verdict: judgeType(one), ...(await short({ start, end: bytes }, one.type, unseen)) }]
  }
  const later = disk.table === null ? await findCdVolumes(image, bytes, world, true) : null
  return later ?? [{ ...whole, verdict: await judge(image, whole, world, disk.table) }]
}

const nothing: Probe = parseBlkid(Buffer.alloc(0))

/** Whether the signature of HFS or HFS+ is there, without which blkid finds neither: most discs need no second program. */
async function mayBeMac(pages: Pages): Promise<boolean> {
  const { bytes } = await pages.readable([{ start: 1024, end: 1026 }])
  return ['BD', 'H+', 'HX'].includes(bytes.toString('latin1'))
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
