// The one stream: a happening is stamped once, written to the log before anybody else sees it, and told to every reader.
import type { Emit, Event } from '../model/event.ts'

export interface StreamOptions {
  readonly run: string
  readonly host: string
  readonly pid: number
  readonly now: () => Date
  /** Told of each event in this order; the log comes first. */
  readonly readers: readonly ((event: Event) => void)[]
}

/** The emitter of a run. A reader that throws (a log that cannot be written) fails the step that spoke. */
export function openStream({ run, host, pid, now, readers }: StreamOptions): Emit {
  let seq = 0
  return (happening) => {
    const event: Event = { ...happening, ts: now().toISOString(), run, host, pid, seq: seq + 1 }
    for (const [at, read] of readers.entries()) {
      read(event)
      // Only what the log has taken is counted: a line that found no room is not missed later.
      if (at === 0) seq += 1
    }
  }
}
