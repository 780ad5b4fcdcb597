// Where the contents of a medium are read: its image, by the reader that enumerated each volume, or its directory.
import { fingerprint } from '../../model/canonical.ts'
import type { Entry, Volume, VolumeReport } from '../../model/entry.ts'
import { ObserveError, RunError } from '../../model/errors.ts'
import { intersect } from '../../model/mapfile.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage } from '../../model/places.ts'
import { rangesText, unreadOf } from '../../model/unread.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { readerNamed } from '../../readers/index.ts'
import type { FsReader } from '../../readers/reader.ts'

export interface Source {
  readonly place: Place
  /** What of the image was not read; empty for directories and healthy images. */
  readonly unread: readonly Range[]
}

/** Throws where nothing is there to be read from. */
export async function needSource(medium: Medium, world: Reader): Promise<Source> {
  if (medium.source.type === 'directory') {
    const { path } = medium.source
    const stat = await world.stat(path)
    if (stat?.kind === 'directory') return { place: path, unread: [] }
    throw new ObserveError(`${path} is ${stat === null ? 'not there' : 'not a directory'}`, {
      hint: 'Mount what it lies on, or mend its path in media.d.',
    })
  }
  const image = await findImage(medium, world)
  if (image === null) throw new RunError('there is no image to copy from')
  return { place: image.place, unread: await unreadOf(image, world) }
}

/** What of the image was not read; null: there is no image to tell it of. */
export async function lookAtDamage(medium: Medium, world: Reader): Promise<readonly Range[] | null> {
  if (medium.source.type === 'directory') return null
  const image = await findImage(medium, world)
  return image === null ? null : unreadOf(image, world)
}

/** Of what a copy was made, as far as damage goes. */
export const damagePrint = (unread: readonly Range[]): string => fingerprint(unread).slice(0, 16)

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

/** Which bytes of a file were not read, as text; null: none. */
export function damageOf({ extents }: Pick<Entry, 'extents'>, unread: readonly Range[]): string | null {
  if (unread.length === 0) return null
  if (extents === null) return 'not known which of its bytes were not read'
  const hit = intersect(extents, unread)
  if (hit.length === 0) return null
  return `${rangesText(hit)} of the image were never read`
}
