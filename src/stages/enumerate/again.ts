// Whether a volume that was left open would be looked at otherwise now: the image, the programs or ntt itself may have changed.
import { volumeName, type VolumeReport } from '../../model/entry.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage } from '../../model/places.ts'
import type { RawTail } from '../../model/raw/index.ts'
import { unreadOf, unreadPrint } from '../../model/unread.ts'
import type { Reader } from '../../model/world.ts'
import { readersFor } from '../../readers/index.ts'
import type { FoundVolume, Verdict } from '../../readers/volumes/judging.ts'
import { findSource } from './source.ts'

/**
 * What is different now, as a clause; null: nothing is, and reading again would end the same way, or there is nothing to read.
 * Costs a few questions to programs, and no reading through: asked at every plan, but only of media that left something open.
 */
export async function different(
  { volumes, unread }: RawTail,
  open: readonly VolumeReport[],
  /** When they were read. */
  readNs: string,
  medium: Medium,
  world: Reader,
): Promise<string | null> {
  if (await isReadFurther(unread, medium, world)) return 'the image has been read further since'
  if (open.length === 0) return null
  const source = await findSource(medium, world, undecided)
  if (source === null) return null
  const image = await world.stat(source.place)
  if (image?.kind === 'file' && BigInt(image.mtimeNs) > BigInt(readNs))
    return 'the image was written to since'
  for (const found of source.volumes) {
    const recorded = volumes.find(({ fs }) => fs === found.fs)
    if (recorded === undefined || !isSame(recorded, found)) {
      return `${volumeName(found.fs)} now shows itself as ${found.type ?? 'nothing known'}`
    }
  }
  for (const report of open) {
    const found = source.volumes.find(({ fs }) => fs === report.fs)
    if (found === undefined) return `${volumeName(report.fs)} is no longer found`
    const reader = found.verdict === null ? await newReader(report, found, world) : null
    if (reader !== null) return reader
  }
  return null
}

/** Whether other bytes are unread now than when it was made; where nobody said, no. */
async function isReadFurther(unread: string | null, medium: Medium, world: Reader): Promise<boolean> {
  if (unread === null || medium.source.type === 'directory') return false
  const image = await findImage(medium, world)
  return image !== null && unreadPrint(await unreadOf(image, world)) !== unread
}

/** Whether it is blank is not asked here: that would read it all. */
const undecided = async (): Promise<Verdict> => ({ outcome: 'unreadable', reason: '' })

const isSame = (
  { start, bytes, type }: VolumeReport,
  found: Pick<FoundVolume, 'start' | 'bytes' | 'type' | 'alsoTypes'>,
): boolean =>
  start === found.start &&
  bytes === found.bytes &&
  (type === found.type || (type !== null && found.alsoTypes.includes(type)))

/**
 * The first reader that would be asked before the one that is recorded, or instead of it. One of ours fails of the same bytes
 * in the same way; a program may have failed for reasons of its own, and is asked again whenever a person applies.
 */
async function newReader(
  { reader: recorded, failed = [] }: VolumeReport,
  { alsoTypes, verdict: _verdict, ...volume }: FoundVolume,
  world: Reader,
): Promise<string | null> {
  for (const type of [volume.type, ...alsoTypes]) {
    for (const reader of readersFor({ ...volume, type })) {
      const version = await reader.version(world, { ...volume, type })
      if (version === null) continue
      const named = `${reader.name} ${version}`
      if (named === recorded) return null
      if (!failed.includes(named)) return `${named} can be asked now`
      if (reader.isHearsay === true) return `${named} can be asked again`
    }
  }
  return null
}
