// The store of contents: each once, in a file named by its BLAKE3, mode 0444, at aa/bb/<64 hex> below `by-hash:`.
import { availableParallelism } from 'node:os'
import { NttError, RunError, StoreError } from '../../model/errors.ts'
import { Slots } from '../../model/lanes.ts'
import type { Digest, Place, Reader, Unit, Writer } from '../../model/world.ts'
import { openHasher } from '../blake3.ts'
import { markOf } from '../mark.ts'
import { stopReason, unseen, unwritten } from '../errno.ts'
import { packFrames } from '../zstd.ts'
import { openFolder, type StoreFolder } from './folder.ts'
import { openBarrier, type Barrier } from './barrier.ts'
import type { Ingest } from './batch.ts'
import { Flushed } from './flushed.ts'
import { ingestBatches } from './ingest.ts'
import type { JobName, Jobs } from './jobs.ts'
import { JobFailure, openThreads, type JobOptions } from './threads.ts'

export interface StoreOptions {
  /** Absolute path of the store. */
  readonly root: string
  readonly run: string
  /** Absolute path of a place. */
  readonly path: (place: Place) => string
  /** How many threads read, hash and write; two to four by the machine where left out. */
  readonly width?: number
}

/** For whom a verb of the store works. */
export interface StoreSpeaker {
  readonly signal: AbortSignal
  readonly progress: (done: number, total: number | null, unit: Unit) => void
}

type Verb =
  | 'digest'
  | 'digestOnce'
  | 'hasher'
  | 'blobs'
  | 'writable'
  | 'rehash'
  | 'ingest'
  | 'storeId'
  | 'pack'

export interface Store {
  speak(speaker: StoreSpeaker): Pick<Writer, Verb>
  /** Ends the threads and gives up the run's folder. */
  close(): Promise<void>
}

const lookIds = 1000
const hashIds = 64

/** Nothing is started or made before it is needed. */
export function openStore({ root, run, path, width }: StoreOptions): Store {
  const threads = openThreads(root, width ?? Math.max(2, Math.min(4, availableParallelism())))
  const digests = new Map<string, { readonly mark: string; readonly digest: Digest }>()
  let opening: Promise<Opened> | null = null
  const open = (): Promise<Opened> => {
    // What is opened to be written to has work for one at least, and starting it takes longer than what comes before that.
    if (opening === null) threads.pick({})
    return (opening ??= openBoth(root, run))
  }

  return {
    speak({ signal, progress }) {
      const lane = {}
      const ask = <Name extends JobName>(
        job: Name,
        what: Jobs[Name]['ask'],
        options: JobOptions = {},
      ): Promise<Jobs[Name]['answer']> =>
        threads.ask(lane, job, what, { signal, ...options }).catch((error: unknown) => {
          throw failure(error, root, signal)
        })
      const digest: Reader['digest'] = async (place, range) => {
        const [start, end] = [range?.start ?? 0, range?.end ?? Number.POSITIVE_INFINITY]
        const total = Number.isFinite(end) ? end - start : null
        const before = range === undefined ? await markOf(path(place)) : null
        const read = await ask(
          'digest',
          { path: path(place), start, end },
          { progress: (done) => progress(done, total, 'bytes') },
        )
        if (before !== null && before === (await markOf(path(place))))
          digests.set(path(place), { mark: before, digest: read })
        return read
      }
      return {
        hasher: openHasher,
        storeId: async () => (await open()).folder.id,
        digest,
        async digestOnce(place) {
          const known = digests.get(path(place))
          return known?.mark === (await markOf(path(place))) ? known.digest : digest(place)
        },
        pack: (content) =>
          packFrames(content, (slab, bytes) => ask('pack', { slab, bytes }), threads.width + 1),
        async blobs(ids) {
          const sizes = new Map<string, number>()
          await Promise.all(
            slices(ids, lookIds).map(async (some) => {
              const found = await ask('sizes', { ids: some })
              for (const [index, id] of some.entries()) {
                const bytes = found[index] ?? -1
                if (bytes >= 0) sizes.set(id, bytes)
              }
            }),
          )
          return sizes
        },
        writable: async (ids) =>
          (await Promise.all(slices(ids, lookIds).map((some) => ask('writable', { ids: some })))).flat(),
        rehash: (ids) =>
          rehashAll(
            ids,
            threads.width * 2,
            (some, told) => ask('rehash', { ids: some }, { progress: told }),
            (bytes) => progress(bytes, null, 'bytes'),
          ),
        async *ingest(pieces, moved = () => {}) {
          const { folder, barrier } = await open()
          const temporary = folder.temporary()
          const flushed = new Flushed(() => barrier.pass(), moved)
          const ingest: Ingest = {
            threads,
            lane,
            signal,
            folder: temporary,
            slots: new Slots(threads.width * 2),
            slabs: [],
            moved: (contents, bytes) => flushed.moved(contents, bytes),
            working: new Set(),
            path,
            failure: null,
            streams: 0,
          }
          try {
            yield* ingestBatches(pieces, ingest, () => flushed.flush())
          } catch (error) {
            throw failure(error, root, signal)
          } finally {
            // Nothing may be at work when the temporary files are removed.
            await Promise.all(ingest.working)
            await flushed.end()
            folder.remove(temporary)
          }
        },
      }
    },
    async close() {
      const opened = await opening?.catch(() => null)
      opening = null
      await threads.close()
      await opened?.barrier.close()
      opened?.folder.close()
    },
  }
}

