// The witness of what ddrescue wrote: the ends of the medium as they were when it was recognised, and sectors from all over it.
import type { Mapfile } from '../../model/mapfile.ts'
import { comparedWithImage } from '../../model/match.ts'
import type { Medium } from '../../model/medium.ts'
import { readRange } from '../../model/range.ts'
import type { SourceLook } from '../../model/source.ts'
import type { Reader } from '../../model/world.ts'
import { readSector, spread } from './ddrescue.ts'
import type { Drive } from './device.ts'

/** Read once more from the device: few, for a medium that may be dying. */
const sectorsRead = 24

/** Where the image is not what the device gives, as a clause; null: nowhere that was compared. */
export async function difference(
  medium: Medium,
  look: SourceLook,
  { source, image, sectorBytes, isDirect }: Drive,
  map: Mapfile,
  world: Reader,
): Promise<string | null> {
  const size = (await world.stat(image))?.bytes ?? 0
  if (size !== look.bytes) return `it has ${size} bytes, the medium ${look.bytes}`
  if ((await comparedWithImage(medium, look, world)) === 'other')
    return 'its first or last MiB is not what was read when the medium was recognised'
  for (const sector of spread(map, sectorBytes, sectorsRead)) {
    const start = sector * sectorBytes
    const command = readSector(world.path(source), sector, sectorBytes, isDirect)
    const { status, stdout } = await world.probe(command)
    // It may have died since it was read; that is no contradiction.
    if (status !== 0 || stdout.length !== sectorBytes) continue
    const written = await readRange(world, image, { start, end: start + sectorBytes })
    if (!stdout.equals(written)) return `the device gives other bytes at ${start}`
  }
  return null
}
