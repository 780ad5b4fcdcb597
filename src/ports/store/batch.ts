// A batch of contents on their way into the store: handed to threads in shards, streams in slabs, outcomes gathered.
import type { Slots } from '../../model/lanes.ts'
import type { Piece, Range, Stored } from '../../model/world.ts'
import { drain, sizeChanged } from './drain.ts'
import { slabBytes, type Kept, type Read, type Slice } from './jobs.ts'
import { contentWeight, type Lane, type Threads } from './threads.ts'

const shardFiles = 256
const shardBytes = 16 * 1024 * 1024
const batchFiles = 4000
const batchBytes = 256 * 1024 * 1024

/** What all batches of one ingest share. */
export interface Ingest {
  readonly threads: Threads
  readonly lane: Lane
  readonly signal: AbortSignal
  /** Where its temporary files go, below the store. */
  readonly folder: string
  /** As many jobs as may be under way. */
  readonly slots: Slots
  /** Slabs that came back. */
  readonly slabs: ArrayBuffer[]
  /** Told how many more contents, and how many more of their bytes, have been gone through. */
  readonly moved: (contents: number, bytes: number) => void
  /** Absolute path of a place. */
  readonly path: (place: string) => string
  /** What the threads are doing for it. */
  readonly working: Set<Promise<void>>
  /** The first failure: nothing more is begun. */
  failure: unknown
  streams: number
}

/** An open slab, into which contents from streams are gathered. */
interface Slab {
  readonly memory: Buffer
  readonly slices: Slice[]
  readonly indexes: number[]
  filled: number
}

export class Batch<Key> {
  readonly #ingest: Ingest
  readonly #keys: Key[] = []
  readonly #kept: Kept[] = []
  readonly #jobs: Promise<void>[] = []
  #bytes = 0
  #shard: { readonly index: number; readonly read: Read }[] = []
  #shardBytes = 0
  #slab: Slab | null = null
  constructor(ingest: Ingest) {
    this.#ingest = ingest
  }

  get length(): number {
    return this.#keys.length
  }

  get isFull(): boolean {
    return this.#keys.length >= batchFiles || this.#bytes >= batchBytes
  }

