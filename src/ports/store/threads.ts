// The store's threads: they read, hash and write. Started when first needed.
import { Worker } from 'node:worker_threads'
import type { Ask, Answer, Broken, JobName, Jobs, ThreadSetup } from './jobs.ts'

/** A job failed; what failed, as the thread tells it. */
export class JobFailure extends Error {
  readonly broken: Broken
  constructor(broken: Broken) {
    super(broken.message)
    this.broken = broken
  }
}

/** Those for whom jobs are done: a medium's step, say. One that a slow drive keeps waiting holds up no other. */
export type Lane = object

export interface JobOptions {
  /** Ends a long job soon after it fires. */
  readonly signal?: AbortSignal
  /** Which thread; where left out, one that is not held up by another lane. */
  readonly on?: Thread
  /** How much there is to do: bytes, and `contentWeight` for each content. */
  readonly weight?: number
  /** Given away to the thread. */
  readonly transfer?: readonly ArrayBuffer[]
  /** Told how far a long job is: bytes, and contents that it is done with. */
  readonly progress?: (done: number, contents: number) => void
  /** Told of the slab that comes back. */
  readonly returned?: (slab: ArrayBuffer) => void
}

export interface Threads {
  /** How many keep the processor busy. */
  readonly width: number
  /** A thread that this lane may use for jobs that must all be done by one. */
  pick(lane: Lane): Thread
  ask<Name extends JobName>(
    lane: Lane,
    job: Name,
    what: Jobs[Name]['ask'],
    options?: JobOptions,
  ): Promise<Jobs[Name]['answer']>
  /** Ends all threads; what they were doing fails. */
  close(): Promise<void>
}

/** Beside this file: its source, or its bundle. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.mjs', import.meta.url)

/** A content costs calls, however short it is: as much as so many bytes. */
export const contentWeight = 64 * 1024

/** More lanes than this share threads. */
const most = 32

/**
 * Calls of a thread are synchronous, and a drive may let one wait for minutes. So each lane that is at work has a thread for itself; a
 * second one only while there are fewer at work than keep the processor busy.
 *
 * @param root absolute path of the store
 */
export function openThreads(root: string, width: number): Threads {
  const threads: Thread[] = []
  let ids = 0
  const start = (): Thread => {
    const fresh = new Thread({ root, thread: String(threads.length) })
    threads.push(fresh)
    return fresh
  }
  const pick = (lane: Lane): Thread => {
    const own = threads.filter((thread) => thread.serves(lane))
    const working = threads.filter(({ busy }) => busy > 0)
    if (own.length === 0 || working.length < width) {
      const idle = threads.find(({ busy }) => busy === 0)
      if (idle !== undefined) return idle
      if (threads.length < most) return start()
    }
    return leastBusy(own.length > 0 ? own : threads) ?? start()
  }
  return {
    width,
    pick,
    async ask(lane, job, what, { on, ...options } = {}) {
      ids += 1
      return (await (on ?? pick(lane)).ask(
        lane,
        { job, id: ids, ...what } as Ask,
        options,
      )) as Jobs[typeof job]['answer']
    },
    async close() {
      await Promise.all(threads.splice(0).map((thread) => thread.end()))
    },
  }
}

const leastBusy = (threads: readonly Thread[]): Thread | undefined =>
  threads.toSorted((one, other) => one.load - other.load || one.busy - other.busy)[0]

interface Waiting {
  readonly lane: Lane
  readonly resolve: (answer: Jobs[JobName]['answer']) => void
  readonly reject: (error: Error) => void
  readonly options: JobOptions
}

export class Thread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #ended: Error | null = null
  constructor(setup: ThreadSetup) {
    // It closes what the C library opened for it, which Node's own list of open files does not know.
    this.#worker = new Worker(entry, {
      workerData: setup,
      execArgv: [],
      name: `store-${setup.thread}`,
      trackUnmanagedFds: false,
    })
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => this.#fail(new Error('a thread of the store has ended')))
  }

  /** How many jobs it has. */
  get busy(): number {
    return this.#waiting.size
  }

  /** What they weigh. */
  get load(): number {
    let load = 0
    for (const { options } of this.#waiting.values()) load += options.weight ?? 0
    return load
  }

  /** It is at work, for this lane alone. */
  serves(lane: Lane): boolean {
    return this.busy > 0 && [...this.#waiting.values()].every((one) => one.lane === lane)
  }

  ask(lane: Lane, ask: Ask, options: JobOptions): Promise<Jobs[JobName]['answer']> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) return reject(this.#ended)
      // A process waits for its threads only as long as they have something to do.
      if (this.#waiting.size === 0) this.#worker.ref()
      const stop = (): void => this.#worker.postMessage({ stop: ask.id })
      options.signal?.addEventListener('abort', stop, { once: true })
      const done = (): void => options.signal?.removeEventListener('abort', stop)
      this.#waiting.set(ask.id, {
        lane,
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
        options,
      })
      this.#worker.postMessage(ask, options.transfer ?? [])
    })
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    if (waiting === undefined) return
    if ('done' in answer) return waiting.options.progress?.(answer.done, answer.contents)
    this.#waiting.delete(answer.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('broken' in answer) return waiting.reject(new JobFailure(answer.broken))
    if (answer.slab !== undefined) waiting.options.returned?.(answer.slab)
    waiting.resolve(answer.answer)
  }

  #fail(error: Error): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#ended)
    this.#waiting.clear()
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}
