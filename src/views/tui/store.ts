// The state of the screen, outside React: events are folded as they come, the screen is told at most eight times a second.
import type { Event } from '../../model/event.ts'
import { fold } from '../../model/progress.ts'
import { emptyRun, type RunView } from '../../model/run-view.ts'
import { detailLines } from './detail.ts'
import { layoutOf, type Layout } from './layout.ts'
import { firstLook, pressed, type Extent, type Key, type Look } from './look.ts'

/** Everything that one frame shows. */
export interface Picture {
  readonly view: RunView
  readonly look: Look
  readonly layout: Layout
  readonly nowMs: number
  readonly purpose: Purpose
}

/** What the keys ask of the run. */
export interface Commands {
  pause(paused: boolean): void
  /** `again`: the person has asked before, and wants it now. */
  stop(again: boolean): void
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** `run`: keys steer the run. `watch`: somebody else's run, or one that is over; keys only look. */
export type Purpose = 'run' | 'watch'

export interface StoreOptions {
  readonly purpose?: Purpose
  readonly commands: Commands
  readonly size: Size
  readonly now: () => number
}

export class ScreenStore {
  #view: RunView = emptyRun
  #picture: Picture
  #stale = false
  readonly #commands: Commands
  readonly #now: () => number
  readonly #listeners = new Set<() => void>()

  constructor({ purpose = 'run', commands, size, now }: StoreOptions) {
    this.#commands = commands
    this.#now = now
    this.#picture = {
      view: emptyRun,
      look: firstLook,
      layout: layoutOf(emptyRun, firstLook, size),
      nowMs: now(),
      purpose,
    }
  }

  readonly picture = (): Picture => this.#picture

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The folded view of all that was read. */
  readonly view = (): RunView => this.#view

  /** Another view altogether, for who does not follow events. */
  show(view: RunView): void {
    this.#view = view
    this.#stale = true
  }

  read(event: Event): void {
    this.#view = fold(this.#view, event)
    this.#stale = true
  }

  /** To be called some times a second: shows what has come since, and lets the clock go on while something is at work. */
  tick(): void {
    const nowMs = this.#now()
    const anotherSecond = Math.floor(nowMs / 1000) !== Math.floor(this.#picture.nowMs / 1000)
    if (this.#stale || (anotherSecond && this.#view.finished === null)) this.#draw({ nowMs })
  }

  press(key: Key): void {
    const before = this.#picture.look
    const look = pressed(before, key, this.#view, this.#extent())
    if (this.#picture.purpose === 'run' && look.paused !== before.paused) this.#commands.pause(look.paused)
    if (look.stops !== before.stops) this.#commands.stop(look.stops > 1)
    this.#draw({ look })
  }

  #extent(): Extent {
    const { look, layout, nowMs } = this.#picture
    const place = look.pane === 'detail' ? this.#view.places.get(look.selected ?? '') : undefined
    const medium = place === undefined ? undefined : this.#view.media[place]
    const lines = medium === undefined ? 0 : detailLines(medium, nowMs, layout.columns, false).length
    return { list: layout.list, scroll: Math.max(0, lines - layout.list - 1) }
  }

  resize(size: Size): void {
    this.#draw({ size })
  }

  #draw({
    look = this.#picture.look,
    size = this.#picture.layout,
    nowMs = this.#now(),
  }: Partial<Shown>): void {
    this.#stale = false
    this.#picture = {
      ...this.#picture,
      view: this.#view,
      look,
      layout: layoutOf(this.#view, look, size),
      nowMs,
    }
    for (const listener of this.#listeners) listener()
  }
}

interface Shown {
  readonly look: Look
  readonly size: Size
  readonly nowMs: number
}
