// Repair: outcomes that cannot be believed are taken back, so that their files are copied again.
import { blobPlace } from '../../model/places.ts'
import type { Writer } from '../../model/world.ts'
import { blobsOf } from './blobs.ts'

/**
 * Reads every blob of the medium again. One that is not what its name says is set aside; its files, those whose blob is
 * not there or not known, and outcomes of what is no file of the medium lose their outcome.
 */
export async function repair(id: number, world: Writer): Promise<void> {
  const sizes = new Map<string, number>()
  async function* ids(): AsyncGenerator<readonly string[]> {
    for await (const batch of blobsOf(id, world)) {
      for (const { blob, bytes } of batch) if (bytes !== null) sizes.set(blob, bytes)
      yield batch.map(({ blob }) => blob)
    }
  }
  for await (const batch of world.rehash(ids())) {
    const bad = batch.filter(({ id: blob, blake3 }) => blake3 !== blob)
    for (const { id: blob, blake3 } of bad) {
      world.line(`${blob} is ${blake3 === null ? 'not there or cannot be read' : 'not what its name says'}`)
      if (blake3 !== null) await world.setAside(blobPlace(blob), 'failed-proof')
    }
    const good = batch.filter(({ id: blob, bytes, blake3 }) => blake3 === blob && sizes.get(blob) !== bytes)
    for (const { id: blob } of batch) sizes.delete(blob)
    await forget(
      id,
      bad.map(({ id: blob }) => blob),
      world,
    )
    await correct(good, world)
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
