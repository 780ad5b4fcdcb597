// Sector after sector of an image is lost, with noise in its place: what a reader then says may not be false, nor silent.
import { closeSync, copyFileSync, openSync, readSync, writeSync } from 'node:fs'
import { hidesNames, type Entry, type Volume } from '../../src/model/entry.ts'
import { RunError } from '../../src/model/errors.ts'
import { withReadErrors } from '../../src/model/unread.ts'
import { intersect } from '../../src/model/ranges.ts'
import type { Range } from '../../src/model/world.ts'
import type { FsReader } from '../../src/readers/reader.ts'
import { looking } from './looking.ts'
import { listAll, type Listed } from './reading.ts'

const text = (path: Buffer): string => path.toString('latin1')

/** Where every byte of the lists of names lies, by directory. */
const directoriesOf = ({ entries }: Listed): readonly (readonly [path: string, ranges: readonly Range[]])[] =>
  entries.filter(({ type }) => type === 'd').map(({ path, extents }) => [text(path), extents ?? []])

/** What is wrong with a listing of a damaged volume, against that of the whole one; empty: nothing. */
function faults(whole: Listed, damaged: Listed): readonly string[] {
  const found: string[] = []
  const unsure = damaged.errors.filter(hidesNames).map(({ path }) => text(path))
  const cut = new Set(damaged.errors.map(({ path }) => text(path)))
  const told = (path: string): boolean =>
    unsure.some((above) => above === '' || above === path || path.startsWith(`${above}/`))
  const truth = new Map(whole.entries.map((entry) => [text(entry.path), entry]))
  const listed = new Map(damaged.entries.map((entry) => [text(entry.path), entry]))
  for (const path of truth.keys())
    if (!listed.has(path) && !told(path)) found.push(`${path} is gone, and nobody says so`)
  for (const [path, entry] of listed) {
    const true_ = truth.get(path)
    if (true_ === undefined) {
      if (!told(path)) found.push(`${path} was never there`)
    } else if (line(entry) !== line(true_) && !cut.has(path) && !told(path))
      found.push(`${path} is not as it was`)
  }
  return found
}

const line = (entry: Entry): string =>
  JSON.stringify(entry, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

export interface Campaign {
  /** Sectors that were lost, one after the other. */
  readonly lost: number
  /** Of those: without them nothing could be listed. */
  readonly refused: readonly number[]
  /** `<sector>: <what was false or silent>`. */
  readonly faults: readonly string[]
  /** Sectors that hit something that is told as an error. */
  readonly hits: readonly number[]
  /** Sectors in which names lie. */
  readonly named: readonly number[]
}

/** Loses all single sectors with names, the `most` first ones and as many others, and lists the volume each time. */
export async function loseSectors(
  reader: FsReader,
  image: string,
  volume: Volume,
  { sectorBytes, most }: { readonly sectorBytes: number; readonly most: number },
): Promise<Campaign> {
  const whole = await listAll(reader, image, volume)
  const end = volume.start + volume.bytes
  const sectors = Math.floor(volume.bytes / sectorBytes)
  const places = directoriesOf(whole)
    .flatMap(([, ranges]) => ranges)
    .toSorted((one, other) => one.start - other.start)
  const contents = whole.entries.flatMap(({ type, extents }) => (type === 'f' ? (extents ?? []) : []))
  const sorted = contents.filter(({ start }) => start >= 0).toSorted((one, other) => one.start - other.start)
  const picked: number[] = []
  const named: number[] = []
  let others = 0
  for (let sector = 0; sector < sectors; sector += 1) {
    const range = rangeOf(volume, sector, sectorBytes)
    const isNamed = intersect([range], places).length > 0
    const isContent = intersect([range], sorted).length > 0
    if (isNamed) named.push(sector)
    // Tables lie at the front.
    const isOneOfMany = !isContent && (sector < most || others++ % Math.ceil(sectors / most) === 0)
    if (isNamed || isOneOfMany) picked.push(sector)
  }
  const copy = `${image}.damaged`
  copyFileSync(image, copy)
  const file = openSync(copy, 'r+')
  const result = { refused: [] as number[], faults: [] as string[], hits: [] as number[] }
  try {
    for (const sector of picked) {
      const range = rangeOf(volume, sector, sectorBytes)
      if (range.end > end) continue
      const kept = Buffer.alloc(sectorBytes)
      readSync(file, kept, 0, sectorBytes, range.start)
      writeSync(file, noise(sectorBytes), 0, sectorBytes, range.start)
      try {
        const damaged = await listAll(reader, copy, volume, withReadErrors(looking(), copy, [range]))
        if (damaged.errors.length > whole.errors.length) result.hits.push(sector)
        result.faults.push(...faults(whole, damaged).map((fault) => `${sector}: ${fault}`))
      } catch (error) {
        if (!(error instanceof RunError)) throw error
        result.refused.push(sector)
      }
      writeSync(file, kept, 0, sectorBytes, range.start)
    }
  } finally {
    closeSync(file)
  }
  return { lost: picked.length, named, ...result }
}

const rangeOf = ({ start }: Volume, sector: number, bytes: number): Range => ({
  start: start + sector * bytes,
  end: start + (sector + 1) * bytes,
})

/** Bytes that make sense to nobody, and are no zeros. */
const noise = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, (_none, at) => 1 + ((at * 89) % 255)))
