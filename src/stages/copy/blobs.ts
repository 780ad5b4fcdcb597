// The blobs of a medium, as its outcomes name them.
import { numberOrNull, rowsOf } from '../../model/copy-rows.ts'
import type { Reader } from '../../model/world.ts'

export interface NamedBlob {
  readonly blob: string
  /** Its size by the table of blobs; null: it is not in there. */
  readonly bytes: number | null
}

const atOnce = 4000

/** Each blob that an outcome of the medium names, once, in the order of the store. */
export async function* blobsOf(id: number, world: Reader): AsyncGenerator<readonly NamedBlob[]> {
  const text = world.copyOut(
    `copy (select encode(n.blob_id, 'hex'), b.size
             from (select distinct blob_id from outcome where medium_id = ${Math.trunc(id)} and blob_id is not null) n
             left join blob b using (blob_id) order by n.blob_id) to stdout`,
  )
  let batch: NamedBlob[] = []
  for await (const rows of rowsOf(text, /^([0-9a-f]{64})\t(\d+|\\N)$/)) {
    for (const [, blob = '', bytes] of rows) {
      batch.push({ blob, bytes: numberOrNull(bytes) })
      if (batch.length < atOnce) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
