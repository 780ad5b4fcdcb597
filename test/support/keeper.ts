// A program that takes numbered contents into a store, and tells of each batch that it has been told of: for tests that cut its power.
//
// node keeper.ts STORE LOG COUNT barriers|none    `none`: the same without a single flush
import { blake3 } from '@napi-rs/blake-hash'
import { openSync, writeSync } from 'node:fs'
import { Slots } from '../../src/model/lanes.ts'
import type { Piece, Stored } from '../../src/model/world.ts'
import { openFolder } from '../../src/ports/store/folder.ts'
import { ingestBatches } from '../../src/ports/store/ingest.ts'
import { openThreads } from '../../src/ports/store/threads.ts'
import { openStore } from '../../src/ports/store/index.ts'

const [root = '', log = '', count = '0', barriers = ''] = process.argv.slice(2)
const { signal } = new AbortController()
const width = 2

/** The content of a number, that no other has: a kilobyte; each 200th has more than a megabyte, which is written piece by piece. */
function content(number: number): Buffer {
  const bytes = number % 200 === 0 ? 1_200_000 : 1000
  return Buffer.from(`${number}\n`.repeat(bytes / 2).slice(0, bytes))
}

async function* pieces(): AsyncGenerator<Piece<number>> {
  for (let key = 0; key < Number(count); key += 1) {
    const bytes = content(key)
    async function* once(): AsyncGenerator<Buffer> {
      yield bytes
    }
    yield { key, size: bytes.length, origin: { type: 'stream', bytes: once() } }
  }
}

async function* withoutBarriers(): AsyncGenerator<readonly Stored<number>[]> {
  const folder = (await openFolder(root, 'control')).temporary()
  yield* ingestBatches(
    pieces(),
    {
      threads: openThreads(root, width),
      lane: {},
      signal,
      folder,
      slots: new Slots(width * 2),
      slabs: [],
      working: new Set(),
      path: (place) => place,
      failure: null,
      moved: () => undefined,
      streams: 0,
    },
    () => Promise.resolve(),
  )
}

const store = openStore({ root, run: `keeper-${process.pid}`, path: (place) => place, width })
const batches =
  barriers === 'none'
    ? withoutBarriers()
    : store.speak({ signal, progress: () => undefined }).ingest(pieces())
const told = openSync(log, 'a')
for await (const batch of batches) {
  for (const one of batch)
    if (!('blob' in one) || one.blob !== blake3(content(one.key)).toString('hex'))
      throw new Error(`content ${one.key} was kept as another`)
  writeSync(told, `${batch.map((one) => ('blob' in one ? one.blob : '')).join(' ')}\n`)
}
await store.close()
process.exit(0)
