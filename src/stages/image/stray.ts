// A map of ddrescue that lies beside an adopted image under another name than ours: its holes must not pass for content.
import { parsedMapfile } from '../../model/mapfile.ts'
import { mapBeside } from '../../model/places.ts'
import type { Place, Reader } from '../../model/world.ts'

/** As in `ddrescue /dev/sr0 disc.iso disc.log`, or `disc.iso.map`. */
const endings = ['map', 'mapfile', 'log', 'logfile']
const longest = 16 * 1024 * 1024

/** null: none that one would look for. */
export async function strayMap(image: Place, world: Reader): Promise<Place | null> {
  const stem = mapBeside(image).replace(/\.map$/, '')
  const places = [image, stem].flatMap((base) => endings.map((ending) => `${base}.${ending}`))
  for (const place of places.filter((one) => one !== mapBeside(image) && one !== image)) {
    const stat = await world.stat(place)
    if (stat?.kind !== 'file' || stat.bytes > longest) continue
    if (parsedMapfile((await world.text(place)) ?? '') !== null) return place
  }
  return null
}
