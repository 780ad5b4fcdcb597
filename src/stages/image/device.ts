// The device while it is read: is it still there, and is it still the same medium?
import type { Mapfile } from '../../model/mapfile.ts'
import { readRange } from '../../model/range.ts'
import type { Place, Reader } from '../../model/world.ts'
import { canaries, readSector } from './ddrescue.ts'

/** `away`: what could be read before cannot be read now. `other`: it reads as something else. */
export type Pulse = 'there' | 'away' | 'other'

export interface Drive {
  readonly source: Place
  readonly image: Place
  readonly sectorBytes: number
  readonly isDirect: boolean
  /** Sectors as they were when the medium was recognised, for as long as nothing else is trusted; may be empty. */
  readonly recognised: readonly { readonly sector: number; readonly bytes: Buffer }[]
}

/** Reads again, from the device itself, what is known to be of the medium. `trusted`: the map of what is known. */
export async function pulse(drive: Drive, trusted: Mapfile, world: Reader): Promise<Pulse> {
  const { source, image, sectorBytes } = drive
  if ((await world.stat(source)) === null) return 'away'
  const sectors = canaries(trusted, sectorBytes)
  const known = sectors.map(async (sector) => {
    const start = sector * sectorBytes
    return { sector, bytes: await readRange(world, image, { start, end: start + sectorBytes }) }
  })
  let answers = 0
  for (const { sector, bytes } of sectors.length > 0 ? await Promise.all(known) : drive.recognised) {
    const command = readSector(world.path(source), sector, sectorBytes, drive.isDirect)
    const { status, stdout } = await world.probe(command)
    // A sector may have died since; all of them at once have not.
    if (status !== 0 || stdout.length !== sectorBytes) continue
    if (!stdout.equals(bytes)) return 'other'
    answers += 1
  }
  return answers > 0 ? 'there' : 'away'
}

/** Whether the device can be read past the page cache, which would answer for a device that is gone. */
export async function canReadDirectly(source: Place, sectorBytes: number, world: Reader): Promise<boolean> {
  const { status, stderr } = await world.probe(readSector(world.path(source), 0, sectorBytes, true))
  return status === 0 || !/Invalid argument|not supported/i.test(stderr)
}
