// Contents that are gone from the store, from wherever else their bytes still are: own source, own archive, other media.
import { each } from '../../model/each.ts'
import type { Entry } from '../../model/entry.ts'
import { NttError } from '../../model/errors.ts'
import type { Medium, Source as Declared } from '../../model/medium.ts'
import { archivePlace, findImage, rawPlace } from '../../model/places.ts'
import { readRange } from '../../model/range.ts'
import { decodeRaw } from '../../model/raw/index.ts'
import { PackError, framesOf, readSeekTable, type Frame } from '../../model/seekable.ts'
import { tailOf } from '../../model/tail.ts'
import { TarError, headerAt, tarBlock } from '../../model/tar.ts'
import { treeName } from '../../model/manifest.ts'
import { untar } from '../../model/untar.ts'
import type { Piece, Place, Range, Reader, Writer } from '../../model/world.ts'
import { unpackedBy } from '../../model/zstd.ts'
import { keyText } from './outcomes.ts'
import { volumeReader } from './source.ts'

/** A medium that held some of the contents. */
interface Donor extends Pick<Medium, 'hash'> {
  readonly id: number
  readonly name: string
  readonly source: Declared
}

/** The blob of each file that holds one of those that are wanted, by its key. */
type Wanted = ReadonlyMap<string, string>

/** So many files with the same content are tried. */
const tries = 8

/** Puts contents back under their names; `missing` loses those that are there again, and `isBack` is told from where. Returns the names of media that held what is left. */
export async function mend(
  medium: Medium,
  id: number,
  missing: Set<string>,
  world: Writer,
  isBack: (blob: string, from: string) => void,
): Promise<readonly string[]> {
  const own: Donor = { id, hash: medium.hash, name: medium.name, source: medium.source }
  const others = missing.size === 0 ? [] : await donorsOf(id, missing, world)
  for (const donor of [own, ...others]) {
    const kept = donor.source.type === 'directory' ? 'directory' : 'image'
    const ways = [
      [fromSource, `the ${kept} of ${donor.name}`],
      [fromTree, `the archive of ${donor.name}`],
      [fromPackedImage, `the archive of ${donor.name}`],
    ] as const
    for (const [pieces, from] of ways) {
      if (missing.size === 0) return []
      try {
        const wanted = await wantedOf(donor, missing, world)
        if (wanted.size > 0)
          await take(pieces(donor, wanted, world), missing, (blob) => isBack(blob, from), world)
      } catch (error) {
        // A donor is a chance and no promise; what a write says, or a person, is not about the donor.
        const isDonors = error instanceof PackError || error instanceof TarError
        const mayPass = error instanceof NttError && ['observe', 'run'].includes(error.tag)
        if (!isDonors && !mayPass) throw error
        world.line(`${donor.name} could not be asked for contents: ${error.message}`)
      }
    }
  }
  return others.map(({ name }) => name)
}

async function take(
  pieces: AsyncIterable<Piece<string>>,
  missing: Set<string>,
  isBack: (blob: string) => void,
  world: Writer,
): Promise<void> {
  for await (const batch of world.ingest(pieces)) {
    const back = batch.flatMap((one) => ('blob' in one && one.blob === one.key ? [one.blob] : []))
    for (const blob of back) if (missing.delete(blob)) isBack(blob)
  }
}

async function donorsOf(id: number, missing: ReadonlySet<string>, world: Reader): Promise<readonly Donor[]> {
  const rows = await world.query<{ id: number; hash: string; name: string | null; source: string | null }>(
    `select m.medium_id as id, m.medium_hash as hash, m.name, m.source from medium m
      where m.medium_id <> $1 and exists (
        select from outcome o where o.medium_id = m.medium_id and o.blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b))
      order by m.medium_id`,
    [id, [...missing]],
  )
  return rows.map(({ source, name, ...row }) => ({
    ...row,
    name: name ?? row.hash,
    source: sourceOf(source),
  }))
}

function sourceOf(text: string | null): Declared {
  const [, type = 'device', path = ''] = /^(image|device|directory):(.*)$/s.exec(text ?? '') ?? []
  return { type: type as Declared['type'], path }
}

async function wantedOf({ id }: Donor, missing: ReadonlySet<string>, world: Reader): Promise<Wanted> {
  const rows = await world.query<{ fs: number; ino: string; blob: string }>(
    `select fs, ino::text, encode(blob_id, 'hex') as blob from (
       select fs, ino, blob_id, row_number() over (partition by blob_id order by fs, ino) as nth from outcome
        where medium_id = $1 and blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b)) n
      where nth <= ${tries}`,
    [id, [...missing]],
  )
  return new Map(rows.map(({ fs, ino, blob }) => [keyText({ fs, ino: BigInt(ino) }), blob]))
}