/** What there is of a store that is written to. */
interface Opened {
  readonly folder: StoreFolder
  readonly barrier: Barrier
}

async function openBoth(root: string, run: string): Promise<Opened> {
  const folder = await openFolder(root, run)
  try {
    return { folder, barrier: await openBarrier(root) }
  } catch (error) {
    folder.close()
    throw error
  }
}

/** Blobs re-read side by side, a few at a time; `passed` is told all bytes that were read so far. */
async function* rehashAll(
  ids: AsyncIterable<readonly string[]>,
  width: number,
  rehash: (ids: readonly string[], told: (bytes: number) => void) => Promise<Jobs['rehash']['answer']>,
  passed: (bytes: number) => void,
): ReturnType<Reader['rehash']> {
  const working: Promise<readonly { id: string; bytes: number; blake3: string | null }[]>[] = []
  let all = 0
  const read = async (some: readonly string[]) => {
    let own = 0
    // One that breaks off in the middle counts as what was read of it.
    const told = (bytes: number): void => {
      all += Math.max(0, bytes - own)
      own = Math.max(own, bytes)
      passed(all)
    }
    const found = await rehash(some, told)
    told(found.reduce((sum, { bytes }) => sum + bytes, 0))
    return found.map((one, index) => ({ id: some[index] ?? '', ...one }))
  }
  try {
    for await (const batch of ids) {
      for (const some of slices(batch, hashIds)) {
        const found = read(some)
        found.catch(() => undefined)
        working.push(found)
        const first = working.length >= width ? working.shift() : undefined
        if (first !== undefined) yield await first
      }
    }
    for (let first = working.shift(); first !== undefined; first = working.shift()) yield await first
  } finally {
    await Promise.allSettled(working)
  }
}

function slices<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
    all.slice(at * size, (at + 1) * size),
  )
}

/** What lies where a content is to be named, by what the call that would name it says. */
const inTheWay: Readonly<Record<string, string>> = {
  EISDIR: 'a folder lies under the name of a content',
  ENOTDIR: 'a file lies where a folder of the store belongs',
  EEXIST: 'a file lies where a folder of the store belongs',
}

/** What a thread could not do, as one of our errors. */
function failure(error: unknown, root: string, signal?: AbortSignal): unknown {
  if (signal?.aborted === true && !(error instanceof NttError)) return stopReason(signal, error)
  if (!(error instanceof JobFailure)) return error
  const { message, errno, path, writing } = error.broken
  const cause = errno === null ? error : Object.assign(new Error(message), { code: errno })
  if (!writing) return unseen(`read ${path}`, cause)
  if (errno === null) return new StoreError(`cannot write by-hash: (${root}): ${message}`, { cause: error })
  if (errno === 'ENOENT') {
    const hint =
      'Something removed or replaced it while it was written to. Find out what, then run the same command again.'
    return new StoreError(`cannot write by-hash: (${path}): the directory has gone`, { cause, hint })
  }
  const found = inTheWay[errno]
  if (found !== undefined)
    return new RunError(`cannot write by-hash: (${path}): ${found} (${errno})`, {
      cause,
      hint: 'It is nothing of ours: look what it is, move it away, and run the same command again.',
    })
  return unwritten('by-hash:', path, cause)
}
