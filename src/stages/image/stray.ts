// A map of ddrescue that lies beside an adopted image under another name than ours: its holes must not pass for content.
import { parsedMapfile, type Mapfile } from '../../model/mapfile.ts'
import { mapBeside } from '../../model/places.ts'
import type { Place, Reader } from '../../model/world.ts'

/** As in `ddrescue /dev/sr0 disc.iso disc.log`, or `disc.iso.map`. */
const endings = ['map', 'mapfile', 'log', 'logfile']
/** As the manual of ddrescue has it; one for whatever lies beside it. */
const common = ['mapfile', 'logfile']
const longest = 16 * 1024 * 1024

/** `bytes`: of the image. null: none that one would look for. */
export async function strayMap(image: Place, bytes: number, world: Reader): Promise<Place | null> {
  const stem = mapBeside(image).replace(/\.map$/, '')
  const places = [image, stem].flatMap((base) => endings.map((ending) => `${base}.${ending}`))
  for (const place of places.filter((one) => one !== mapBeside(image) && one !== image))
    if ((await mapAt(place, world)) !== null) return place
  const folder = image.slice(0, image.lastIndexOf('/') + 1)
  for (const place of common.map((name) => `${folder}${name}`)) {
    const map = await mapAt(place, world)
    // Whose it is only its size tells; and one without a hole hides none.
    if (map !== null && map.end === bytes && map.rescued < map.total) return place
  }
  return null
}

async function mapAt(place: Place, world: Reader): Promise<Mapfile | null> {
  const stat = await world.stat(place)
  return stat?.kind === 'file' && stat.bytes <= longest
    ? parsedMapfile((await world.text(place)) ?? '')
    : null
}
