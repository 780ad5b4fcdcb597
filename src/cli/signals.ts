// Signals: the first asks to stop after the running steps, the second to stop now. Both end with 130; nothing needs unlocking.
import { InterruptedError } from '../model/errors.ts'

export interface Signals {
  /** Fires at the first signal: start nothing new. */
  readonly stopping: AbortSignal
  /** Fires at the second: end what runs. */
  readonly now: AbortSignal
  /** The same as a first, then a second signal; for keys of the screen. */
  stop(): void
  onStop(tell: () => void): void
  release(): void
}

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function catchSignals(): Signals {
  const stopping = new AbortController()
  const now = new AbortController()
  const stop = (): void => {
    if (stopping.signal.aborted) now.abort(new InterruptedError('stopped'))
    else stopping.abort(new InterruptedError('stopped before the next step'))
  }
  for (const name of names) process.on(name, stop)
  return {
    stopping: stopping.signal,
    now: now.signal,
    stop,
    onStop: (tell) => stopping.signal.addEventListener('abort', tell, { once: true }),
    release: () => {
      for (const name of names) process.off(name, stop)
    },
  }
}
