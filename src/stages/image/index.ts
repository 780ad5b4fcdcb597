// image: the medium's bytes in an image file. One that a person has is adopted where it lies; devices are read by ddrescue.
import { kinds } from '../../kinds/index.ts'
import { RefusedError } from '../../model/errors.ts'
import { parsedMapfile, type Mapfile } from '../../model/mapfile.ts'
import { otherThan, putIn } from '../../model/match.ts'
import type { Medium } from '../../model/medium.ts'
import {
  archivePlace,
  findImage,
  imagePlace,
  mapBeside,
  passesPlace,
  unfinishedPlace,
} from '../../model/places.ts'
import { lookAtSource } from '../../model/source.ts'
import { restoreImage } from '../../model/unarchive.ts'
import type { Decision, Stage } from '../../model/stage.ts'
import type { FileStat, Place, Reader } from '../../model/world.ts'
import { nextPass, parsePasses, share, type EndedPass } from './passes.ts'
import { fileText, prove } from './prove.ts'
import { rescue } from './rescue.ts'
import { strayMap } from './stray.ts'

/** What does not change by looking. */
type Look = Pick<FileStat, 'bytes' | 'mtimeNs' | 'ino'>

/** What a map says, in bytes; null: there is no map. `broken`: there is something else under its name. */
type MapLook = Pick<Mapfile, 'total' | 'rescued' | 'bad' | 'pending' | 'untried'> | 'broken' | null

export interface Seen {
  readonly image: (Look & { readonly place: Place }) | null
  readonly map: MapLook
  /** A map under another name, where there is none under ours. */
  readonly stray?: Place
  /** Imaging that has begun and not ended; null: none. */
  readonly unfinished: MapLook
  /** Passes that have ended on the drive that is declared; empty where enough was read. */
  readonly passes: readonly EndedPass[]
  /** Where there is no image: an archive that may hold it. */
  readonly archive: Look | null
  /** Where the device would have to be read: whether it is there, or what is there instead. */
  readonly source: 'there' | 'away' | 'unasked' | { readonly other: string }
}

export const image: Stage<Seen> = {
  name: 'image',
  root: 'image',
  depths: { run: 'hash', prove: 'hash' },

  async observe(medium, world) {
    const found = await findImage(medium, world)
    const map = found === null ? null : await mapLook(mapBeside(found.place), world)
    const stray =
      found?.place === medium.source.path && map === null
        ? await strayMap(found.place, found.stat.bytes, world)
        : null
    // Of a medium that is read far enough it does not matter which drive read it.
    const isDone = isMap(map) && isEnough(medium, map)
    const passes = isDone ? [] : parsePasses(await world.text(passesPlace(medium)))
    const seen = {
      image: found === null ? null : { place: found.place, ...lookOf(found.stat) },
      map,
      ...(stray === null ? {} : { stray }),
      unfinished: found === null ? await unfinishedLook(medium, world) : null,
      passes: passes.filter(({ drive }) => drive === medium.source.path),
      archive: found === null ? await archiveLook(medium, world) : null,
      source: 'unasked',
    } as const
    if (medium.source.type !== 'device' || !needsDevice(medium, seen)) return seen
    return { ...seen, source: await ask(medium, world) }
  },

  plan(medium, seen) {
    if (seen.image === null) return planWithout(medium, seen)
    const isPartial = isMap(seen.map) && seen.map.rescued < seen.map.total
    const decision = {
      ...planWith(medium, seen, seen.image),
      ...(isPartial && medium.source.type === 'device' ? { goesOn: fileText(seen.image) } : {}),
    }
    // An image of the person's own is never moved.
    return seen.image.place === imagePlace(medium) ? { ...decision, restorable: true } : decision
  },

  async run(medium, seen, world, replaces, fromArchive = false) {
    if (fromArchive || (seen.image === null && seen.archive !== null && seen.unfinished === null))
      return restoreImage(medium, world)
    if (medium.source.type !== 'device') {
      // A person has put it there, and says so: it is taken as it is, and its witness looks at it.
      if (seen.image?.place === medium.source.path && replaces !== null) return
      throw new RefusedError(
        `${medium.source.path} is yours to make: ntt adopts an image, and never writes one there`,
      )
    }
    if (seen.image !== null && replaces === null && !isMap(seen.map)) throw new RefusedError(mapless)
    const isWhole = isMap(seen.map) && seen.map.rescued === seen.map.total
    const instead = seen.image !== null && (isWhole || !isMap(seen.map)) ? replaces : null
    return rescue(medium, world, { anew: replaces !== null, instead })
  },

  verify: prove,
}

const lookOf = ({ bytes, mtimeNs, ino }: FileStat): Look => ({ bytes, mtimeNs, ino })

const isMap = (map: MapLook): map is Exclude<MapLook, 'broken' | null> => map !== null && map !== 'broken'

async function mapLook(place: Place, world: Reader): Promise<MapLook> {
  const text = await world.text(place)
  if (text === null) return null
  const map = parsedMapfile(text)
  if (map === null) return 'broken'
  const { total, rescued, bad, pending, untried } = map
  return { total, rescued, bad, pending, untried }
}

async function unfinishedLook(medium: Medium, world: Reader): Promise<MapLook> {
  const place = unfinishedPlace(medium)
  if ((await world.stat(place)) === null) return null
  return (
    (await mapLook(mapBeside(place), world)) ??
    (await mapLook(mapBeside(imagePlace(medium)), world)) ??
    'broken'
  )
}

