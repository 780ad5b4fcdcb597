// Every entry of every volume: readers are tried in order, and each volume ends with an outcome and its reason.
import { unreadIn } from '../../model/damage.ts'
import { skipped, type Volume, type VolumeReport } from '../../model/entry.ts'
import { InterruptedError, NttError, RunError, StoreError } from '../../model/errors.ts'
import type { Policy } from '../../model/medium.ts'
import type { RawRecord } from '../../model/raw/index.ts'
import { withReadErrors } from '../../model/unread.ts'
import type { Place, Range, Reader } from '../../model/world.ts'
import { readersFor } from '../../readers/index.ts'
import type { FsReader } from '../../readers/reader.ts'
import type { FoundVolume, Verdict } from '../../readers/volumes/judging.ts'
import { Tally, mostErrors } from './tally.ts'

/** A reader, and what it is told that the volume is. */
export interface Candidate {
  readonly reader: FsReader
  readonly volume: Volume
}

/** A volume, and who may still be asked about it. */
export interface Task {
  readonly volume: Volume
  /** Where the image ends: a volume that goes on behind it cannot be whole. Infinite for directories. */
  readonly imageBytes: number
  readonly verdict: Verdict | null
  /** Why something may be missing whatever the reader says; null: no cause to think so. */
  readonly doubt: string | null
  /** The first is asked; one that fails, or cannot be asked, is taken out. */
  readonly readers: Candidate[]
  /** Why those before failed, or could not be asked. */
  readonly failures: string[]
  /** Those before, that were asked and failed. */
  readonly failed: string[]
}

/** A reader failed after its entries had begun to pass: whatever was made of them is void. */
export class ReaderFailed extends RunError {
  override readonly tag = 'reader'
}

export const tasksFor = (
  volumes: readonly FoundVolume[],
  imageBytes: number,
  policy: Pick<Policy, 'partitions'>,
): readonly Task[] =>
  volumes.map(({ alsoTypes, verdict: found, doubt = null, ...volume }) => {
    const waived: Verdict = { outcome: 'waived', reason: skipped }
    const verdict = policy.partitions[volume.fs] === 'skip' ? waived : found
    const types = verdict === null ? [volume.type, ...alsoTypes] : []
    const readers = types.flatMap((type) => {
      const as = { ...volume, type }
      return readersFor(as).map((reader) => ({ reader, volume: as }))
    })
    return { volume, imageBytes, verdict, doubt, readers, failures: [], failed: [] }
  })

/** The first that can be used on this machine, with its version; those before it are taken out. Who comes after it is not asked: most are programs. */
async function firstOf(
  { readers, failures }: Task,
  world: Reader,
): Promise<(Candidate & { readonly version: string }) | null> {
  for (let first = readers[0]; first !== undefined; first = readers[0]) {
    const version = await first.reader.version(world, first.volume)
    if (version !== null) return { ...first, version }
    const { name, needs } = first.reader
    failures.push(`${name} cannot be used here${needs === undefined ? '' : ` (it needs ${needs})`}`)
    readers.shift()
  }
  return null
}

/** The records of all volumes, one volume after the other; each one's report is pushed when it has ended. */
export async function* gather(
  image: { readonly place: Place; readonly unread: readonly Range[] },
  tasks: readonly Task[],
  reports: VolumeReport[],
  world: Reader,
): AsyncGenerator<readonly RawRecord[]> {
  const failing = withReadErrors(world, image.place, image.unread)
  let done = 0
  for (const task of tasks) {
    const { volume, verdict, readers, failures } = task
    const failed = task.failed.length === 0 ? {} : { failed: task.failed }
    if (verdict !== null) {
      reports.push({ ...volume, ...verdict, reader: '' })
      continue
    }
    const first = await firstOf(task, world)
    if (first === null) {
      const reason =
        failures.length === 0
          ? `no reader for ${volume.type ?? 'it'}`
          : `no reader left: ${failures.join('; ')}`
      reports.push({ ...volume, outcome: 'unreadable', reason, reader: '', ...failed })
      continue
    }
    const tally = new Tally(
      first.reader.isHearsay === true ? unreadIn(volume, image.unread) : [],
      task.imageBytes,
    )
    try {
      for await (const batch of first.reader.list(image.place, first.volume, failing)) {
        const records = batch.flatMap((found) => tally.take(found, volume.fs))
        yield records
        done += batch.length
        world.progress(done, null, 'records')
        if (tally.errors > mostErrors) break
      }
      if (!tally.root) throw new RunError(`${first.reader.name} listed no root directory`)
    } catch (error) {
      if (!isFailureToRead(error)) throw error
      readers.shift()
      task.failed.push(`${first.reader.name} ${first.version}`)
      failures.push(`${first.reader.name} ${first.version}: ${error.message}`)
      world.line(`volume ${volume.fs}: ${first.reader.name} ${first.version} failed: ${error.message}`)
      throw new ReaderFailed(error.message, { cause: error })
    }
    reports.push({
      ...first.volume,
      ...tally.verdict(volume, task.doubt),
      reader: `${first.reader.name} ${first.version}`,
      ...failed,
    })
  }
}

/** A reader may fail and another be asked; being stopped, or a full disk, is no failure of a reader. */
const isFailureToRead = (error: unknown): error is NttError =>
  error instanceof NttError && !(error instanceof InterruptedError || error instanceof StoreError)
