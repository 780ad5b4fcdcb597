// An enumeration of the older pipeline is adopted where the source, walked again, holds the same entries.
import { ObserveError } from '../../model/errors.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { decodeRaw, type RawRecord, type RawTail } from '../../model/raw.ts'
import type { Verification } from '../../model/stage.ts'
import { Sum } from '../../model/sum.ts'
import type { Reader } from '../../model/world.ts'
import { tasksFor } from './gather.ts'
import { outcomes } from './outcome.ts'
import { walkSource, type Source } from './source.ts'

/**
 * Compares type, size and path as a multiset; the oldest format has no types, so there it is the path alone. Sizes are
 * those of files and links only: what a directory's size means differs with every driver.
 */
export async function compareLegacy(
  medium: Medium,
  { format, content }: RawTail,
  source: Source | null,
  world: Reader,
): Promise<Verification> {
  if (source === null)
    throw new ObserveError('an enumeration of the older pipeline is proven by its source, which is not there')
  const typed = format === 'legacy-v1'
  const recorded = await gist(decodeRaw(world.read(rawPlace(medium))), typed)
  const tasks = await tasksFor(source.volumes, source.bytes, medium.policy, world)
  const [found, reports] = await walkSource(
    source,
    tasks,
    world,
    async (records, ended) => [await gist(records, typed), ended] as const,
  )
  const text = ({ members, hex }: { members: number; hex: string }): string => `${members} entries, ${hex}`
  return {
    checks: [
      { name: 'walk', ok: text(found) === text(recorded), expected: text(found), actual: text(recorded) },
      outcomes(reports, medium.policy),
    ],
    figures: { records: recorded.members },
    content,
  }
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
