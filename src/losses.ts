// What of a medium could not be read, by path: the enumeration laid over the map of the image, and the outcomes of its files.
import { damageOf, damageText, unreadIn } from './model/damage.ts'
import {
  contentError,
  hidesNames,
  otherFilesystem,
  unnamedError,
  type Entry,
  type VolumeReport,
} from './model/entry.ts'
import { excludingMount } from './model/exclusions.ts'
import type { Loss } from './model/loss.ts'
import type { Medium } from './model/medium.ts'
import { findImage, rawPlace } from './model/places.ts'
import { decodeRaw, type RawRecord, type RawTail } from './model/raw/index.ts'
import { tailOf } from './model/tail.ts'
import { hasLostMap, leftOpen, rangesText, unreadOf, unreadPrint } from './model/unread.ts'
import { bytesIn, intersect, merged, subtract } from './model/ranges.ts'
import type { Range, Reader } from './model/world.ts'

/** All of them, in the order of the enumeration. Believes no record: it reads the enumeration and the map as they are now. */
export async function* losses(medium: Medium, world: Reader): AsyncGenerator<Loss> {
  const at = { medium: medium.name }
  const image = await findImage(medium, world)
  const unread = image === null ? [] : await unreadOf(image, world)
  const raw = rawPlace(medium)
  const tail = await tailOf(medium, world)
  if (tail === null) {
    if (unread.length === 0) {
      yield { ...at, kind: 'unknown', text: 'it is not enumerated: nobody knows what it should hold' }
      return
    }
    const text = `${rangesText(unread)} of the image were never read; what they hit is known when it is enumerated`
    yield { ...at, kind: 'outside', bytes: bytesIn(unread), ranges: unread, isHarmless: false, text }
    return
  }
  if (image === null && medium.source.type !== 'directory' && tail.unread !== unreadPrint([]))
    yield { ...at, kind: 'unknown', text: 'its image is not here: what of it was not read is not known' }
  if (await hasLostMap(tail, medium, world))
    yield {
      ...at,
      kind: 'unknown',
      text: 'some of it was not read when it was enumerated, and the map that told of that is gone',
    }
  // Where nothing was left open all names and places are known, whatever is unread now.
  if (image !== null && tail.unread !== null && tail.unread !== unreadPrint(unread) && leftOpen(tail)) {
    const text = 'it was enumerated when other bytes were unread: ntt apply reads it again'
    yield { ...at, kind: 'unknown', text }
  }
  const search = new Search(medium, unread, tail, await outcomesOf(medium, world))
  for (const volume of tail.volumes) yield* search.volume(volume)
  for await (const records of decodeRaw(world.read(raw))) yield* await search.among(records)
  if (search.hasUntold)
    for await (const records of decodeRaw(world.read(raw))) yield* await search.untold(records)
  yield* search.outside()
}

/** What became of files that are not whole. */
interface Outcome {
  readonly state: 'd' | 'e' | 'x'
  readonly detail: string
}
type Outcomes = (
  entries: readonly { readonly fs: number; readonly entry: Entry }[],
) => Promise<ReadonlyMap<string, Outcome>>

const keyOf = (fs: number, ino: bigint): string => `${fs}:${BigInt.asIntN(64, ino)}`

/** Asked for a batch of files; asks nobody where the medium has no such outcome. */
async function outcomesOf(medium: Medium, world: Reader): Promise<Outcomes> {
  const row = await world.catalogue(medium.hash)
  const [some] =
    row === null
      ? []
      : await world.query<{ there: boolean }>(
          "select exists (select from outcome where medium_id = $1 and state <> 'b') as there",
          [row.mediumId],
        )
  if (row === null || some?.there !== true) return async () => new Map()
  return async (files) => {
    const rows = await world.query<{
      fs: number
      ino: string
      state: Outcome['state']
      detail: string | null
    }>(
      `select o.fs, o.ino::text, o.state::text, o.detail
         from unnest($2::int4[], $3::int8[]) as w (fs, ino)
         join outcome o on o.medium_id = $1 and o.fs = w.fs and o.ino = w.ino where o.state <> 'b'`,
      [
        row.mediumId,
        files.map(({ fs }) => fs),
        files.map(({ entry }) => BigInt.asIntN(64, entry.ino).toString()),
      ],
    )
    return new Map(
      rows.map(({ fs, ino, state, detail }) => [keyOf(fs, BigInt(ino)), { state, detail: detail ?? '' }]),
    )
  }
}

class Search {
  readonly #medium: string
  readonly #unread: readonly Range[]
  readonly #tail: RawTail
  readonly #outcomes: Outcomes
  readonly #unreadOf = new Map<number, readonly Range[]>()
  /** By path, what readers said of contents; no more than they are let tell of a volume. */
  readonly #untold = new Map<string, string>()
  /** What of the unread bytes lies in something that is known. */
  #covered: Range[] = []
  /** Directories that were hit, until their error comes. */
  readonly #hit = new Map<string, readonly Range[]>()
  readonly #mountLeftOut: (path: string) => string | null
  #isAllNamed: boolean
  constructor(medium: Medium, unread: readonly Range[], tail: RawTail, outcomes: Outcomes) {
    this.#medium = medium.name
    this.#mountLeftOut = excludingMount(medium.exclude)
    this.#unread = unread
    this.#tail = tail
    this.#outcomes = outcomes
    this.#isAllNamed = !tail.volumes.some(({ outcome }) => outcome === 'partial' || outcome === 'unreadable')
  }

