// The witness of an enumeration: parses all of it, looks at the volumes again, and at depth hash walks the source again.
import { NttError, ObserveError, messageOf } from '../../model/errors.ts'
import {
  contentError,
  hidesNames,
  unnamedError,
  volumeName,
  type EntryError,
  type VolumeReport,
} from '../../model/entry.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import {
  RawError,
  decodeRaw,
  encodeRaw,
  scanRaw,
  type Line,
  type RawRecord,
  type RawTail,
} from '../../model/raw/index.ts'
import type { Check, Depth, Verification } from '../../model/stage.ts'
import type { Reader } from '../../model/world.ts'
import { readerNamed } from '../../readers/index.ts'
import { sameAsArchived } from './archived.ts'
import { changesOf } from './changes.ts'
import type { Task } from './gather.ts'
import { outcomes } from './outcome.ts'
import { findSource, isOfAnother, needInhabited, walkSource, type Source } from './source.ts'

export async function verifyRaw(medium: Medium, world: Reader, depth: Depth): Promise<Verification> {
  const read = await readThrough(medium, world)
  if ('fault' in read) return { checks: [read.fault], figures: {} }
  const { tail, seen } = read
  const source = await findSource(medium, world)
  if (tail.format !== 'ntt-1')
    throw new ObserveError('an enumeration of the older pipeline is proven by its source, which is not there')
  const checks = [
    { name: 'trailer', ok: true, expected: agree, actual: agree },
    belongs(tail, medium),
    ...volumeChecks(tail, medium, seen),
    ...(source === null || medium.source.type === 'directory' ? [] : [sameVolumes(tail, source)]),
    ...(depth === 'hash' || isOfAnother(tail, medium) ? [await walkAgain(tail, source, medium, world)] : []),
  ]
  const volumes = tail.volumes.map((volume) => ({ ...volume, label: volume.label.toString('latin1') }))
  const faults = [...seen.values()].reduce((sum, met) => sum + met.faults, 0)
  const figures = { ...figuresOf(tail), ...(faults > 0 ? { faults } : {}) }
  return { checks, figures, facts: { volumes }, content: tail.content }
}

const agree = 'records, counts and digest agree'

/** What was met of one filesystem. */
interface Met {
  root: boolean
  /** The first place where names may be missing. */
  hidden: EntryError | null
  /** Errors that tell of contents, or of what has no name. */
  faults: number
  /** Furthest bytes of the image that its files lie in. */
  low: number
  high: number
}

/** Every record, once. The codec itself compares counts and digest with the trailer. */
async function readThrough(
  medium: Medium,
  world: Reader,
): Promise<{ readonly tail: RawTail; readonly seen: ReadonlyMap<number, Met> } | { readonly fault: Check }> {
  const seen = new Map<number, Met>()
  const ended: RawTail[] = []
  let done = 0
  try {
    const each = (line: Line): void => meet(line, seen)
    for await (const read of scanRaw(world.read(rawPlace(medium)), each, (tail) => ended.push(tail))) {
      done += read
      world.progress(done, null, 'records')
    }
  } catch (error) {
    if (!(error instanceof RawError)) throw error
    return { fault: { name: 'trailer', ok: false, expected: agree, actual: messageOf(error) } }
  }
  const [tail] = ended
  if (tail === undefined) throw new ObserveError('the enumeration was read, and its end was not seen')
  return { tail, seen }
}

function meet({ fs, error, pathStart, pathEnd, extents }: Line, seen: Map<number, Met>): void {
  let met = seen.get(fs)
  if (met === undefined) {
    met = { root: false, hidden: null, faults: 0, low: Number.POSITIVE_INFINITY, high: 0 }
    seen.set(fs, met)
  }
  if (error !== null) {
    if (hidesNames(error)) met.hidden ??= error
    if (error.error === contentError || error.error === unnamedError) met.faults += 1
    return
  }
  if (pathStart === pathEnd) met.root = true
  if (extents === null) return
  for (const { start, end } of extents) {
    if (start === -1) continue
    met.low = Math.min(met.low, start)
    met.high = Math.max(met.high, end)
  }
}

/** Whose enumeration it says it is: another medium may have volumes of the same size in the same places. */
const belongs = ({ hash }: RawTail, medium: Medium): Check => ({
  name: 'medium',
  ok: hash === medium.hash,
  expected: medium.hash,
  actual: hash ?? 'does not tell',
})

