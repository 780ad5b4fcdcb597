// Repair: contents that are gone or damaged are put back from wherever they still are; what cannot be is copied anew, or told.
import { RunError } from '../../model/errors.ts'
import { count, counted } from '../../model/counted.ts'
import { each } from '../../model/each.ts'
import { Slots } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { blobPlace } from '../../model/places.ts'
import type { Place, Writer } from '../../model/world.ts'
import { blobsOf } from './blobs.ts'
import { mend } from './donors.ts'
import { needSoundImage } from './sound.ts'

/** Media share contents: while one takes a bad one out of the way, no other may take its good successor for it. */
const aside = new Slots(1)

/**
 * Reads every blob of the medium again. One that is not what its name says is set aside, and put back from wherever its bytes
 * still are. Files of which nothing else holds the content lose their outcome where `hasSource`: they are copied again, and
 * what then becomes of them is told. Without a source they keep it, and this throws, naming them.
 */
export async function repair(medium: Medium, id: number, hasSource: boolean, world: Writer): Promise<void> {
  const bad = await findBad(id, world)
  const missing = new Set(bad.keys())
  const back = new Map<string, string>()
  const holders = await mend(medium, id, missing, world, (blob, from) => {
    back.set(blob, from)
    world.line(`${blob} is back, from ${from}`)
  })
  await tell(medium, id, bad, back, world)
  if (missing.size > 0) {
    if (!hasSource) throw await irreparable(medium, id, missing, holders, world)
    await needSoundImage(medium, world)
    await forget(id, [...missing], world)
  }
  await world.transaction(async (tx) => {
    await tx.execute(
      `delete from outcome o where o.medium_id = $1
          and not exists (select from inode i where i.medium_id = $1 and i.fs = o.fs and i.ino = o.ino and i.type = 'f')`,
      [id],
    )
  })
}

/** The blobs that are not there or were set aside, with where the bad one is now. Sizes that the table of blobs has wrong are put right. */
async function findBad(id: number, world: Writer): Promise<Map<string, Place | null>> {
  const sizes = new Map<string, number>()
  const bad = new Map<string, Place | null>()
  async function* ids(): AsyncGenerator<readonly string[]> {
    for await (const batch of blobsOf(id, world)) {
      for (const { blob, bytes } of batch) if (bytes !== null) sizes.set(blob, bytes)
      yield batch.map(({ blob }) => blob)
    }
  }
  for await (const batch of world.rehash(ids())) {
    for (const { id: blob, blake3 } of batch)
      if (blake3 !== blob) {
        const away = await takeAway(blob, world)
        if (away !== undefined) bad.set(blob, away.kept)
      }
    const good = batch.filter(({ id: blob, bytes, blake3 }) => blake3 === blob && sizes.get(blob) !== bytes)
    for (const { id: blob } of batch) sizes.delete(blob)
    await correct(good, world)
  }
  return bad
}

/** Takes a bad content out of the way; where it is now, null: it was not there. Nothing to tell where it is good by now. */
async function takeAway(blob: string, world: Writer): Promise<{ readonly kept: Place | null } | undefined> {
  const free = await aside.take()
  try {
    for await (const [again] of world.rehash(each([[blob]]))) if (again?.blake3 === blob) return undefined
    const kept = await world.setAside(blobPlace(blob), 'failed-proof')
    const is = kept === null ? 'not there' : 'not what its name says, or cannot be read: set aside'
    world.line(`${blob} is ${is}`)
    return { kept }
  } finally {
    free()
  }
}

/** So many contents are told one by one; the log has all of them. */
const notes = 10

