// The ledger of the store: which ranges of the hash space were read back when; nobody else knows its table.
import { credible } from './model/budget.ts'
import { ObserveError } from './model/errors.ts'
import type { Reader, Transaction } from './model/world.ts'

type Query = Reader['query']

/** Positions are the first 48 bits of a hash. */
export const positions = 2 ** 48
/** From this many blobs on, how many there are is what the server estimates. */
const countedExactly = 1_000_000

/** A part of the hash space, both ends included, with when it was last read back; null: never. */
export interface SweptRange {
  readonly from: number
  readonly to: number
  /** ISO 8601, UTC. */
  readonly at: string | null
  readonly run: string | null
  readonly blobs: number
  readonly bytes: number
}

/** A blob that the database knows. */
export interface KnownBlob {
  readonly blob: string
  readonly size: number
}

export const positionOf = (blob: string): number => Number.parseInt(blob.slice(0, 12), 16)

const startOf = (position: number): Buffer => Buffer.from(position.toString(16).padStart(12, '0'), 'hex')

/** The whole hash space in order, without gaps: what was never read back has ranges of its own. */
export async function readLedger(query: Query): Promise<readonly SweptRange[]> {
  const [made] = await query<{ there: boolean }>("select to_regclass('swept') is not null as there")
  const rows =
    made?.there === true
      ? await query<{ from: string; to: string; at: string; run: string; blobs: string; bytes: string }>(
          'select from_pos as from, to_pos as to, at, run, blobs, bytes from swept order by from_pos',
        )
      : []
  const ranges: SweptRange[] = []
  let next = 0
  const gap = (to: number): void => {
    if (to >= next) ranges.push({ from: next, to, at: null, run: null, blobs: 0, bytes: 0 })
  }
  for (const row of rows) {
    const [from, to] = [Number(row.from), Number(row.to)]
    gap(from - 1)
    ranges.push({ from, to, at: row.at, run: row.run, blobs: Number(row.blobs), bytes: Number(row.bytes) })
    next = to + 1
  }
  gap(positions - 1)
  return ranges
}

/** Blobs of a range in the order of their hashes, a page at a time; `after`: the last one of the page before. */
export async function blobsFrom(
  query: Query,
  { from, to }: Pick<SweptRange, 'from' | 'to'>,
  after: string | null,
  page: number,
): Promise<readonly KnownBlob[]> {
  const [low, compare] = after === null ? [startOf(from), '>='] : [Buffer.from(after, 'hex'), '>']
  const isLast = to >= positions - 1
  const rows = await query<{ blob: string; size: string }>(
    `select encode(blob_id, 'hex') as blob, size::text from blob
      where blob_id ${compare} $1 ${isLast ? '' : 'and blob_id < $3'} order by blob_id limit $2`,
    isLast ? [low, page] : [low, page, startOf(to + 1)],
  )
  return rows.map(({ blob, size }) => ({ blob, size: Number(size) }))
}

/** Writes down that a range was read back whole; where something was `bad`, nobody knows anything any more until it is mended. */
export async function credit(
  tx: Transaction,
  { from, to, at, run, blobs, bytes }: SweptRange & { readonly at: string; readonly run: string },
  bad: readonly Span[] = [],
): Promise<void> {
  // Those who read at the same time queue here: ranges never overlap.
  await tx.execute('lock table swept in exclusive mode')
  await clear(tx, { from, to })
  const joined = await tx.execute(
    `update swept set to_pos = $2, blobs = blobs + $4, bytes = bytes + $5
      where to_pos = $1::int8 - 1 and run = $3`,
    [from, to, run, blobs, bytes],
  )
  if (joined === 0)
    await tx.execute(
      'insert into swept (from_pos, to_pos, at, run, blobs, bytes) values ($1, $2, $3, $4, $5, $6)',
      [from, to, at, run, blobs, bytes],
    )
  for (const span of bad) await clear(tx, span)
}

/** From so many on, all between them is read again as well: each hole costs a count of what lies behind it. */
const holesAtOnce = 16

/** What is bad counts as never read back, until it is mended and read; nothing else is known of it. `bad`: in their order. */
export async function discredit(tx: Transaction, bad: readonly Span[]): Promise<void> {
  const [first, last] = [bad[0], bad.at(-1)]
  if (first === undefined || last === undefined) return
  await tx.execute('lock table swept in exclusive mode')
  if (bad.length > holesAtOnce) await clear(tx, { from: first.from, to: last.to })
  else for (const span of bad) await clear(tx, span)
}

