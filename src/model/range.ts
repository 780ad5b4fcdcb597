// A small range of a file, whole.
import type { Place, Range, Reader } from './world.ts'

/** The bytes of a range that fits into memory; fewer where the file ends before it. */
export async function readRange(world: Pick<Reader, 'read'>, place: Place, range: Range): Promise<Buffer> {
  const out = Buffer.alloc(range.end - range.start)
  let filled = 0
  if (out.length > 0) for await (const chunk of world.read(place, range)) filled += chunk.copy(out, filled)
  return out.subarray(0, filled)
}
