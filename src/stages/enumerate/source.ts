// Where the entries of a medium are to be read: the volumes of its image, or its directory; and the walk over them.
import type { VolumeReport } from '../../model/entry.ts'
import { ObserveError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, findImage } from '../../model/places.ts'
import type { RawRecord, RawTail } from '../../model/raw/index.ts'
import { unreadOf, withReadErrors } from '../../model/unread.ts'
import { rootNames, type Place, type Range, type Reader } from '../../model/world.ts'
import { findVolumes } from '../../readers/volumes/index.ts'
import type { FoundVolume } from '../../readers/volumes/judging.ts'
import { ReaderFailed, gather, type Task } from './gather.ts'

export interface Source {
  readonly place: Place
  /** Infinite for a directory. */
  readonly bytes: number
  /** What of the image was never read of the medium. */
  readonly unread: readonly Range[]
  readonly volumes: readonly FoundVolume[]
}

/** null: looked, and neither image nor directory is there. */
export async function findSource(
  medium: Medium,
  world: Reader,
  judge?: Parameters<typeof findVolumes>[3],
): Promise<Source | null> {
  if (medium.source.type === 'directory') {
    const stat = await world.stat(medium.source.path)
    if (stat === null) return null
    if (stat.kind !== 'directory') throw new ObserveError(`${medium.source.path} is not a directory`)
    needApart(medium.source.path, world)
    return { place: medium.source.path, bytes: Number.POSITIVE_INFINITY, unread: [], volumes: [tree] }
  }
  const image = await findImage(medium, world)
  if (image === null) return null
  const { place, stat } = image
  const unread = await unreadOf(image, world)
  const volumes = await findVolumes(place, stat.bytes, withReadErrors(world, place, unread), judge)
  return { place, bytes: stat.bytes, unread, volumes }
}

/** An enumeration of another folder than the one that the medium's file names: moved, or another project's of the same name. */
export const isOfAnother = ({ source: from }: Pick<RawTail, 'source'>, { source }: Medium): boolean =>
  source.type === 'directory' && from?.startsWith('/') === true && from !== source.path

/** A directory in which we write while we read it is never as it was enumerated. */
function needApart(directory: string, world: Reader): void {
  const inside = rootNames.find((root) => `${world.path(`${root}:`)}/`.startsWith(`${directory}/`))
  if (inside === undefined) return
  throw new ObserveError(`${directory} holds what ntt itself writes: ${world.path(`${inside}:`)}`, {
    hint: 'Declare a folder beside it, or give the roots another place: ntt doctor shows them.',
  })
}

const tree: FoundVolume = {
  fs: 0,
  scheme: 'whole',
  partitionType: '',
  start: 0,
  bytes: 0,
  type: 'directory',
  label: Buffer.alloc(0),
  uuid: '',
  alsoTypes: [],
  verdict: null,
}

/** Whether there is something to read entries from, or an archive that may hold it; a cheap look. */
export async function hasSource(medium: Medium, world: Reader): Promise<boolean> {
  if (medium.source.type === 'directory') return (await world.stat(medium.source.path)) !== null
  return (await findImage(medium, world)) !== null || (await world.stat(archivePlace(medium))) !== null
}

/** As findSource, but it must be there. */
export async function needSource(medium: Medium, world: Reader): Promise<Source> {
  const source = await findSource(medium, world)
  if (source !== null) return source
  const what = medium.source.type === 'directory' ? medium.source.path : `an image of ${medium.name}`
  throw new ObserveError(`${what} is not there to be read`)
}

/**
 * Throws ObserveError where the directory of a medium is empty and its enumeration (of so many records) tells of entries: that is
 * how a place looks from which something was unmounted, and nobody has looked at the medium.
 */
export async function needInhabited({ source }: Medium, records: number, world: Reader): Promise<void> {
  // One record is the root.
  if (source.type !== 'directory' || records <= 1) return
  let met = 0
  for await (const found of world.walk(source.path)) {
    met += found.length
    if (met > 1) return
  }
  throw new ObserveError(`${source.path} is empty, and its enumeration tells of ${records - 1} entries`, {
    hint: 'Mount what belongs there. If it was emptied on purpose, what was recorded of it stays true: declare what is put there now as another medium.',
  })
}

/**
 * Hands all records to `take`, and gives back how each volume ended. When a reader fails, what `take` made is void, and it
 * is called again with what the next reader says.
 */
export async function walkSource<Made>(
  { place, unread }: Source,
  tasks: readonly Task[],
  world: Reader,
  take: (records: AsyncIterable<readonly RawRecord[]>, reports: readonly VolumeReport[]) => Promise<Made>,
): Promise<Made> {
  for (;;) {
    const reports: VolumeReport[] = []
    try {
      return await take(gather({ place, unread }, tasks, reports, world), reports)
    } catch (error) {
      // A tree is there or not; nobody else could read it better.
      if (!(error instanceof ReaderFailed) || tasks.every(({ volume }) => volume.type === 'directory'))
        throw error
    }
  }
}
