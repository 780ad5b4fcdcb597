// What is being read from which device into which image, and the maps that tell how far it is.
import { each } from '../../model/each.ts'
import { parsedMapfile, type Mapfile } from '../../model/mapfile.ts'
import type { Medium } from '../../model/medium.ts'
import type { SourceLook } from '../../model/source.ts'
import type { Place, Reader, Writer } from '../../model/world.ts'
import type { Drive } from './device.ts'

export interface Work extends Drive {
  readonly medium: Medium
  /** The ends of the medium, as they were when it was recognised. */
  readonly look: SourceLook
  /** What is trusted of the image; ddrescue works on `live`, which may be cut by a crash or spoilt by a device that went. */
  readonly map: Place
  readonly live: Place
  readonly bytes: number
}

/** null: there is none, or it was cut by a crash. */
export async function readMap(place: Place, world: Reader): Promise<Mapfile | null> {
  const text = await world.text(place)
  return text === null ? null : parsedMapfile(text)
}

export async function writeText(place: Place, text: string, world: Writer): Promise<void> {
  await world.create(place, each([Buffer.from(text)]))
}
