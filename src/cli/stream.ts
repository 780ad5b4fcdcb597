// The one stream: a happening is stamped once, written to the log before anybody else sees it, and told to every reader.
import type { Emit, Event } from '../model/event.ts'

export interface StreamOptions {
  readonly run: string
  readonly host: string
  readonly pid: number
  readonly now: () => Date
  /** Lines of this run that the log has: one that found no room is not missed later, and one whose flush failed is there. */
  readonly taken: () => number
  /** Told of each event in this order; the log comes first. */
  readonly readers: readonly ((event: Event) => void)[]
}

/** The emitter of a run. A reader that throws (a log that cannot be written) fails the step that spoke. */
export function openStream({ run, host, pid, now, taken, readers }: StreamOptions): Emit {
  return (happening) => {
    const event: Event = { ...happening, ts: now().toISOString(), run, host, pid, seq: taken() + 1 }
    for (const read of readers) read(event)
  }
}
