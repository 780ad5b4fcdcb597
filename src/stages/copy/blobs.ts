// The blobs of a medium, as its outcomes name them.
import { ObserveError } from '../../model/errors.ts'
import type { Reader } from '../../model/world.ts'

export interface NamedBlob {
  readonly blob: string
  /** Its size by the table of blobs; null: it is not in there. */
  readonly bytes: number | null
}

const atOnce = 4000

/** Each blob that an outcome of the medium names, once, in the order of the store. */
export async function* blobsOf(id: number, world: Reader): AsyncGenerator<readonly NamedBlob[]> {
  const rows = world.copyOut(
    `copy (select encode(n.blob_id, 'hex'), b.size
             from (select distinct blob_id from outcome where medium_id = ${Math.trunc(id)} and blob_id is not null) n
             left join blob b using (blob_id) order by n.blob_id) to stdout`,
  )
  let batch: NamedBlob[] = []
  let rest = ''
  for await (const chunk of rows) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      batch.push(parseLine(line))
      if (batch.length < atOnce) continue
      yield batch
      batch = []
    }
  }
  if (rest !== '') throw new ObserveError('the server sent a row without an end')
  if (batch.length > 0) yield batch
}

function parseLine(line: string): NamedBlob {
  const [, blob, bytes] = /^([0-9a-f]{64})\t(\d+|\\N)$/.exec(line) ?? []
  if (blob === undefined || bytes === undefined)
    throw new ObserveError(`the server sent a row that is none: ${line}`)
  return { blob, bytes: bytes === '\\N' ? null : Number(bytes) }
}
