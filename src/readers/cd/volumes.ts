// The volumes of a raw CD image: one for each stretch of frames, whether it holds files or sound.
import type { Place, Reader } from '../../model/world.ts'
import { cdScheme } from './index.ts'
import { findFraming, sectorBytes, type Framing, type Stretch } from './frames.ts'
import { inSectors } from './sectors.ts'
import { parseCue, type Track } from './cue.ts'
import { orNothing } from '../faults.ts'
import { Pages } from '../pages.ts'
import { sessionAt, sessionText, type Session } from '../volumes/sessions.ts'
import type { FoundVolume } from '../volumes/judging.ts'
import { cutText } from '../volumes/stated.ts'

/** Sectors before the first one of a session that a track may begin with. */
const mostPregap = 300

/**
 * One volume for each stretch, numbered from 1; null: it is no raw image of a CD. `anywhere`: also where it does not begin with
 * data.
 */
export async function findCdVolumes(
  image: Place,
  bytes: number,
  world: Pick<Reader, 'read' | 'text'>,
  anywhere: boolean,
): Promise<readonly FoundVolume[] | null> {
  const framing = await findFraming(image, bytes, world, anywhere)
  if (framing === null) return null
  const tracks = await cueOf(image, world)
  const pages = new Pages(image, 0, inSectors(world, image, framing))
  const found: FoundVolume[] = []
  for (const [index, stretch] of framing.stretches.entries()) {
    const mode = `${stretch.kind}/${framing.frameBytes}`
    const base = {
      fs: index + 1,
      scheme: cdScheme,
      partitionType: mode,
      start: stretch.start,
      bytes: stretch.frames * framing.frameBytes,
      uuid: '',
      alsoTypes: [],
    }
    if (stretch.kind === 'audio') {
      const verdict = { outcome: 'waived', reason: soundText(stretch, framing, tracks) } as const
      found.push({ ...base, type: null, label: Buffer.alloc(0), verdict })
      continue
    }
    const seen = await look(stretch, pages)
    const partitionType =
      seen.session === null || seen.session.first === 0 ? mode : `${mode}, ${sessionText(seen.session.first)}`
    const { sector, frames } = stretch
    const doubt =
      seen.session === null ? null : cutText(seen.session.end * sectorBytes, (sector + frames) * sectorBytes)
    const reason = `${stretch.frames} sectors of data (${mode}) without a filesystem that ntt knows on raw CDs`
    found.push({
      ...base,
      partitionType,
      type: seen.type,
      label: seen.session?.label ?? Buffer.alloc(0),
      verdict: seen.type === null ? { outcome: 'unreadable', reason } : null,
      ...(doubt === null ? {} : { doubt }),
    })
  }
  return found
}

interface Seen {
  readonly type: string | null
  readonly session: Session | null
}

/** What the sectors of a stretch hold. */
async function look({ sector, frames }: Stretch, pages: Pages): Promise<Seen> {
  const first = Math.max(0, sector)
  for (let at = first; at < Math.min(first + mostPregap, sector + frames - 16); at += 1) {
    const session = await sessionAt(at, pages)
    if (session !== null) return { type: session.isUdf ? 'udf' : 'iso9660', session }
    // The first session begins where the disc does.
    if (at === 0) break
  }
  const head = await pages.bytes(first * sectorBytes + 1024, 2).catch(orNothing)
  const type = { BD: 'hfs', 'H+': 'hfsplus', HX: 'hfsplus' }[head?.toString('latin1') ?? ''] ?? null
  return { type, session: null }
}

function soundText({ frames }: Stretch, { stretches }: Framing, tracks: readonly Track[]): string {
  const seconds = Math.floor(frames / 75)
  const length = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  const audio = tracks.filter(({ mode }) => mode === 'AUDIO')
  const only = stretches.filter(({ kind }) => kind === 'audio').length === 1
  const told = audio.map(({ number, title }) => (title === null ? `${number}` : `${number} ${title}`))
  const about = only && told.length > 0 ? `; by its cue sheet tracks ${told.join(', ')}` : ''
  return `sound, ${length} minutes of it, and no files${about}`
}

/** The tracks of the cue sheet beside an image; none where there is no sheet. */
async function cueOf(image: Place, world: Pick<Reader, 'text'>): Promise<readonly Track[]> {
  const stem = image.replace(/\.[^./:]*$/, '')
  const name = image.split(/[/:]/).at(-1) ?? image
  for (const place of [`${stem}.cue`, `${stem}.CUE`, `${image}.cue`]) {
    const text = await world.text(place)
    if (text !== null) return parseCue(text, name)
  }
  return []
}
