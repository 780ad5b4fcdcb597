// Work side by side, at most n at a time; all failures are kept, none stops the others.

/** A count of slots; `take` resolves when one is free and gives back the way to free it. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []
  constructor(count: number) {
    this.#free = count
  }
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

/** Maps with at most `width` at work; the results in the order of the items. The first throw is thrown after all have ended. */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const slots = new Slots(Math.max(1, width))
  const ended = await Promise.allSettled(
    items.map(async (item) => {
      const free = await slots.take()
      try {
        return await work(item)
      } finally {
        free()
      }
    }),
  )
  return ended.map((end) => {
    if (end.status === 'rejected') throw end.reason
    return end.value
  })
}

/** Two works side by side. Both have ended when either result, or the failure, is told; the first one's failure counts before the other's. */
export async function both<One, Other>(
  one: Promise<One>,
  other: Promise<Other>,
): Promise<readonly [One, Other]> {
  await Promise.allSettled([one, other])
  return [await one, await other]
}
