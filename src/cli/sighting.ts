// A source at first sight: which sort it is, how large, and what volumes it has.
import { UsageError } from '../model/errors.ts'
import type { Source } from '../model/medium.ts'
import type { Reader } from '../model/world.ts'
import { findVolumes } from '../readers/volumes/index.ts'
import type { FoundVolume } from '../readers/volumes/judging.ts'
import { packedAs } from './packed.ts'

/** What was seen of a source. */
export interface Sighting {
  readonly source: Source
  readonly bytes: number | null
  readonly volumes: readonly FoundVolume[]
  /** Label of the volume that is the whole medium; null for none that is text. */
  readonly volume: string | null
}

/** Looks at a source: which sort it is, how large, what volumes it has. */
export async function sight(path: string, world: Reader): Promise<Sighting> {
  const stat = await world.stat(path)
  if (stat === null) throw new UsageError(`there is no ${path}`)
  if (stat.kind === 'directory')
    return { source: { type: 'directory', path }, bytes: null, volumes: [], volume: null }
  const packed = await packedAs(path, stat.bytes, world)
  if (packed !== null)
    throw new UsageError(`${path} looks like ${packed.what}, not like the image of a medium`, {
      hint: packed.hint,
    })
  const volumes = await findVolumes(path, stat.bytes, world)
  const whole = volumes.find(({ fs, label }) => fs === 0 && label.length > 0)
  const source = { type: stat.kind === 'device' ? 'device' : 'image', path } as const
  return { source, bytes: stat.bytes, volumes, volume: whole === undefined ? null : asText(whole.label) }
}

/** Bytes of a medium as text, if that is what they are: a label that is not cannot be written as one. */
export function asText(bytes: Buffer): string | null {
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) && text.trim() !== '' ? text : null
}
