// Whether the log of xfs was empty when it was last used: its newest record says that the volume was unmounted.
// The log is looked at, never replayed: that would write.
import { RunError } from '../../model/errors.ts'
import { Pages } from '../pages.ts'

const sector = 512
const recordMagic = 0xfeedbabe
/** A record takes up to 256 KiB, with its headers. */
const mostSectors = 520
const unmounted = 0x20

/** `start` counts as the pages do. Throws RunError where that cannot be told. */
export async function isClean(pages: Pages, start: number, bytes: number): Promise<boolean> {
  const sectors = Math.floor(bytes / sector)
  if (sectors < 1) throw new RunError('there is no log')
  const at = (index: number): Promise<Buffer> => pages.bytes(start + index * sector, sector)
  /** How often the log had been filled when this was written; the records' own headers say it behind their magic. */
  const round = async (index: number): Promise<number> => {
    const piece = await at(index)
    const first = piece.readUInt32BE(0)
    return first === recordMagic ? piece.readUInt32BE(4) : first
  }
  const [first, last] = [await round(0), await round(sectors - 1)]
  let [low, high] = [0, sectors]
  // What was written last ends where the round falls back.
  if (first !== last)
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if ((await round(middle)) === first) low = middle
      else high = middle
    }
  for (let back = 1; back <= Math.min(mostSectors, sectors); back += 1) {
    const place = (high - back + sectors) % sectors
    const head = await at(place)
    if (head.readUInt32BE(0) !== recordMagic) continue
    const heads = Math.max(1, Math.ceil(head.readUInt32BE(320) / 32_768))
    const operation = await at((place + heads) % sectors)
    return head.readUInt32BE(40) === 1 && (operation.readUInt8(9) & unmounted) !== 0
  }
  throw new RunError('its log holds no record')
}