/** What became of each bad content: a path of it, where the bad one is kept, and where it came back from. */
async function tell(
  medium: Medium,
  id: number,
  bad: ReadonlyMap<string, Place | null>,
  back: ReadonlyMap<string, string>,
  world: Writer,
): Promise<void> {
  const some = [...bad].slice(0, notes)
  const paths = await pathsOf(id, [...bad.keys()].slice(0, notes), world)
  for (const [blob, kept] of some) {
    const path = paths.get(blob)
    const what = `${path === undefined ? '' : `${JSON.stringify(path)} of `}${medium.name}: the content ${blob}`
    const was = kept === null ? 'was not there' : `was bad, and is kept as ${world.path(kept)}`
    const from = back.get(blob)
    world.note(
      `${what} ${was}; ${from === undefined ? 'nothing that is there holds it' : `it is back, from ${from}`}`,
    )
  }
  if (bad.size > notes)
    world.note(
      `in all ${count(bad.size)} contents were bad or not there, and of these ${count(back.size)} came back`,
    )
}

/** One path of each content. */
async function pathsOf(
  id: number,
  blobs: readonly string[],
  world: Writer,
): Promise<ReadonlyMap<string, string>> {
  const rows = await world.query<{ path: Buffer; blob: string }>(
    `select distinct on (o.blob_id) p.path, encode(o.blob_id, 'hex') as blob from outcome o
       join path p on p.medium_id = o.medium_id and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b)
      order by o.blob_id, p.fs, p.path`,
    [id, blobs],
  )
  return new Map(rows.map(({ blob, path }) => [blob, path.toString('latin1')]))
}

const told = 5
const logged = 1000

/** Every path that has lost its content, for the log; the first few and what would bring them back, for people. */
async function irreparable(
  medium: Medium,
  id: number,
  missing: ReadonlySet<string>,
  holders: readonly string[],
  world: Writer,
): Promise<RunError> {
  const rows = await world.query<{ path: Buffer; blob: string }>(
    `select p.path, encode(o.blob_id, 'hex') as blob from outcome o
       join path p on p.medium_id = o.medium_id and p.fs = o.fs and p.ino = o.ino
      where o.medium_id = $1 and o.blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b)
      order by p.fs, p.path limit ${logged}`,
    [id, [...missing]],
  )
  for (const { path, blob } of rows)
    world.line(`irreparable: ${medium.name}: ${JSON.stringify(path.toString('latin1'))} (${blob})`)
  const names = rows.slice(0, told).map(({ path }) => JSON.stringify(path.toString('latin1')))
  const least = rows.length === logged ? 'at least ' : ''
  const more = rows.length > told ? ` and ${least}${count(rows.length - told)} more` : ''
  const others =
    holders.length === 0 ? '' : `, or one of those that held the same: ${holders.slice(0, told).join(', ')}`
  return new RunError(
    `irreparable here: ${counted(missing.size, 'content is', 'contents are')} gone, and nothing that is there holds ${missing.size === 1 ? 'it' : 'them'}: ${names.join(', ')}${more}`,
    {
      hint: `Needed: ${medium.source.type} ${medium.source.path}${others}. Then run the same command again.`,
    },
  )
}

async function forget(id: number, blobs: readonly string[], world: Writer): Promise<void> {
  if (blobs.length === 0) return
  await world.transaction(async (tx) => {
    await tx.execute(
      `delete from outcome where medium_id = $1 and blob_id = any (select decode(b, 'hex') from unnest($2::text[]) as b)`,
      [id, blobs],
    )
  })
}

/** Their content is what their name says: where the table of blobs says another size, or nothing, the table is wrong. */
async function correct(
  blobs: readonly { readonly id: string; readonly bytes: number }[],
  world: Writer,
): Promise<void> {
  if (blobs.length === 0) return
  await world.transaction((tx) =>
    tx.execute(
      `insert into blob (blob_id, size) select decode(id, 'hex'), size from unnest($1::text[], $2::int8[]) as n (id, size)
         order by 1 on conflict (blob_id) do update set size = excluded.size`,
      [blobs.map(({ id }) => id), blobs.map(({ bytes }) => bytes)],
    ),
  )
}
