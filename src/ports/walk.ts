// Everything below a directory, as bytes: begun here, and where it is large gone on with by a thread, so that one looks while the other writes down.
import { on, once } from 'node:events'
import { setImmediate as breathe } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Entry, EntryError } from '../model/entry.ts'
import { stopIfAsked, unseen } from './errno.ts'
import { metIn } from './walk/block.ts'
import { giveUp, goOn, isPlain, setOut, type Going } from './walk/going.ts'
import type { Told } from './walk/thread.ts'

type Met = readonly (Entry | EntryError)[]

/** A directory of more bytes than this has some million names, and they are not held all at once. */
const mostSorted = 16 * 1024 * 1024
/** Slices after which a thread is started: what has fewer is done before it would be ready. */
const manySlices = 32

/** Beside this file: its source, or its bundle. */
const entry = new URL(
  import.meta.url.endsWith('.ts') ? './walk/thread.ts' : './walk-thread.mjs',
  import.meta.url,
)

/**
 * The root and all that is below it, a directory before its entries, names in byte order; those of a directory with a million names or more
 * in the order in which the filesystem has them. Links are not followed, other
 * filesystems not entered (told as an error `other-filesystem`), files not opened. What cannot be looked at is told in
 * its place; only a root that cannot be looked at throws, and a machine that has run out of files or memory. A directory is listed by the way that leads to it without any link,
 * and looked at again when its last name has been: one that was put in its place meanwhile is told as an error (ENOTDIR for a link, ESTALE for another directory).
 * `sorted`: bytes of a directory up to which its names are put in order; `alone`: slices after which a thread is started.
 */
export async function* walkDirectory(
  directory: string,
  signal: AbortSignal,
  { sorted = mostSorted, alone = manySlices } = {},
): AsyncGenerator<Met> {
  const { going, block: first } = setOut(directory, sorted)
  let thread: WalkThread | null = null
  let slices = 0
  try {
    for (const block of goOn(going, first)) {
      yield metIn(block)
      await breathe()
      stopIfAsked(signal)
      slices += 1
      if (slices === alone) thread = new WalkThread()
      if (thread?.isReady === true && isPlain(going)) break
    }
    if (thread !== null && going.open.length > 0) yield* thread.goOn(going, signal)
  } catch (error) {
    throw unseen(`walk ${directory}`, error)
  } finally {
    giveUp(going)
    await thread?.end()
  }
}

class WalkThread {
  isReady = false
  #isAtWork = false
  readonly #worker = new Worker(entry, { execArgv: [], name: 'walk', trackUnmanagedFds: false })
  readonly #ended = once(this.#worker, 'exit').catch(() => {})

  constructor() {
    // One that cannot be started is not needed.
    once(this.#worker, 'message').then(
      () => (this.isReady = true),
      () => {},
    )
  }

  /** What is open is the thread's from now on. */
  async *goOn({ open, ...going }: Going, signal: AbortSignal): AsyncGenerator<Met> {
    this.#isAtWork = true
    this.#tell({ ...going, open: open.splice(0) })
    for await (const [block] of on(this.#worker, 'message', { close: ['exit'] }) as AsyncIterable<
      [Uint8Array<ArrayBuffer> | null]
    >) {
      if (block === null) return
      yield metIn(block)
      stopIfAsked(signal)
      this.#tell('taken')
    }
    throw new Error('the thread of a walk ended before the walk')
  }

  /** It closes what it has open, and is gone. */
  async end(): Promise<void> {
    if (this.#isAtWork) this.#tell('stop')
    else await this.#worker.terminate()
    await this.#ended
  }

  #tell(told: Told): void {
    this.#worker.postMessage(told)
  }
}
