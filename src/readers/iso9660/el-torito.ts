// Boot images of an ISO 9660 disc: what a PC starts from, which need not be a file of any tree.
import type { Range } from '../../model/world.ts'
import { orNothing } from '../faults.ts'
import type { Pages } from '../pages.ts'

const sector = 2048
const mostEntries = 64

/** Sizes of the floppies that a boot image may stand for, by their number. */
const floppies: Readonly<Record<number, number>> = { 1: 1_228_800, 2: 1_474_560, 3: 2_949_120 }

/** Where the boot images of a session lie, from the beginning of the volume; none where there is no catalogue, or it cannot be read. */
export async function bootImages(pages: Pages, session: number): Promise<readonly Range[]> {
  const record = await pages.bytes((session + 17) * sector, 75).catch(orNothing)
  const mark = record?.toString('latin1', 0, 30)
  if (record === null || mark !== '\0CD001\u0001EL TORITO SPECIFICATION') return []
  const catalogue = await pages.bytes(record.readUInt32LE(71) * sector, sector).catch(orNothing)
  if (catalogue === null || catalogue[0] !== 1 || catalogue.readUInt16LE(30) !== 0xaa55) return []
  const found: Range[] = []
  for (let at = 32; at + 32 <= catalogue.length && found.length < mostEntries; at += 32) {
    const kind = catalogue[at] ?? 0
    if (kind !== 0x88 && kind !== 0) continue
    const start = catalogue.readUInt32LE(at + 8) * sector
    // Without emulation it is only told how much of it is loaded.
    const bytes = floppies[(catalogue[at + 1] ?? 0) & 15] ?? catalogue.readUInt16LE(at + 6) * 512
    if (start > 0 && bytes > 0) found.push({ start, end: start + bytes })
  }
  return found
}
