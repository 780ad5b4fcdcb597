// Where the products of a medium lie; the one place that knows their names.
import type { Medium, StageName } from './medium.ts'
import type { FileStat, Place, Reader, RootName } from './world.ts'

type Named = Pick<Medium, 'hash'>

/** An image that ntt made or restored. An image of the person's own stays where it is: `findImage`. */
export const imagePlace = ({ hash }: Named): Place => `image:${hash}.img`
/** An image that is being made; it gets its name when the ladder of passes has ended. What of it is true, its map says. */
export const unfinishedPlace = ({ hash }: Named): Place => `image:${hash}.unfinished.img`
/** An image that is read anew while another one is there; it takes that one's name when it has all that is asked for. */
export const againPlace = ({ hash }: Named): Place => `image:${hash}.again.img`
export const rawPlace = ({ hash }: Named): Place => `raw:${hash}.raw`
export const archivePlace = ({ hash }: Named): Place => `archive:${hash}.tar.zst`

export const blobPlace = (id: string): Place => `by-hash:${id.slice(0, 2)}/${id.slice(2, 4)}/${id}`
/** Says which one a root is, wherever it is mounted. */
export const rootMarker = (root: RootName): Place => `${root}:.ntt-store`

/** The ddrescue map that belongs to an image: the same name, ending in `.map`. */
export const mapBeside = (image: Place): Place => `${image.replace(/\.[^./:]*$/, '')}.map`

/** One line for each pass of the imaging ladder that has ended: which, from which drive, what was read before and after. */
export const passesPlace = ({ hash }: Named): Place => `image:${hash}.passes.jsonl`
export const againPassesPlace = ({ hash }: Named): Place => `image:${hash}.again.passes.jsonl`

export interface FoundImage {
  readonly place: Place
  readonly stat: FileStat
}

/** The file that a stage has made, or that holds what it made; null: it makes none. */
export async function productPlace(
  stage: StageName,
  medium: Pick<Medium, 'hash' | 'source'>,
  world: Pick<Reader, 'stat'>,
): Promise<Place | null> {
  // An image that is not there lives in its archive.
  if (stage === 'image') return (await findImage(medium, world))?.place ?? archivePlace(medium)
  if (stage === 'enumerate') return rawPlace(medium)
  return stage === 'archive' ? archivePlace(medium) : null
}

/**
 * Where the bytes of a medium are to be read: the image that its file declares, else the one that ntt made or restored.
 * null: looked, and there is none. Directories have no image.
 */
export async function findImage(
  medium: Pick<Medium, 'hash' | 'source'>,
  world: Pick<Reader, 'stat'>,
): Promise<FoundImage | null> {
  const own = imagePlace(medium)
  const places = medium.source.type === 'image' ? [medium.source.path, own] : [own]
  for (const place of places) {
    const stat = await world.stat(place)
    if (stat !== null && stat.kind !== 'directory') return { place, stat }
  }
  return null
}
