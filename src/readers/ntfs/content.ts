// The bytes of files of NTFS that do not lie in the image as they are: compressed ones; and why others cannot be had.
import type { Entry } from '../../model/entry.ts'
import { RunError } from '../../model/errors.ts'
import { faultOf, unobtainable } from '../faults.ts'
import { decompressed } from './lznt1.ts'
import { attributes } from './layout.ts'
import { hasPacked, unitsOf, type Run } from './runs.ts'
import type { NtfsVolume, Stream } from './volume.ts'
import { streamStep } from './walk.ts'

/** Throws ObserveError where the content cannot be had. */
export async function* contentOf(volume: NtfsVolume, { ino, size }: Entry): AsyncGenerator<Buffer> {
  try {
    const stream = await findStream(volume, ino)
    if (stream.size !== size) throw new RunError(`it has ${stream.size} bytes now`)
    let left = size
    for (const unit of unitsOf(stream.runs, stream.unit)) {
      if (left === 0) break
      const bytes = await unpackUnit(volume, unit, stream.unit)
      yield bytes.subarray(0, Math.min(left, bytes.length))
      left -= Math.min(left, bytes.length)
    }
    if (left > 0) throw new RunError('its list of runs breaks off')
  } catch (error) {
    throw unobtainable(error)
  }
}

/** By the number of the entry: that of the record, and which of its streams. */
async function findStream(volume: NtfsVolume, ino: bigint): Promise<Stream> {
  const number = Number(ino % streamStep)
  const file = await volume.file(number).catch((error: unknown) => {
    throw new RunError(`record ${number}: ${faultOf(error).message}`, { cause: error })
  })
  const ordinal = Number(ino / streamStep)
  const streams = file.streams.filter(({ type }) => type === attributes.data)
  const stream =
    ordinal === 0
      ? streams.find(({ name }) => name === '')
      : streams.filter(({ name }) => name !== '')[ordinal - 1]
  if (stream === undefined) throw new RunError('its record cannot be read')
  if (stream.fault !== null) throw new RunError(stream.fault)
  if (stream.isEncrypted) throw new RunError('it is encrypted, and the key is not on this medium')
  if (stream.unit === 0) throw new RunError('its content is not where its record says')
  return stream
}

async function unpackUnit(
  { pages, layout }: NtfsVolume,
  unit: readonly Run[],
  clusters: number,
): Promise<Buffer> {
  const { clusterBytes } = layout
  const length = clusters * clusterBytes
  const stored: Buffer[] = []
  for (const { first, clusters: count } of unit)
    if (first !== -1) stored.push(Buffer.from(await pages.bytes(first * clusterBytes, count * clusterBytes)))
  const bytes = Buffer.concat(stored)
  if (hasPacked(unit, clusters)) return decompressed(bytes, length)
  return bytes.length > 0 ? bytes : Buffer.alloc(length)
}
