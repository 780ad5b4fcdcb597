// A run of copy: what is mended first, which outcomes of before may stand, and then the copying itself.
import type { Medium } from '../../model/medium.ts'
import { RunError } from '../../model/errors.ts'
import { rawPlace } from '../../model/places.ts'
import type { RawTail } from '../../model/raw/index.ts'
import { provenImage } from '../../model/proven-image.ts'
import { tailOf } from '../../model/tail.ts'
import { unreadPrint } from '../../model/unread.ts'
import type { Reader, Writer } from '../../model/world.ts'
import { Copying } from './copying.ts'
import { wantedAgain } from './due.ts'
import { exclusionsPrint } from '../../model/exclusions.ts'
import type { Origin } from './origin.ts'
import { startAnew, takeBack, writeOrigin } from './outcomes.ts'
import { repair } from './repair.ts'
import { needSoundImage } from './sound.ts'
import { findSource, needSource, readersPrint } from './source.ts'

export interface HowToCopy {
  /** Digest of the enumeration that the rows are made from. */
  readonly rows: string
  /** What the outcomes that are there were decided by; null: none are there. */
  readonly before: Origin | null
  /** What is there failed its proof, or a person asked for it anew. */
  readonly replace: boolean
}

export async function copyFiles(
  medium: Medium,
  { rows, before: there, replace }: HowToCopy,
  world: Writer,
): Promise<void> {
  const tail = await needTail(medium, world)
  const id = await world.enrol()
  if (there?.rows === rows && replace) {
    // What is only damaged in the store may be mended without the medium's own source.
    const hasSource = (await findSource(medium, world)) !== null
    await repair(medium, id, hasSource, world)
    if (!hasSource) return
  }
  await needSoundImage(medium, world)
  const source = await needSource(medium, world)
  const origin: Origin = {
    rows,
    exclude: exclusionsPrint(medium.exclude),
    damage: unreadPrint(source.unread),
    readers: readersPrint(tail.volumes),
    image: (await provenImage(medium, world))?.replaced ?? '',
    tally: null,
  }
  const before = there !== null && mayStay(there, origin) ? there : null
  if (before === null) await startAnew(medium, id, origin, world)
  else {
    await world.transaction(async (tx) => {
      if (before.damage !== origin.damage) await takeBack(id, before.rows !== rows, tx)
      await writeOrigin(id, origin, tx)
    })
    if (replace && before.rows !== rows) await repair(medium, id, true, world)
  }
  const copying = new Copying(medium, id, tail, source, world)
  const wanted = before === null ? () => true : wantedAgain(source.unread, tail, replace)
  await copying.copy(wanted, before === null)
  await copying.leaveOut(before)
  await copying.end(origin)
}

/**
 * Whether outcomes of before can stand: they are of this image, and the rows are the same, or the same readers found more of the same
 * volumes because more of the image was read. Then a file that has its number, its size and all its bytes is the file that it was.
 */
const mayStay = (before: Origin, now: Origin): boolean =>
  before.image === now.image &&
  (before.rows === now.rows ||
    (before.readers !== '' && before.readers === now.readers && before.damage !== now.damage))

async function needTail(medium: Medium, world: Reader): Promise<RawTail> {
  const tail = await tailOf(medium, world)
  if (tail === null) throw new RunError(`${world.path(rawPlace(medium))} is no enumeration, or is not there`)
  return tail
}
