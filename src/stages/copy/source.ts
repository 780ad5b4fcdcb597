// Where the contents of a medium are read: its image, by the reader that enumerated each volume, or its directory.
import { fingerprint } from '../../model/canonical.ts'
import type { Volume, VolumeReport } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, findImage } from '../../model/places.ts'
import { unreadOf } from '../../model/unread.ts'
import { bytesIn, intersect, subtract } from '../../model/ranges.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { readerNamed } from '../../readers/index.ts'
import type { FsReader } from '../../readers/reader.ts'

export interface Source {
  readonly place: Place
  /** What of the image was not read; empty for directories and healthy images. */
  readonly unread: readonly Range[]
  /** It is the archive of a directory that is away: its tree has the contents. */
  readonly isPacked?: true
}

/** null: looked, and nothing is there to be read from. */
export async function findSource(medium: Medium, world: Reader): Promise<Source | null> {
  if (medium.source.type === 'directory') {
    const { path } = medium.source
    const stat = await world.stat(path)
    if (stat === null) return null
    if (stat.kind === 'directory') return { place: path, unread: [] }
    throw new ObserveError(`${path} is not a directory`, { hint: directoryHint })
  }
  const image = await findImage(medium, world)
  return image === null ? null : { place: image.place, unread: await unreadOf(image, world) }
}

/** Throws where nothing is there to be read from. */
export async function needSource(medium: Medium, world: Reader): Promise<Source> {
  const source = await findSource(medium, world)
  if (source !== null) return source
  const archive = archivePlace(medium)
  if (medium.source.type === 'directory' && (await world.stat(archive)) !== null)
    return { place: archive, unread: [], isPacked: true }
  if (medium.source.type === 'directory')
    throw new ObserveError(`${medium.source.path} is not there`, { hint: directoryHint })
  throw new RunError('there is no image to copy from')
}

const directoryHint = 'Mount what it lies on, or mend its path in media.d.'

/** What of the image was not read; null: there is no image to tell it of. */
export async function lookAtDamage(medium: Medium, world: Reader): Promise<readonly Range[] | null> {
  if (medium.source.type === 'directory') return null
  const image = await findImage(medium, world)
  return image === null ? null : unreadOf(image, world)
}

/**
 * Fingerprint of the volumes and of who read them; empty where one was read by hearsay: programs and drivers may give a file
 * another number when more can be read.
 */
export function readersPrint(volumes: readonly VolumeReport[]): string {
  if (volumes.some(({ reader }) => readerNamed(reader)?.isHearsay === true)) return ''
  const read = volumes.filter(({ reader }) => reader !== '')
  return fingerprint(read.map(({ fs, start, type, reader }) => ({ fs, start, type, reader }))).slice(0, 16)
}

/** The volume of a number, and who read it. */
export function volumeReader(
  fs: number,
  volumes: readonly VolumeReport[],
): { readonly volume: Volume; readonly reader: FsReader } {
  const volume = volumes.find((one) => one.fs === fs)
  if (volume === undefined)
    throw new RunError(`the enumeration has records of volume ${fs} and no report of it`)
  const reader = readerNamed(volume.reader)
  if (reader === null)
    throw new RunError(`volume ${fs} was enumerated by ${volume.reader}, which this ntt does not know`)
  return { volume, reader }
}

/**
 * What can be read of a file of so many bytes, with holes for what was not read of the medium, and at the end for what has no
 * place; null where that is nothing.
 */
export function readableOf(
  all: readonly Range[],
  size: number,
  unread: readonly Range[],
): readonly Range[] | null {
  const ranges = all.flatMap((range): readonly Range[] => {
    if (range.start === -1) return [range]
    const hit = intersect([range], unread)
    return [...hit.map(hole), ...subtract(range, hit).map(asIs)]
      .toSorted((one, other) => one.at - other.at)
      .map(({ range: part }) => part)
  })
  const placeless = size - bytesIn(ranges)
  if (ranges.every(({ start }) => start === -1)) return null
  return placeless > 0 ? [...ranges, { start: -1, end: placeless }] : ranges
}

interface Part {
  readonly at: number
  readonly range: Range
}
const hole = ({ start, end }: Range): Part => ({ at: start, range: { start: -1, end: end - start } })
const asIs = (range: Range): Part => ({ at: range.start, range })