/** Entries of an enumeration that are wanted, with their blobs, by the number of their volume. */
async function entriesOf(
  donor: Donor,
  wanted: Wanted,
  world: Reader,
): Promise<ReadonlyMap<number, ReadonlyMap<Entry, string>>> {
  const found = new Map<number, Map<Entry, string>>()
  for await (const records of decodeRaw(world.read(rawPlace(donor)))) {
    for (const record of records) {
      if ('error' in record || record.entry.type !== 'f') continue
      const { fs, entry } = record
      const blob = wanted.get(keyText({ fs, ino: BigInt.asIntN(64, entry.ino) }))
      if (blob === undefined) continue
      const some = found.get(fs) ?? new Map<Entry, string>()
      // The names are views of a large block.
      found.set(fs, some.set({ ...entry, path: Buffer.from(entry.path) }, blob))
    }
  }
  return found
}

/** From the image or the directory of a medium, by the reader that enumerated each volume. */
async function* fromSource(donor: Donor, wanted: Wanted, world: Reader): AsyncGenerator<Piece<string>> {
  const place = await sourcePlace(donor, world)
  const tail = await tailOf(donor, world)
  if (place === null || tail === null) return
  for (const [fs, entries] of await entriesOf(donor, wanted, world)) {
    const { volume, reader } = volumeReader(fs, tail.volumes)
    for await (const piece of reader.contents(place, volume, each(entries.keys()), world))
      yield { ...piece, key: entries.get(piece.key) ?? '' }
  }
}

async function sourcePlace({ source, hash }: Donor, world: Reader): Promise<Place | null> {
  if (source.type !== 'directory') return (await findImage({ hash, source }, world))?.place ?? null
  return (await world.stat(source.path))?.kind === 'directory' ? source.path : null
}

/** From the tree in the archive of a directory. */
async function* fromTree(donor: Donor, wanted: Wanted, world: Reader): AsyncGenerator<Piece<string>> {
  if (donor.source.type !== 'directory' || (await world.stat(archivePlace(donor))) === null) return
  const names = await namesOf(donor, wanted, world)
  for await (const { type, name, size, content } of untar(unpackedBy(world, archivePlace(donor)))) {
    const key = type === 'file' ? names.get(name.toString('latin1')) : undefined
    if (key !== undefined) yield { key, size, origin: { type: 'stream', bytes: content } }
  }
}

/** Each name that a wanted file has in the tree, as one char for each byte. */
async function namesOf({ id }: Donor, wanted: Wanted, world: Reader): Promise<ReadonlyMap<string, string>> {
  const rows = await world.query<{ path: Buffer; blob: string }>(
    `select p.path, encode(o.blob_id, 'hex') as blob from outcome o
       join path p on p.medium_id = o.medium_id and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b)`,
    [id, [...new Set(wanted.values())]],
  )
  return new Map(rows.map(({ path, blob }) => [`${treeName}/${path.toString('latin1')}`, blob]))
}

/** From an image that lies in an archive: only the frames that hold the content are unpacked. */
async function* fromPackedImage(donor: Donor, wanted: Wanted, world: Reader): AsyncGenerator<Piece<string>> {
  const place = archivePlace(donor)
  const stat = await world.stat(place)
  if (stat === null || donor.source.type === 'directory' || (await world.stat(rawPlace(donor))) === null)
    return
  const frames = await readSeekTable((start, end) => readRange(world, place, { start, end }), stat.bytes)
  if (frames === null) return
  const header = headerAt(await unpackedRange({ place, frames, start: 0, end: tarBlock }, world))
  if (header === null || header.name.toString('utf8') !== `${donor.hash}.img`) return
  for (const entries of (await entriesOf(donor, wanted, world)).values()) {
    for (const [{ extents, size }, key] of entries) {
      if (extents === null) continue
      yield { key, size, origin: { type: 'stream', bytes: packedContent({ place, frames }, extents, world) } }
    }
  }
}

interface Packed {
  readonly place: Place
  readonly frames: readonly Frame[]
}

async function* packedContent(
  packed: Packed,
  extents: readonly Range[],
  world: Reader,
): AsyncGenerator<Buffer> {
  for (const { start, end } of extents) {
    if (start === -1) yield* zeros(end)
    else yield* unpacked({ ...packed, start: tarBlock + start, end: tarBlock + end }, world)
  }
}

/** A part of the content of an archive. */
async function* unpacked(
  { place, frames, start, end }: Packed & Range,
  world: Reader,
): AsyncGenerator<Buffer> {
  const some = framesOf(frames, start, end)
  let at = some[0]?.at ?? 0
  for await (const chunk of world.unpack(place, some)) {
    const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += chunk.length
    if (part.length > 0) yield part
  }
}

async function unpackedRange(part: Packed & Range, world: Reader): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of unpacked(part, world)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function* zeros(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536))
}
