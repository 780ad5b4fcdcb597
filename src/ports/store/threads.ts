// The store's threads: a few that read, hash and write, and one that only flushes. Started when first needed.
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

export interface JobOptions {
  /** Ends a long job soon after it fires. */
  readonly signal?: AbortSignal
  /** Which thread; where left out, the one with the least to do. */
  readonly on?: number
  /** Given away to the thread. */
  readonly transfer?: readonly ArrayBuffer[]
  /** Told how far a long job is. */
  readonly progress?: (done: number) => void
  /** Told of the slab that comes back. */
  readonly returned?: (slab: ArrayBuffer) => void
}

export interface Threads {
  /** How many read, hash and write. */
  readonly width: number
  ask<Name extends JobName>(
    job: Name,
    what: Jobs[Name]['ask'],
    options?: JobOptions,
  ): Promise<Jobs[Name]['answer']>
  /** Ends all threads; what they were doing fails. */
  close(): Promise<void>
}

/** Beside this file: its source, or its bundle. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.mjs', import.meta.url)

/** @param root absolute path of the store */
export function openThreads(root: string, width: number): Threads {
  const threads: (Thread | null)[] = Array.from({ length: width + 1 }, () => null)
  let ids = 0
  const take = (thread: number): Thread => (threads[thread] ??= new Thread({ root, thread }))
  const leastBusy = (): number => {
    const busy = threads.slice(0, width).map((thread) => thread?.busy ?? 0)
    return busy.indexOf(Math.min(...busy))
  }
  return {
    width,
    async ask(job, what, { on, ...options } = {}) {
      // The last one only flushes, so that a slow disk holds up nobody who reads.
      const thread = take(job === 'flush' || job === 'watch' ? width : (on ?? leastBusy()))
      ids += 1
      return (await thread.ask({ job, id: ids, ...what } as Ask, options)) as Jobs[typeof job]['answer']
    },
    async close() {
      await Promise.all(threads.filter((thread) => thread !== null).map((thread) => thread.end()))
      threads.fill(null)
    },
  }
}

interface Waiting {
  readonly resolve: (answer: Jobs[JobName]['answer']) => void
  readonly reject: (error: Error) => void
  readonly options: JobOptions
}

class Thread {
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

  get busy(): number {
    return this.#waiting.size
  }

  ask(ask: Ask, options: JobOptions): Promise<Jobs[JobName]['answer']> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) return reject(this.#ended)
      // A process waits for its threads only as long as they have something to do.
      if (this.#waiting.size === 0) this.#worker.ref()
      const stop = (): void => this.#worker.postMessage({ stop: ask.id })
      options.signal?.addEventListener('abort', stop, { once: true })
      const done = (): void => options.signal?.removeEventListener('abort', stop)
      this.#waiting.set(ask.id, {
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
    if ('done' in answer) return waiting.options.progress?.(answer.done)
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
