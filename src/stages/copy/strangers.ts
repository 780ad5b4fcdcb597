// Contents that lay in the store already, and of which nobody has known for long that they are good: each is read again before it counts.
import { each } from '../../model/each.ts'
import { blobPlace } from '../../model/places.ts'
import type { Stored, Writer } from '../../model/world.ts'

/** So long a content of which we know is believed by its name and size: as long as the nightly budget may leave it unread. */
const believedDays = 30

/**
 * The blobs of a batch that are not what their names say; they are set aside, and their files must be copied again. A store
 * that another pipeline filled, or a run that was killed before its rows were written, leaves contents that nobody proved; and
 * what was written or read back long ago may have rotted since. A time to come was told by a clock that was wrong.
 */
export async function rejectStrangers(
  batch: readonly Stored<unknown>[],
  world: Writer,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const one of batch) if ('blob' in one && !one.fresh) found.add(one.blob)
  // Of equal contents in one batch only the first one is fresh.
  for (const one of batch) if ('blob' in one && one.fresh) found.delete(one.blob)
  if (found.size === 0) return new Set()
  const known = await world.query<{ id: string }>(
    `select encode(blob_id, 'hex') as id from witness
      where blob_id = any (select decode(id, 'hex') from unnest($1::text[]) as id)
        and at between now() - make_interval(days => $2) and now() + interval '1 day'`,
    [[...found], believedDays],
  )
  for (const { id } of known) found.delete(id)
  const rejected = new Set<string>()
  if (found.size === 0) return rejected
  for await (const read of world.rehash(each([[...found]]))) {
    for (const { id, blake3 } of read) {
      if (blake3 === id) continue
      world.line(
        `${id} lay in the store and is ${blake3 === null ? 'not to be read' : 'not what its name says'}`,
      )
      await world.setAside(blobPlace(id), 'failed-proof')
      rejected.add(id)
    }
  }
  return rejected
}