  *volume({ fs, type, outcome, reason, mounts = [] }: VolumeReport): Generator<Loss> {
    if (outcome === 'read' || outcome === 'empty') return
    const at = { medium: this.#medium, kind: 'volume', fs, type } as const
    const leftOut = mounts.flatMap((path) => {
      const pattern = this.#mountLeftOut(path)
      const name = JSON.stringify(Buffer.from(path, 'latin1').toString())
      return pattern === null ? [] : [`what is mounted at ${name} is left out, by ${pattern}`]
    })
    for (const text of leftOut) yield { ...at, outcome: 'waived', text }
    if (leftOut.length === 0 || leftOut.length < mounts.length) yield { ...at, outcome, text: reason }
  }

  async among(records: readonly RawRecord[]): Promise<readonly Loss[]> {
    const files = records.flatMap((one) => ('entry' in one && one.entry.type === 'f' ? [one] : []))
    const outcomes = await this.#outcomes(files)
    return records.flatMap((record) => {
      const { fs } = record
      if ('error' in record) {
        const { path, message, error } = record.error
        const place = path.toString('latin1')
        if (error === contentError) this.#untold.set(`${fs}:${place}`, message)
        if (error !== unnamedError && !hidesNames(record.error)) return []
        if (error === otherFilesystem && this.#mountLeftOut(place) !== null) return []
        this.#isAllNamed = false
        const ranges = this.#hit.get(`${fs}:${place}`) ?? []
        return [
          { medium: this.#medium, kind: 'names', fs, path: place, ranges, text: `${error}: ${message}` },
        ]
      }
      const { entry } = record
      const hit = intersect(entry.extents ?? [], this.#unreadIn(fs))
      if (hit.length > 0) {
        this.#covered.push(...hit)
        if (this.#covered.length > mostHeld) this.#covered = [...merged(this.#covered)]
        if (entry.type === 'd') this.#hit.set(`${fs}:${entry.path.toString('latin1')}`, hit)
      }
      return entry.type === 'f' ? this.#file(fs, entry, outcomes.get(keyOf(fs, entry.ino))) : []
    })
  }

  #file(fs: number, entry: Entry, outcome: Outcome | undefined): readonly Loss[] {
    const about = { medium: this.#medium, fs, path: entry.path.toString('latin1'), size: entry.size }
    const damage = damageOf(entry, this.#unreadIn(fs))
    if (outcome?.state === 'x') return [{ ...about, kind: 'excluded', text: outcome.detail }]
    if (outcome?.state === 'e') return [{ ...about, kind: 'failed', text: outcome.detail }]
    if (damage !== null) {
      const { ranges, bytes } = damage
      return [{ ...about, kind: 'damaged', bytes, ranges, text: damageText(damage) }]
    }
    if (outcome === undefined) return []
    return [{ ...about, kind: 'damaged', bytes: null, ranges: [], text: outcome.detail }]
  }

  /** Whether readers told of contents that are not whole: of a file that was copied as damaged, or not at all, its outcome tells. */
  get hasUntold(): boolean {
    return this.#untold.size > 0
  }

  /** Those of which no outcome tells: targets of links, further streams, files of which another one has a part. */
  async untold(records: readonly RawRecord[]): Promise<readonly Loss[]> {
    const found = records.flatMap((one) => {
      if (!('entry' in one)) return []
      const path = one.entry.path.toString('latin1')
      const text = this.#untold.get(`${one.fs}:${path}`)
      return text === undefined ? [] : [{ ...one, path, text }]
    })
    const outcomes = await this.#outcomes(found)
    return found.flatMap(({ fs, entry, path, text }): readonly Loss[] => {
      const isTold = outcomes.has(keyOf(fs, entry.ino)) || damageOf(entry, this.#unreadIn(fs)) !== null
      if (entry.type === 'f' && isTold) return []
      return [
        { medium: this.#medium, kind: 'damaged', fs, path, size: entry.size, bytes: null, ranges: [], text },
      ]
    })
  }

  *outside(): Generator<Loss> {
    const covered = merged(this.#covered)
    const left = this.#unread.flatMap((range) => subtract(range, covered))
    if (left.length === 0) return
    const isSound = this.#tail.volumes.some(
      ({ partitionType, start, bytes }) =>
        partitionType.startsWith('audio') && intersect(left, [{ start, end: start + bytes }]).length > 0,
    )
    const isHarmless = this.#isAllNamed && !isSound
    const text = isHarmless
      ? 'free space, or tables that are not needed: all names are known, and no file lies there'
      : isSound
        ? 'sound, or what lies between the tracks'
        : 'no file that is known lies there; one whose name is missing may'
    yield { medium: this.#medium, kind: 'outside', bytes: bytesIn(left), ranges: left, isHarmless, text }
  }

  #unreadIn(fs: number): readonly Range[] {
    const known = this.#unreadOf.get(fs)
    if (known !== undefined) return known
    const volume = this.#tail.volumes.find((one) => one.fs === fs)
    const found = volume === undefined ? [] : unreadIn(volume, this.#unread)
    this.#unreadOf.set(fs, found)
    return found
  }
}

const mostHeld = 100_000