/** Each volume has an outcome, its root was listed, and its files lie inside of it. */
function volumeChecks(
  { volumes, counts }: RawTail,
  medium: Medium,
  seen: ReadonlyMap<number, Met>,
): readonly Check[] {
  const listed = volumes.filter(({ reader }) => reader !== '')
  const rootless = listed.filter(({ fs }) => seen.get(fs)?.root !== true)
  const spilled = listed.flatMap(({ fs, start, bytes, type, outcome }) => {
    const { low, high } = seen.get(fs) ?? { low: 0, high: 0 }
    // An image, or a partition, that is cut off ends before its files do, and its enumeration says so.
    const isCutOff = outcome === 'partial'
    const end = isCutOff ? Number.POSITIVE_INFINITY : start + bytes
    return type !== 'directory' && high > 0 && (low < start || high > end)
      ? [`${volumeName(fs)} from ${start} to ${start + bytes}, files from ${low} to ${high}`]
      : []
  })
  const strange = counts.filter(({ fs }) => !volumes.some((volume) => volume.fs === fs))
  const names = (some: readonly { readonly fs: number }[]): string =>
    some.length === 0 ? 'none' : some.map(({ fs }) => fs).join(', ')
  return [
    outcomes(volumes, medium),
    noneHidden(volumes, seen),
    {
      name: 'numbers',
      ok: new Set(volumes.map(({ fs }) => fs)).size === volumes.length,
      expected: 'each volume once',
      actual: volumes.map(({ fs }) => fs).join(', '),
    },
    {
      name: 'roots',
      ok: rootless.length === 0,
      expected: 'no volume without its root directory',
      actual: names(rootless),
    },
    {
      name: 'ranges',
      ok: spilled.length === 0,
      expected: 'no volume whose files lie outside of it',
      actual: spilled.length === 0 ? 'none' : spilled.join('; '),
    },
    {
      name: 'strangers',
      ok: strange.length === 0,
      expected: 'no record of another volume',
      actual: names(strange),
    },
  ]
}

/** What could not be read was not forgotten when the outcomes were written. */
function noneHidden(volumes: readonly VolumeReport[], seen: ReadonlyMap<number, Met>): Check {
  const wrong = volumes.flatMap(({ fs, outcome }) => {
    const hidden = seen.get(fs)?.hidden ?? null
    return hidden === null || outcome === 'partial' ? [] : [`${fs}: ${outcome}, ${told(hidden)}`]
  })
  return {
    name: 'whole',
    ok: wrong.length === 0,
    expected: 'no volume called whole of which names may be missing',
    actual: wrong.length === 0 ? 'none' : wrong.join('; '),
  }
}

const told = ({ error, path, message }: EntryError): string =>
  `${error}, ${JSON.stringify(path.toString())}: ${message}`

/** The volumes of the image, found again, are those of the enumeration. */
function sameVolumes({ volumes }: RawTail, source: Source): Check {
  const text = (some: readonly Pick<VolumeReport, 'fs' | 'start' | 'bytes'>[]): string =>
    some.map(({ fs, start, bytes }) => `${fs}: ${bytes} bytes from ${start}`).join(', ')
  const [expected, actual] = [text(source.volumes), text(volumes)]
  return { name: 'image', ok: expected === actual, expected, actual }
}

/** The source, walked again by the same readers, holds exactly the entries that are recorded. */
async function walkAgain(
  tail: RawTail,
  source: Source | null,
  medium: Medium,
  world: Reader,
): Promise<Check> {
  if (source === null) return sameAsArchived(medium, world)
  await needInhabited(medium, figuresOf(tail)['records'] ?? 0, world)
  const tasks = await Promise.all(tail.volumes.map((report) => sameTask(report, source, world)))
  const ended: RawTail[] = []
  await walkSource(source, tasks, world, async (records, reports) => {
    const about = { hash: '', source: '', writer: '' }
    const again = decodeRaw(
      encodeRaw(records, () => reports, about),
      (one) => ended.push(one),
    )
    for await (const batch of again) batch satisfies readonly RawRecord[]
  })
  const text = ({ content, counts }: RawTail): string =>
    `${content}, ${counts.map(({ fs, records }) => `${records} records of ${fs}`).join(', ')}`
  const [expected, actual] = [text(tail), ended.map(text).join()]
  if (expected === actual) return { name: 'walk', ok: true, expected, actual }
  const changes = await walkSource(source, tasks, world, (records) =>
    changesOf(() => decodeRaw(world.read(rawPlace(medium))), records),
  ).catch((error: unknown) => {
    // That they differ is known; how is a courtesy.
    if (error instanceof NttError) return ''
    throw error
  })
  return { name: 'walk', ok: false, expected, actual: `${changes === '' ? '' : `${changes}: `}${actual}` }
}

/** The reader that is recorded, and no other: another one may know more or less of times and owners. */
async function sameTask(
  { outcome, reason, reader: recorded, ...volume }: VolumeReport,
  { bytes, volumes }: Source,
  world: Reader,
): Promise<Task> {
  const doubt = volumes.find(({ fs }) => fs === volume.fs)?.doubt ?? null
  const task = { volume, imageBytes: bytes, doubt, failures: [], failed: [] }
  if (recorded === '') return { ...task, verdict: { outcome, reason }, readers: [] }
  const reader = readerNamed(recorded)
  const version = (await reader?.version(world, volume)) ?? null
  if (reader === null || version === null)
    throw new ObserveError(`${recorded}, which listed volume ${volume.fs}, is not installed`)
  return { ...task, verdict: null, readers: [{ reader, volume }] }
}

function figuresOf({ counts, volumes }: RawTail): Readonly<Record<string, number>> {
  const sum = (
    key: 'records' | 'files' | 'directories' | 'links' | 'others' | 'errors' | 'bytes' | 'inodes',
  ) => counts.reduce((all, one) => all + one[key], 0)
  return {
    records: sum('records'),
    files: sum('files'),
    directories: sum('directories'),
    links: sum('links'),
    others: sum('others'),
    errors: sum('errors'),
    inodes: sum('inodes'),
    bytes: sum('bytes'),
    volumes: volumes.length,
  }
}
