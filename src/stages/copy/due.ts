// The files that are due to be copied, in the order of the enumeration, and what is known of each before it is read.
import { damageOf, unreadIn } from '../../model/damage.ts'
import type { Entry } from '../../model/entry.ts'
import type { Medium } from '../../model/medium.ts'
import { rawPlace } from '../../model/places.ts'
import { decodeRaw, type RawTail } from '../../model/raw/index.ts'
import type { Range, Reader } from '../../model/world.ts'
import { keyText, knownSizes, readOutcomes, signed, type Before } from './outcomes.ts'
import type { Named, Worklist } from './worklist.ts'

/** What is known of a file before it is read. */
export interface Hint {
  readonly known: boolean
  readonly attempts: number
}

const askedAtOnce = 1000
/** From this size on it is worth asking whether a content of this size is known. */
const large = 1024 * 1024

const unknown: Hint = { known: false, attempts: 0 }

/** Whether a file is due though it has this outcome. */
export type Wanted = (outcome: Before, name: Named) => boolean

/** What is due again of a medium that was copied before; `replace`: what failed is to be tried anew. */
export function wantedAgain(unread: readonly Range[], { volumes }: RawTail, replace: boolean): Wanted {
  const hits = new Map(volumes.map((volume) => [volume.fs, unreadIn(volume, unread)]))
  return ({ state, again }, { fs, entry }) => {
    switch (state) {
      case 'b':
        return damageOf(entry, hits.get(fs) ?? []) !== null
      // It would not be on the list if it were still left out.
      case 'x':
        return true
      case 'd':
        return replace
      case 'e':
        return replace || again
      default:
        return state satisfies never
    }
  }
}

/** Told of files that have their outcome. */
type Count = (done: readonly Entry[]) => void

/** The list of one copying. */
export class Due {
  readonly #medium: Medium
  readonly #id: number
  readonly #list: Worklist
  readonly #world: Reader
  readonly #hints = new WeakMap<Entry, Hint>()
  constructor(medium: Medium, id: number, list: Worklist, world: Reader) {
    this.#medium = medium
    this.#id = id
    this.#list = list
    this.#world = world
  }

  hint(entry: Entry): Hint {
    return this.#hints.get(entry) ?? unknown
  }

  /** In the order of the enumeration; `count` is told of those that are done already. */
  async *names(wanted: Wanted, fresh: boolean, count: Count): AsyncGenerator<Named> {
    let waiting: Named[] = []
    for await (const records of decodeRaw(this.#world.read(rawPlace(this.#medium)))) {
      waiting.push(...this.#list.due(records))
      if (waiting.length < askedAtOnce) continue
      yield* await this.#ask(waiting, wanted, fresh, count)
      waiting = []
    }
    yield* await this.#ask(waiting, wanted, fresh, count)
  }

  /** Leaves those out that are done, and notes what is known of the others. */
  async #ask(
    names: readonly Named[],
    wanted: Wanted,
    fresh: boolean,
    count: Count,
  ): Promise<readonly Named[]> {
    const keys = names.map(({ fs, entry }) => ({ fs, ino: signed(entry.ino) }))
    const there = fresh ? new Map<string, Before>() : await readOutcomes(this.#id, keys, this.#world)
    const sizes = await knownSizes(
      names.map(({ entry }) => entry.size).filter((size) => size > large),
      this.#world,
    )
    const due: Named[] = []
    const done: Entry[] = []
    for (const [at, name] of names.entries()) {
      const key = keys[at]
      const outcome = key === undefined ? undefined : there.get(keyText(key))
      if (outcome !== undefined && !wanted(outcome, name)) {
        done.push(name.entry)
        continue
      }
      this.#hints.set(name.entry, { known: sizes.has(name.entry.size), attempts: outcome?.attempts ?? 0 })
      due.push(name)
    }
    count(done)
    return due
  }
}
