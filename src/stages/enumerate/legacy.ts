// An enumeration of the older pipeline against ours: the same entries, or how they differ.
import { decodeRaw, type RawRecord } from '../../model/raw/index.ts'
import { Sum } from '../../model/sum.ts'
import type { Place, Reader } from '../../model/world.ts'

/**
 * Compares type, size and path as multisets and says in a sentence what came of it; the oldest format has no types, so
 * there it is the path alone. Sizes are those of files and links only: what a directory's size means differs with every
 * driver. The older one is a claim: ours counts, whatever comes of it.
 */
export async function compareLegacy(
  older: Place,
  ours: Place,
  typed: boolean,
  world: Reader,
): Promise<string> {
  const recorded = await gist(decodeRaw(world.read(older)), typed)
  const found = await gist(decodeRaw(world.read(ours)), typed)
  const counts = `${recorded.members} entries there, ${found.members} here`
  return recorded.hex === found.hex
    ? `the enumeration of the older pipeline agrees: ${counts}`
    : `the enumeration of the older pipeline does not agree (${counts}); it is kept aside`
}

async function gist(
  records: AsyncIterable<readonly RawRecord[]>,
  typed: boolean,
): Promise<{ readonly members: number; readonly hex: string }> {
  const sum = new Sum()
  for await (const batch of records) {
    for (const record of batch) {
      if ('error' in record) continue
      const { type, size, path } = record.entry
      const sized = type === 'f' || type === 'l'
      const head = Buffer.from(typed ? `${record.fs} ${type} ${sized ? size : 0} ` : `${record.fs} `)
      const bytes = Buffer.concat([head, path])
      sum.take(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length).close()
    }
  }
  return { members: sum.members, hex: sum.hex() }
}
