// Discs that were written in several sessions: each has its own descriptors, and addresses count from the beginning of the disc.
import type { Volume } from '../../model/entry.ts'
import { parseRecords } from '../iso9660/records.ts'
import { UnreadError } from '../../model/unread.ts'
import type { Place, Reader } from '../../model/world.ts'
import { orNothing } from '../faults.ts'
import { Pages } from '../pages.ts'
import type { FoundVolume } from './judging.ts'
import { cutText } from './stated.ts'

const sector = 2048
/** Between two sessions lies less than this, on any kind of disc. */
const mostBetween = 160 << 20

/** What a `partitionType` says of a session after the first. */
export const sessionText = (first: number): string => `session at sector ${first}`

/** The sector where the session of a volume begins. */
export const sessionOf = ({ partitionType }: Pick<Volume, 'partitionType'>): number =>
  Number(/session at sector (\d+)$/.exec(partitionType)?.[1] ?? 0)

export interface Session {
  /** The sector where it begins. */
  readonly first: number
  /** The sector behind its last one, as it says itself. */
  readonly end: number
  readonly label: Buffer
  /** UDF as well. */
  readonly isUdf: boolean
}

/** The session whose descriptors stand 16 sectors behind a sector; null: none does. `pages` count from the beginning of the disc. */
export async function sessionAt(first: number, pages: Pages): Promise<Session | null> {
  const bytes = await pages.bytes((first + 16) * sector, sector).catch(orNothing)
  if (bytes === null || !isPrimary(bytes)) return null
  const blockBytes = bytes.readUInt16LE(128)
  const [root] = parseRecords(bytes.subarray(156, 190))
  // A copy of a disc in a file has its addresses from its own beginning: its root is not where it says, or before it.
  if (root === undefined || root.block * blockBytes < first * sector) return null
  if (!(await isDirectory(root.block, blockBytes, pages))) return null
  const label = bytes.toString('latin1', 40, 72).replace(/[ \0]+$/, '')
  return {
    first,
    end: Math.ceil((bytes.readUInt32LE(80) * blockBytes) / sector),
    label: Buffer.from(label, 'latin1'),
    isUdf: await hasUdf(first, pages),
  }
}

/** Number of the second session of a disc; those after it follow. */
const secondSession = 2002

/** Sessions of a disc after the first, which blkid does not look for: they may name more, or other files. `whole`: the disc. */
export async function furtherSessions(
  image: Place,
  whole: Omit<FoundVolume, 'verdict'>,
  world: Pick<Reader, 'read'>,
): Promise<readonly FoundVolume[]> {
  const pages = new Pages(image, 0, world)
  const first = await sessionAt(0, pages)
  const sessions = first === null ? [] : await sessionsAfter(first.end, whole.bytes, pages)
  return sessions.map((session, index) => {
    const doubt = cutText(session.end * sector, whole.bytes)
    return {
      ...whole,
      fs: secondSession + index,
      scheme: 'session',
      partitionType: sessionText(session.first),
      type: session.isUdf ? 'udf' : 'iso9660',
      label: session.label,
      uuid: '',
      verdict: null,
      ...(doubt === null ? {} : { doubt }),
    }
  })
}

/** The sessions after the one that ends before a sector, up to the end of the image. */
async function sessionsAfter(end: number, bytes: number, pages: Pages): Promise<readonly Session[]> {
  const found: Session[] = []
  const last = Math.floor(bytes / sector)
  let from = end
  for (let at = from; at + 17 <= last && (at - from) * sector < mostBetween; at += 1) {
    const session = await sessionAt(at, pages)
    if (session === null) continue
    found.push(session)
    from = Math.max(session.end, at + 17)
    at = from - 1
  }
  return found
}

const isPrimary = (bytes: Buffer): boolean => bytes[0] === 1 && bytes.toString('latin1', 1, 6) === 'CD001'

/** Whether a directory begins with itself there; where that was never read, its descriptors are believed. */
async function isDirectory(block: number, blockBytes: number, pages: Pages): Promise<boolean> {
  try {
    const self = await pages.bytes(block * blockBytes, 34)
    return self.readUInt32LE(2) === block && self[32] === 1 && self[33] === 0
  } catch (error) {
    if (error instanceof UnreadError) return true
    return orNothing(error) !== null
  }
}

async function hasUdf(first: number, pages: Pages): Promise<boolean> {
  for (let at = first + 16; at < first + 32; at += 1) {
    const bytes = await pages.bytes(at * sector, 7).catch(orNothing)
    if (bytes !== null && /^.NSR0[23]/s.test(bytes.toString('latin1'))) return true
  }
  return false
}
