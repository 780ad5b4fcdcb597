// How much of what is kept was read back lately, in one line.
import { credible } from '../model/budget.ts'
import { count, counted } from '../model/counted.ts'
import { age, duration } from './format.ts'

/** What of the store and of the products of media was read back since a moment. */
export interface Covered {
  /** Blobs; `estimated`: the server's estimate of how many there are. */
  readonly blobs: {
    readonly all: number
    readonly fresh: number
    readonly ever: number
    readonly estimated: boolean
  }
  readonly products: { readonly all: number; readonly fresh: number; readonly never: number }
  /** When what was read back longest ago was, ISO 8601; null: nothing ever was. */
  readonly oldest: string | null
}

export function coverageOf(
  store: {
    readonly blobs: number
    readonly estimated: boolean
    readonly fresh: number
    readonly ever: number
    readonly oldest: string | null
  },
  products: readonly { readonly last: string | null }[],
  since: string,
  now: Date,
): Covered {
  const dated = products.flatMap(({ last }) => credible(last, now) ?? [])
  const oldest = [...dated, ...(store.oldest === null ? [] : [store.oldest])].toSorted()[0] ?? null
  return {
    blobs: { all: store.blobs, fresh: store.fresh, ever: store.ever, estimated: store.estimated },
    products: {
      all: products.length,
      fresh: dated.filter((at) => at >= since).length,
      never: products.length - dated.length,
    },
    oldest,
  }
}

/** Never rounded up to all. */
const percent = (part: number, all: number): string =>
  all === 0 ? '100 %' : `${(Math.floor((part / all) * 1000) / 10).toFixed(1)} %`

/**
 * `Read back within 30 d: 43.2 % of 120,000 contents (in budgets, or with all media), 12 of 15 products; the oldest 41 d ago;
 * 9 contents in none of these yet; 3 products never.` What a proof of some media reads of the store is not in the ledger.
 */
export function coverageText({ blobs, products, oldest }: Covered, maxAgeMs: number, nowMs: number): string {
  const all = `${blobs.estimated ? 'about ' : ''}${counted(blobs.all, 'content')}`
  const unread = blobs.all - blobs.ever
  const parts = [
    `${percent(blobs.fresh, blobs.all)} of ${all} (in budgets, or with all media), ${count(products.fresh)} of ${counted(products.all, 'product')}`,
    ...(oldest === null ? [] : [`the oldest ${age(oldest, nowMs)}`]),
    ...(unread > 0 ? [`${counted(unread, 'content')} in none of these yet`] : []),
    ...(products.never > 0 ? [`${counted(products.never, 'product')} never`] : []),
  ]
  return `Read back within ${duration(maxAgeMs / 1000)}: ${parts.join('; ')}.`
}
