// Repair: contents that are gone or damaged are put back from wherever they still are; what cannot be is copied anew, or told.
import { RunError } from '../../model/errors.ts'
import { Slots } from '../../model/lanes.ts'
import type { Medium } from '../../model/medium.ts'
import { blobPlace } from '../../model/places.ts'
import type { Writer } from '../../model/world.ts'
import { blobsOf } from './blobs.ts'
import { mend } from './donors.ts'

/** Media share contents: while one takes a bad one out of the way, no other may take its good successor for it. */
const aside = new Slots(1)

/**
 * Reads every blob of the medium again. One that is not what its name says is set aside, and put back from wherever its bytes
 * still are. Files of which nothing else holds the content lose their outcome where `hasSource`: they are copied again, and
 * what then becomes of them is told. Without a source they keep it, and this throws, naming them.
 */
export async function repair(medium: Medium, id: number, hasSource: boolean, world: Writer): Promise<void> {
  const missing = await findBad(id, world)
  const holders = await mend(medium, id, missing, world)
  if (missing.size > 0) {
    if (!hasSource) throw await irreparable(medium, id, missing, holders, world)
    await forget(id, [...missing], world)
  }
  await world.transaction(async (tx) => {
    await tx.execute(
      `delete from outcome o where o.medium_id = $1
          and not exists (select from inode i where i.medium_id = $1 and i.fs = o.fs and i.ino = o.ino and i.type = 'f')`,
      [id],
    )
    await tx.query('select pg_stat_force_next_flush()')
  })
}

/** The blobs that are not there or were set aside. Sizes that the table of blobs has wrong are put right. */
async function findBad(id: number, world: Writer): Promise<Set<string>> {
  const sizes = new Map<string, number>()
  const missing = new Set<string>()
  async function* ids(): AsyncGenerator<readonly string[]> {
    for await (const batch of blobsOf(id, world)) {
      for (const { blob, bytes } of batch) if (bytes !== null) sizes.set(blob, bytes)
      yield batch.map(({ blob }) => blob)
    }
  }
  for await (const batch of world.rehash(ids())) {
    for (const { id: blob, blake3 } of batch)
      if (blake3 !== blob && (await isSetAside(blob, world))) missing.add(blob)
    const good = batch.filter(({ id: blob, bytes, blake3 }) => blake3 === blob && sizes.get(blob) !== bytes)
    for (const { id: blob } of batch) sizes.delete(blob)
    await correct(good, world)
  }
  return missing
}

/** Takes a bad content out of the way. False: it is good by now. */
async function isSetAside(blob: string, world: Writer): Promise<boolean> {
  const free = await aside.take()
  try {
    for await (const [again] of world.rehash(only(blob))) if (again?.blake3 === blob) return false
    if ((await world.blobs([blob])).has(blob)) {
      world.line(`${blob} is not what its name says, or cannot be read: set aside`)
      await world.setAside(blobPlace(blob), 'failed-proof')
    } else world.line(`${blob} is not there`)
    return true
  } finally {
    free()
  }
}

async function* only(blob: string): AsyncGenerator<readonly string[]> {
  yield [blob]
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
  const more = rows.length > told ? ` and ${rows.length - told} more` : ''
  const others =
    holders.length === 0 ? '' : `, or one of those that held the same: ${holders.slice(0, told).join(', ')}`
  return new RunError(
    `irreparable here: ${missing.size} contents are gone, and nothing that is there holds them: ${names.join(', ')}${more}`,
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
    await tx.query('select pg_stat_force_next_flush()')
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
