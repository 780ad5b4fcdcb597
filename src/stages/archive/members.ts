// What goes into an archive: the files that a medium has become, each with its size and its way to be read.
import { RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { findImage, mapBeside, passesPlace, rawPlace } from '../../model/places.ts'
import type { FileStat, Place, Reader } from '../../model/world.ts'

export interface Part {
  /** Its name in the archive. */
  readonly name: string
  readonly place: Place
  readonly stat: FileStat
}

/** The parts of a medium's archive, in their order. Image and raw must be there; map and passes may. */
export async function partsOf(medium: Medium, world: Reader): Promise<readonly Part[]> {
  const parts: Part[] = []
  const add = async (place: Place, ending: string, isNeeded: boolean): Promise<void> => {
    const stat = await world.stat(place)
    if (stat !== null) parts.push({ name: `${medium.hash}.${ending}`, place, stat })
    else if (isNeeded) throw new RunError(`${world.path(place)} is not there, and an archive needs it`)
  }
  if (medium.source.type !== 'directory') {
    const image = await findImage(medium, world)
    if (image === null) throw new RunError('there is no image to archive')
    await add(image.place, 'img', true)
    await add(mapBeside(image.place), 'map', false)
    await add(passesPlace(medium), 'passes.jsonl', false)
  }
  await add(rawPlace(medium), 'raw', true)
  return parts
}

/** Where one of the parts lies now, by its name in the archive; null: nowhere. */
export async function placeOfPart(medium: Medium, name: string, world: Reader): Promise<Place | null> {
  if (name === `${medium.hash}.raw`)
    return (await world.stat(rawPlace(medium))) === null ? null : rawPlace(medium)
  if (name !== `${medium.hash}.img`) return null
  return (await findImage(medium, world))?.place ?? null
}