async function archiveLook(medium: Medium, world: Reader): Promise<Look | null> {
  const stat = await world.stat(archivePlace(medium))
  return stat === null ? null : lookOf(stat)
}

/** A drive is only asked where it would have to be read: it may spin up, and hold another disc. */
const needsDevice = (
  medium: Medium,
  { image: there, map, unfinished, archive, passes }: Omit<Seen, 'source'>,
): boolean =>
  there === null
    ? archive === null || unfinished !== null
    : isMap(map) && !isEnough(medium, map) && comesNext(medium, { map, passes }) !== null

async function ask(medium: Medium, world: Reader): Promise<Seen['source']> {
  const look = await lookAtSource(medium.source.path, world)
  if (look === null) return 'away'
  const other = await otherThan(medium, look, world)
  return other === null ? 'there' : { other }
}

const isEnough = ({ policy }: Medium, { rescued, total }: Exclude<MapLook, 'broken' | null>): boolean =>
  share(rescued, total) >= policy.rescued

const comesNext = (medium: Medium, { map, passes }: Pick<Seen, 'map' | 'passes'>) =>
  nextPass(kinds[medium.kind], medium.source.path, passes, isMap(map) ? map : null, medium.policy.rescued)

const mapless =
  'the image is there and its map is not: nobody can say what of the medium was read. To take the image as it is, declare it as `image:`'

const strayText = (stray: string, path: string): string =>
  `${stray} is a map of ddrescue, and ntt looks for that of an image under ${mapBeside(path)}: rename it, or what was never read would pass for content; if it belongs to something else, move it away`

function planWith(medium: Medium, seen: Seen, { bytes }: Look): Decision {
  const { map } = seen
  const size = `${bytes.toLocaleString('en-US')} bytes`
  if (map === 'broken')
    return refuse('unobserved', 'the map beside the image is not one of ddrescue: what was read is not known')
  if (map === null) {
    if (medium.source.type === 'device') return refuse('unread', mapless)
    if (seen.stray !== undefined) return refuse('unobserved', strayText(seen.stray, medium.source.path))
    return { action: 'keep', because: { code: 'present', text: size } }
  }
  if (map.total !== bytes)
    return refuse('damaged', `the image has ${size}, its map speaks of ${map.total.toLocaleString('en-US')}`)
  if (map.rescued === map.total)
    return { action: 'keep', because: { code: 'present', text: `${size}, all rescued` } }
  const unread = `${(map.total - map.rescued).toLocaleString('en-US')} bytes unread, ${percent(map)} rescued`
  if (isEnough(medium, map))
    return { action: 'keep', because: { code: 'damaged', text: `${size}, ${unread}` } }
  const asked = `${unread}; the policy asks for ${medium.policy.rescued} %`
  const next = medium.source.type === 'device' ? comesNext(medium, seen) : null
  if (next === null) {
    const tried = seen.passes.length === 0 ? '' : `, after ${seen.passes.length} passes`
    const text = `${asked}${tried}; another drive may read more (--device), or accept it: \`policy: {rescued: ${percent(map).replace(' ', '')}}\``
    return { ...refuse('below-policy', text), byPolicy: true }
  }
  const missing = withoutDevice(medium, seen)
  if (missing !== null)
    return { ...missing, because: { ...missing.because, text: `${asked}; ${missing.because.text}` } }
  return {
    action: 'run',
    because: { code: 'incomplete', text: `${asked}; next: ${next.name}` },
    outgrown: true,
  }
}

function planWithout(medium: Medium, seen: Seen): Decision {
  const { archive, unfinished } = seen
  const path = medium.source.path
  if (archive !== null && unfinished === null) {
    const text = `no image; the archive (${archive.bytes.toLocaleString('en-US')} bytes) holds it`
    return { action: 'keep', because: { code: 'archived', text }, elsewhere: true }
  }
  if (medium.source.type !== 'device')
    return refuse(
      'source-away',
      `${path} is not there, and no archive holds it; if it is lost, this needs the medium again`,
    )
  const missing = withoutDevice(medium, seen)
  if (missing !== null) return missing
  const bytes = medium.bytes ?? 0
  const work = { read: bytes, write: bytes }
  return isMap(unfinished)
    ? { action: 'run', because: { code: 'incomplete', text: `${percent(unfinished)} read so far` }, work }
    : { action: 'run', because: { code: 'absent', text: 'no image yet' }, work }
}

function withoutDevice(medium: Medium, { source }: Seen): Decision | null {
  const { path } = medium.source
  if (source === 'away')
    return refuse('source-away', `${path} is not there, or nothing is in it; ${putIn(medium.name, path)}`)
  if (typeof source === 'object')
    return refuse(
      'wrong-medium',
      `what is in ${path} is another medium: ${source.other}; ${putIn(medium.name, path)}`,
    )
  return null
}

/** Never rounded up to all. */
const percent = ({ rescued, total }: { readonly rescued: number; readonly total: number }): string =>
  `${(Math.floor(share(rescued, total) * 100) / 100).toFixed(2)} %`

const refuse = (code: Decision['because']['code'], text: string): Decision => ({
  action: 'refuse',
  because: { code, text },
})
