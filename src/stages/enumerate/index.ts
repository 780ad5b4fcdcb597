// enumerate: every entry of every filesystem of the medium, as records in one file.
import { counted } from '../../model/counted.ts'
import { volumeName, type VolumeReport } from '../../model/entry.ts'
import { NttError, RunError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { archivePlace, rawPlace } from '../../model/places.ts'
import { readRange } from '../../model/range.ts'
import { decodeRaw, encodeRaw, readTail, type RawTail } from '../../model/raw/index.ts'
import type { Decision, Stage } from '../../model/stage.ts'
import { hasLostMap, leftOpen, mayGrow, unreadPrint } from '../../model/unread.ts'
import { provenImage } from '../../model/proven-image.ts'
import { restoreRaw } from '../../model/unarchive.ts'
import type { Place, Range, Reader, Writer } from '../../model/world.ts'
import { readerNamed } from '../../readers/index.ts'
import { different } from './again.ts'
import { changesOf } from './changes.ts'
import { tasksFor } from './gather.ts'
import { compareLegacy } from './legacy.ts'
import { isSettled, outcomeText, wayOut } from './outcome.ts'
import { hasSource, isOfAnother, needInhabited, needSource, walkSource } from './source.ts'
import { verifyRaw } from './verify.ts'

/** The raw file, as its stat and its last bytes tell; null: not there. */
export interface Seen {
  readonly raw: {
    readonly bytes: number
    readonly mtimeNs: string
    readonly ino: string
    /** null: it is no enumeration of any format. */
    readonly format: RawTail['format'] | null
    readonly complete: boolean
    readonly digest: string
    readonly records: number
    readonly files: number
    readonly volumes: readonly Pick<
      VolumeReport,
      'fs' | 'type' | 'outcome' | 'reason' | 'reader' | 'mounts'
    >[]
    /** An enumeration of the older pipeline, and the source is there to be read again. */
    readonly renewable: boolean
    /** Why it may find more if it is made again; null: it would not, or it left nothing open. */
    readonly different: string | null
    /** It was made when some of the image was not read, and the map that told of that is gone. */
    readonly lostMap?: true
    /** The folder that it is of, and the one that the medium's file names by now, where those are two. */
    readonly moved?: { readonly from: string; readonly to: string }
    /** The image that it was made of, where that took the place of another one. */
    readonly image?: string
    /** It left something open that was not read of the medium. */
    readonly mayGrow: boolean
  } | null
  /** Only where there is no raw: an archive that may hold it. */
  readonly archived?: true
}

const lostMapText =
  'it was made when some of the image was not read, and the map that told of that is gone: put it back beside the image (the archive has it, too), or what was never read would pass for content; if all of it was read anew since, move this enumeration away'

export const enumerate: Stage<Seen> = {
  name: 'enumerate',
  root: 'raw',

  async observe(medium, world) {
    const place = rawPlace(medium)
    const stat = await world.stat(place)
    if (stat === null)
      return (await isArchivedOf(medium, world)) ? { raw: null, archived: true } : { raw: null }
    const { bytes, mtimeNs, ino } = stat
    const tail = await readTail((start, end) => readRange(world, place, { start, end }), bytes)
    const { counts = [], volumes = [] } = tail ?? {}
    const open = volumes.filter((volume) => !isSettled(volume, medium))
    const isOurs = tail?.format === 'ntt-1' && tail.complete
    return {
      raw: {
        bytes,
        mtimeNs,
        ino,
        format: tail?.format ?? null,
        complete: tail?.complete ?? false,
        digest: tail?.digest ?? '',
        records: counts.reduce((sum, { records }) => sum + records, 0),
        files: counts.reduce((sum, { files }) => sum + files, 0),
        volumes: volumes.map(({ fs, type, outcome, reason, reader, mounts }) => ({
          fs,
          type,
          outcome,
          reason,
          reader,
          ...(mounts === undefined ? {} : { mounts }),
        })),
        renewable: tail !== null && tail.format !== 'ntt-1' && (await hasSource(medium, world)),
        different: isOurs && leftOpen(tail) ? await different(tail, open, mtimeNs, medium, world) : null,
        mayGrow: isOurs && mayGrow(tail),
        ...(isOurs && tail.image !== '' ? { image: tail.image } : {}),
        ...(isOurs && (await hasLostMap(tail, medium, world)) ? { lostMap: true as const } : {}),
        ...(isOurs && isOfAnother(tail, medium)
          ? { moved: { from: tail.source ?? '', to: medium.source.path } }
          : {}),
      },
    }
  },

  plan(medium, seen): Decision {
    const decision = judge(medium, seen)
    return seen.raw?.complete === true ? { ...decision, madeOf: seen.raw.image ?? '' } : decision
  },

  async run(medium, { raw }, world, replaces, fromArchive = false) {
    const place = rawPlace(medium)
    const isStranded =
      raw !== null && !(await hasSource(medium, world)) && (await isArchivedOf(medium, world))
    if ((fromArchive || isStranded) && (await restoreRaw(medium, world))) return
    if (raw?.complete === true && raw.different === null && replaces === null)
      throw new RunError('an enumeration is there, and nobody asked for a new one')
    const part = world.part(place)
    const source = await needSource(medium, world)
    await needInhabited(medium, raw?.records ?? 0, world)
    const tasks = tasksFor(source.volumes, source.bytes, medium.policy)
    const about = {
      hash: medium.hash,
      source: world.path(source.place),
      writer: 'ntt',
      ...(medium.source.type === 'directory' ? {} : await aboutImage(medium, source.unread, world)),
    }
    await walkSource(source, tasks, world, (records, reports) =>
      world.create(
        part,
        encodeRaw(records, () => reports, about),
      ),
    )
    if (raw !== null) {
      // The old one gives way only now that the new one reads back whole.
      for await (const batch of decodeRaw(world.read(part))) batch satisfies readonly unknown[]
      if (raw.format === 'ntt-1' && raw.complete) await tellChanges(medium, place, part, world)
      const isOlder = raw.format !== null && raw.format !== 'ntt-1'
      if (isOlder) world.line(await compareLegacy(place, part, raw.format === 'legacy-v1', world))
      await world.setAside(
        place,
        isOlder ? 'older-format' : (replaces ?? (raw.complete ? 'unread' : 'incomplete')),
      )
    }
    await world.publish(part, place)
  },

  async verify(medium, world, depth) {
    const changes = changed.get(medium)
    changed.delete(medium)
    const verification = await verifyRaw(medium, world, depth)
    return changes === undefined
      ? verification
      : { ...verification, facts: { ...verification.facts, changes } }
  },
}

function judge(medium: Medium, { raw, archived }: Seen): Decision {
  if (raw === null && archived === true)
    return { action: 'run', because: { code: 'restore', text: 'no enumeration; the archive holds it' } }
  if (raw === null) {
    const work = medium.bytes === null ? {} : { work: { read: medium.bytes } }
    return { action: 'run', because: { code: 'absent', text: 'no enumeration' }, ...work }
  }
  const size = counted(raw.bytes, 'byte')
  if (raw.format === null) {
    return { action: 'run', because: { code: 'incomplete', text: `${size} that are no enumeration` } }
  }
  if (raw.format !== 'ntt-1') {
    const text = `${size} in the format of the older pipeline (${raw.format})`
    if (!raw.renewable) return { action: 'keep', because: { code: 'present', text } }
    return { action: 'run', because: { code: 'older-format', text: `${text}: read again and compared` } }
  }
  if (!raw.complete) {
    return { action: 'run', because: { code: 'incomplete', text: `${size} without an end` } }
  }
  if (raw.lostMap === true) return { action: 'refuse', because: { code: 'unobserved', text: lostMapText } }
  const follows = raw.mayGrow ? { follows: true } : {}
  const open = raw.volumes.filter((volume) => !isSettled(volume, medium))
  const left = open.map(outcomeText).join('; ')
  if (raw.different !== null) {
    const text = `${left === '' ? '' : `${left}; `}read again, because ${raw.different}`
    return { action: 'run', because: { code: 'unread', text }, outgrown: true }
  }
  if (left !== '') {
    const text = `${left}${wayOut(open, medium)}`
    return {
      action: 'refuse',
      because: { code: 'unread', text },
      mayRedo: true,
      byPolicy: true,
      ...follows,
    }
  }
  const others = raw.records - raw.files
  const heard = raw.volumes.filter(({ reader }) => readerNamed(reader)?.isHearsay === true)
  const counts = `${counted(raw.records, 'record')}: ${counted(raw.files, 'file')}, ${counted(others, 'other')}`
  const moved = raw.moved === undefined ? [] : [`it was made of ${raw.moved.from}`]
  const text = [counts, ...moved, ...heard.map(hearsay)].join('; ')
  return { action: 'keep', because: { code: 'present', text }, ...follows }
}

/** What the header of an enumeration keeps of its image. */
async function aboutImage(medium: Medium, unread: readonly Range[], world: Reader) {
  const image = (await provenImage(medium, world))?.replaced ?? ''
  return { unread: unreadPrint(unread), ...(image === '' ? {} : { image }) }
}

/** How what was just made differs from what it replaced, for the proof that follows. */
const changed = new WeakMap<Medium, string>()

async function tellChanges(medium: Medium, before: Place, after: Place, world: Writer): Promise<void> {
  try {
    const changes = await changesOf(() => decodeRaw(world.read(before)), decodeRaw(world.read(after)))
    if (changes === '') return
    changed.set(medium, changes)
    world.line(`since the enumeration before: ${changes}`)
  } catch (error) {
    // The one before may be damaged: that is why it gives way, and no reason to keep it.
    if (!(error instanceof NttError)) throw error
    world.line(`the enumeration before cannot be compared: ${error.message}`)
  }
}

const isArchivedOf = async (medium: Medium, world: Reader): Promise<boolean> =>
  (await world.stat(archivePlace(medium))) !== null

/** Nobody else has read these names and bytes: said wherever the enumeration is spoken of. */
const hearsay = ({ fs, reader }: Pick<VolumeReport, 'fs' | 'reader'>): string =>
  `${volumeName(fs)} is known by ${reader} alone`
