// Contents into the store, batch by batch, each durable before it is told of.
//
// A batch is read, hashed and written to temporary files; a flush of the filesystem makes the contents durable; they get
// their names; the next batch's flush makes the names durable. So a name is never there before its content, and nobody
// hears of a blob before its name is there for good. While one batch is flushed the next one is read.
import type { Piece, Stored } from '../../model/world.ts'
import { Batch, type Ingest } from './batch.ts'
import { stopIfAsked } from '../errno.ts'

/** @param flush resolves when all that was written before it was called is durable */
export async function* ingestBatches<Key>(
  pieces: AsyncIterable<Piece<Key>>,
  ingest: Ingest,
  flush: () => Promise<void>,
): AsyncGenerator<readonly Stored<Key>[]> {
  let named: Batch<Key> | null = null
  const giveUp = (): void => {
    ingest.failure ??= new Error('nobody waits for it any more')
  }
  for await (const batch of ahead(gather(pieces, ingest), giveUp)) {
    await batch.ended()
    stopIfAsked(ingest.signal)
    await flush()
    await batch.name()
    if (named !== null) yield named.outcomes()
    named = batch
  }
  if (named === null) return
  await flush()
  yield named.outcomes()
}

/** Batches whose contents have all been handed out; they need not have been read yet. */
async function* gather<Key>(pieces: AsyncIterable<Piece<Key>>, ingest: Ingest): AsyncGenerator<Batch<Key>> {
  let batch = new Batch<Key>(ingest)
  for await (const piece of pieces) {
    if (ingest.failure !== null) throw ingest.failure
    stopIfAsked(ingest.signal)
    await batch.add(piece)
    if (!batch.isFull) continue
    await batch.close()
    yield batch
    batch = new Batch(ingest)
  }
  await batch.close()
  if (batch.length > 0) yield batch
}

/** The same values; each next one is being made while the caller works on the one before. `giveUp`: the caller has left. */
async function* ahead<T>(source: AsyncGenerator<T>, giveUp: () => void): AsyncGenerator<T> {
  const begin = (): Promise<IteratorResult<T>> => {
    const next = source.next()
    // It is awaited later; until then its failure is nobody's surprise.
    next.catch(() => undefined)
    return next
  }
  let next = begin()
  try {
    for (;;) {
      const got = await next
      if (got.done === true) return
      next = begin()
      yield got.value
    }
  } finally {
    giveUp()
    await next.catch(() => undefined)
    await source.return(undefined)
  }
}