/** A part of the hash space, both ends included. */
export type Span = Pick<SweptRange, 'from' | 'to'>

/** Takes a span out of the ranges that are there. What they know of the rest of theirs stays. */
async function clear(tx: Transaction, { from, to }: Span): Promise<void> {
  const older = await tx.query<{ from: string; to: string; at: string }>(
    'select from_pos as from, to_pos as to, at from swept where from_pos <= $2 and to_pos >= $1 order by from_pos',
    [from, to],
  )
  for (const old of older) {
    const [first, last] = [Number(old.from), Number(old.to)]
    const parts = [
      { from: first, to: from - 1 },
      { from: to + 1, to: last },
    ].filter((part) => part.to >= part.from)
    if (parts.length === 0) await tx.execute('delete from swept where from_pos = $1', [first])
    else await cut(tx, { from: first, to: last, at: old.at }, { from, to }, parts)
  }
}

/** Takes a part out of an older range. Only what was read again is counted, so this costs what the reading did. */
async function cut(
  tx: Transaction,
  old: Span & { readonly at: string },
  out: Span,
  parts: readonly Span[],
): Promise<void> {
  const gone = await counts(tx, { from: Math.max(old.from, out.from), to: Math.min(old.to, out.to) }, old.at)
  const [one, other] = parts
  if (one === undefined) return
  const beyond = other === undefined ? { blobs: 0, bytes: 0 } : await counts(tx, other, old.at)
  if (other !== undefined)
    await tx.execute(
      `insert into swept (from_pos, to_pos, at, run, blobs, bytes)
       select $2, $3, at, run, $4, $5 from swept where from_pos = $1`,
      [old.from, other.from, other.to, beyond.blobs, beyond.bytes],
    )
  await tx.execute(
    `update swept set from_pos = $2, to_pos = $3, blobs = greatest(0, blobs - $4), bytes = greatest(0, bytes - $5)
      where from_pos = $1`,
    [old.from, one.from, one.to, gone.blobs + beyond.blobs, gone.bytes + beyond.bytes],
  )
}

async function counts(
  tx: Transaction,
  { from, to }: Span,
  before: string,
): Promise<{ blobs: number; bytes: number }> {
  const isLast = to >= positions - 1
  const [row] = await tx.query<{ blobs: string; bytes: string }>(
    `select count(*)::text as blobs, coalesce(sum(size), 0)::text as bytes from blob
      where blob_id >= $1 and stored_at <= $2 ${isLast ? '' : 'and blob_id < $3'}`,
    isLast ? [startOf(from), before] : [startOf(from), before, startOf(to + 1)],
  )
  return { blobs: Number(row?.blobs), bytes: Number(row?.bytes) }
}

/** How much of the store was read back lately. */
export interface Coverage {
  /** Blobs in the store; `estimated`: by the server's statistics. */
  readonly blobs: number
  readonly estimated: boolean
  /** Of them: read back since `since`, and ever. */
  readonly fresh: number
  readonly ever: number
  /** When what was read back longest ago was, ISO 8601; null: nothing ever was. */
  readonly oldest: string | null
}

/** `since`: what was read back before is no longer fresh, ISO 8601. Cheap: no blob is counted where there are many. */
export async function coverage(query: Query, since: string, now: Date): Promise<Coverage> {
  const ranges = await readLedger(query)
  const [row] = await query<{ estimate: string; exact: string | null }>(
    `select reltuples::int8::text as estimate,
            case when reltuples < ${countedExactly} then (select count(*) from blob)::text end as exact
       from pg_class where oid = 'blob'::regclass`,
  )
  if (row === undefined) throw new ObserveError('the database has no table of blobs')
  const sum = (some: readonly SweptRange[]): number => some.reduce((all, { blobs }) => all + blobs, 0)
  const swept = ranges.flatMap((range) => {
    const at = credible(range.at, now)
    return at === null ? [] : [{ ...range, at }]
  })
  const ever = sum(swept)
  const blobs = Math.max(ever, Number(row.exact ?? row.estimate))
  return {
    blobs,
    estimated: row.exact === null,
    fresh: sum(swept.filter(({ at }) => at >= since)),
    ever,
    oldest:
      swept
        .filter((range) => range.blobs > 0)
        .map(({ at }) => at)
        .toSorted()[0] ?? null,
  }
}