  /** Takes a piece; a stream is consumed before this resolves. */
  async add({ key, size, origin, known = false }: Piece<Key>): Promise<void> {
    const index = this.#keys.push(key) - 1
    this.#bytes += size
    if (origin.type === 'stream') {
      if (size <= slabBytes) await this.#gather(index, size, origin.bytes)
      else await this.#pour(index, size, origin.bytes)
      return
    }
    const read =
      origin.type === 'file'
        ? {
            path: origin.inside.toString('latin1'),
            root: origin.root,
            size,
            mtimeNs: origin.mtimeNs ?? null,
            ranges: null,
            known,
          }
        : {
            path: latin1(this.#ingest.path(origin.place)),
            root: null,
            size,
            mtimeNs: null,
            ranges: flat(origin.ranges),
            known,
          }
    this.#shard.push({ index, read })
    this.#shardBytes += size
    if (this.#shard.length >= shardFiles || this.#shardBytes >= shardBytes) await this.#sendShard()
  }

  /** Hands out what is still being gathered. */
  async close(): Promise<void> {
    await this.#sendShard()
    await this.#sendSlab()
  }

  /** Resolves when every content of the batch was read, and written where it was new. */
  async ended(): Promise<void> {
    await Promise.all(this.#jobs)
    if (this.#ingest.failure !== null) throw this.#ingest.failure
  }

  /** Gives the temporary files their names. Of equal contents one is enough. */
  async name(): Promise<void> {
    const names = new Map<string, string>()
    const drop: string[] = []
    for (const [index, kept] of this.#kept.entries()) {
      if (!('blob' in kept) || kept.temp === null) continue
      if (!names.has(kept.blob)) names.set(kept.blob, kept.temp)
      else {
        drop.push(kept.temp)
        this.#kept[index] = { ...kept, temp: null }
      }
    }
    const { threads, lane, signal } = this.#ingest
    const pairs = [...names].map(([blob, temp]) => [temp, blob] as const)
    const asked = [{ names: [] as typeof pairs, drop }]
    const share = Math.ceil(pairs.length / threads.width)
    for (let at = 0; at < pairs.length; at += share)
      asked.push({ names: pairs.slice(at, at + share), drop: [] })
    await Promise.all(asked.map((one) => threads.ask(lane, 'name', one, { signal })))
  }

  outcomes(): readonly Stored<Key>[] {
    return this.#keys.map((key, index) => {
      const kept = this.#kept[index]
      if (kept === undefined) throw new Error('a content has no outcome')
      return 'blob' in kept
        ? { key, blob: kept.blob, bytes: kept.bytes, fresh: kept.temp !== null }
        : { key, failure: { class: kept.class, message: kept.message } }
    })
  }

  async #sendShard(): Promise<void> {
    const shard = this.#shard
    if (shard.length === 0) return
    const bytes = this.#shardBytes
    this.#shard = []
    this.#shardBytes = 0
    const { threads, lane, folder, signal, moved } = this.#ingest
    await this.#begin(async () => {
      const reads = shard.map(({ read }) => read)
      const told = { contents: 0, bytes: 0 }
      const progress = (done: number, contents: number): void => {
        moved(contents - told.contents, done - told.bytes)
        told.contents = contents
        told.bytes = done
      }
      const weight = bytes + reads.length * contentWeight
      const kept = await threads.ask(lane, 'read', { folder, reads }, { signal, progress, weight })
      for (const [at, { index }] of shard.entries()) this.#settle(index, kept[at])
      moved(shard.length - told.contents, bytes - told.bytes)
    })
  }

  /** A content that fits into a slab shares one with others. */
  async #gather(index: number, size: number, bytes: AsyncIterable<Buffer>): Promise<void> {
    if (this.#slab !== null && this.#slab.filled + size > slabBytes) await this.#sendSlab()
    const slab = (this.#slab ??= this.#takeSlab())
    const start = slab.filled
    let got = 0
    const failure = await drain(bytes, (chunk) => {
      if (got + chunk.length <= size) chunk.copy(slab.memory, start + got)
      got += chunk.length
    })
    if (failure !== null || got !== size) {
      this.#settle(index, failure ?? sizeChanged(size, got))
      return this.#ingest.moved(1, size)
    }
    slab.slices.push({ start, end: start + size })
    slab.indexes.push(index)
    slab.filled += size
  }

  async #sendSlab(): Promise<void> {
    const slab = this.#slab
    this.#slab = null
    if (slab === null) return
    const { threads, lane, folder, signal, slabs, moved } = this.#ingest
    const memory = slab.memory.buffer as ArrayBuffer
    await this.#begin(async () => {
      const kept = await threads.ask(
        lane,
        'slab',
        { folder, slab: memory, slices: slab.slices },
        {
          signal,
          weight: slab.filled + slab.slices.length * contentWeight,
          transfer: [memory],
          returned: (back) => slabs.push(back),
        },
      )
      for (const [at, index] of slab.indexes.entries()) this.#settle(index, kept[at])
      moved(slab.indexes.length, slab.filled)
    })
  }

  /** A content that is larger than a slab goes to one thread, slab by slab. */
  async #pour(index: number, size: number, bytes: AsyncIterable<Buffer>): Promise<void> {
    const { threads, lane, folder, signal, slabs, moved } = this.#ingest
    const stream = (this.#ingest.streams += 1)
    const on = threads.pick(lane)
    let [got, filled, told] = [0, 0, 0]
    let slab = this.#takeSlab().memory
    const send = async (end: 'keep' | 'drop' | null, memory: ArrayBuffer, count: number): Promise<void> => {
      await this.#begin(async () => {
        const kept = await threads.ask(
          lane,
          'part',
          { folder, stream, slab: memory, bytes: count, end },
          { on, signal, weight: count, transfer: [memory], returned: (back) => slabs.push(back) },
        )
        if (kept !== null) this.#settle(index, kept)
        const [contents, more] = end === null ? [0, count] : [1, size - told]
        told += more
        moved(contents, more)
      })
    }
    let whole = false
    try {
      const failure = await drain(bytes, async (chunk) => {
        got += chunk.length
        for (let taken = 0; taken < chunk.length && got <= size;) {
          const count = chunk.copy(slab, filled, taken)
          taken += count
          filled += count
          if (filled < slabBytes) continue
          await send(null, slab.buffer as ArrayBuffer, filled)
          slab = this.#takeSlab().memory
          filled = 0
        }
      })
      if (failure === null && got === size) {
        await send('keep', slab.buffer as ArrayBuffer, filled)
        whole = true
      } else this.#settle(index, failure ?? sizeChanged(size, got))
    } finally {
      if (!whole) await send('drop', new ArrayBuffer(0), 0)
    }
  }

  #takeSlab(): Slab {
    const memory = Buffer.from(this.#ingest.slabs.pop() ?? new ArrayBuffer(slabBytes))
    return { memory, slices: [], indexes: [], filled: 0 }
  }

  /** Waits for a free slot, then lets the job run; its failure ends the ingest. */
  async #begin(job: () => Promise<void>): Promise<void> {
    const { slots, working } = this.#ingest
    const free = await slots.take()
    const ended = job()
      .catch((error: unknown) => {
        this.#ingest.failure ??= error
      })
      .finally(() => {
        free()
        working.delete(ended)
      })
    working.add(ended)
    this.#jobs.push(ended)
  }

  #settle(index: number, kept: Kept | undefined): void {
    if (kept === undefined) throw new Error('a thread answered for fewer contents than it was given')
    this.#kept[index] = kept
  }
}

const flat = (ranges: readonly Range[]): readonly number[] => ranges.flatMap(({ start, end }) => [start, end])

const latin1 = (path: string): string => Buffer.from(path).toString('latin1')
