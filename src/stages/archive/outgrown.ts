// Whether an archive was made while less of the medium was read: the map in it, against the one beside the image.
import type { Medium } from '../../model/medium.ts'
import { archivePlace, mapBeside, type FoundImage } from '../../model/places.ts'
import { readRange } from '../../model/range.ts'
import { PackError, readSeekTable } from '../../model/seekable.ts'
import { TarError } from '../../model/tar.ts'
import type { FileStat, Reader } from '../../model/world.ts'
import { look } from './look.ts'

/**
 * Costs a stat, but where the map was written after the archive: then the archive's manifest is read. Archives of the older pipeline,
 * without one, are not judged; nor is one that cannot be read: its proof tells.
 */
export async function isOutgrown(
  medium: Medium,
  archive: FileStat,
  { place }: FoundImage,
  world: Reader,
): Promise<boolean> {
  const map = await world.stat(mapBeside(place))
  if (map === null || BigInt(map.mtimeNs) <= BigInt(archive.mtimeNs)) return false
  const packed = archivePlace(medium)
  try {
    const frames = await readSeekTable(
      (start, end) => readRange(world, packed, { start, end }),
      archive.bytes,
    )
    if (frames === null) return false
    const { manifest } = await look(medium, packed, world, frames)
    const member = manifest.members.find(({ name }) => name === `${medium.hash}.map`)
    return member !== undefined && member.blake3 !== (await world.digest(mapBeside(place))).blake3
  } catch (error) {
    if (error instanceof PackError || error instanceof TarError) return false
    throw error
  }
}
