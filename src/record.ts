// The record: proofs, append-only and chained, in one table that nobody else writes.
import { canonicalJson, chained } from './model/canonical.ts'
import { ObserveError, RunError } from './model/errors.ts'
import type { Proof, Stage } from './model/stage.ts'
import type { Reader, Transaction } from './model/world.ts'

type Query = Reader['query']

/** A proof on its way into the record. */
export interface Entry {
  /** The medium_hash. */
  readonly medium: string
  readonly proof: Proof
  /** The column of `medium` that a good proof sets, if its stage has one. */
  readonly claim: Stage['claim']
  /** Throws if the medium is no longer ours; asked inside the transaction. */
  readonly fence: (tx: Transaction) => Promise<void>
}

/** A row as the chain sees it: everything but `prev` and `hash`. */
interface Link {
  readonly proof_id: string
  readonly medium_hash: string
  readonly stage: string
  readonly of: string
  readonly depth: string
  readonly ok: boolean
  readonly checks: unknown
  readonly figures: unknown
  readonly facts: unknown
  readonly content: string | null
  readonly run: string
  readonly host: string
  /** ISO 8601, UTC, microseconds: all that the column can hold, so that no change of it goes unseen. */
  readonly at: string
}

const atText = `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`

/**
 * Appends a proof, and with it the claim that it backs, if it is good: both are there after the commit, or neither.
 * Appenders queue; the chain has one order.
 */
export async function appendProof(tx: Transaction, { medium, proof, claim, fence }: Entry): Promise<void> {
  await fence(tx)
  const [head] = await tx.query<{ proof_id: string; hash: Buffer }>(
    'select proof_id, hash from proof_head for update',
  )
  if (head === undefined)
    throw new RunError('the record of proofs has lost its head', { hint: 'ntt verify --log' })
  const { stage, of, depth, ok, checks, figures, facts, content, run, host, at } = proof
  const link: Link = {
    proof_id: String(BigInt(head.proof_id) + 1n),
    medium_hash: medium,
    stage,
    of,
    depth,
    ok,
    checks,
    figures,
    facts,
    content,
    run,
    host,
    at: new Date(at).toISOString().replace('Z', '000Z'),
  }
  const hash = chained(head.hash, link)
  const stored = await tx.execute(
    `insert into proof (proof_id, medium_hash, stage, of, depth, ok, checks, figures, facts, content, run, host, at, prev, hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      link.proof_id,
      medium,
      stage,
      of,
      depth,
      ok,
      ...[checks, figures, facts].map(canonicalJson),
      content,
      run,
      host,
      link.at,
      head.hash,
      hash,
    ],
  )
  const headed = await tx.execute('update proof_head set proof_id = $1, hash = $2', [link.proof_id, hash])
  // A rule or a trigger of somebody's may swallow a row and say nothing.
  if (stored !== 1 || headed !== 1)
    throw new RunError('the database did not take the proof', { hint: 'ntt verify --log' })
  if (!ok || claim === undefined) return
  const claimed = await tx.execute(`update medium set ${claim} = $2 where medium_hash = $1`, [
    medium,
    link.at,
  ])
  if (claimed !== 1) throw new RunError(`the database has no medium ${medium} to claim ${claim} of`)
}

/**
 * The latest proof of each medium, stage, fingerprint, depth and verdict; oldest first. One query, whose cost grows with what it
 * returns and not with how often things were proven: it hops from group to group along the index.
 */
export async function readProofs(
  query: Query,
  hashes: readonly string[],
): Promise<ReadonlyMap<string, readonly Proof[]>> {
  const rows = await query<Proof & { readonly medium: string }>(latest, [hashes])
  const found = new Map<string, Proof[]>()
  for (const { medium, ...proof } of rows) {
    const list = found.get(medium)
    if (list === undefined) found.set(medium, [proof])
    else list.push(proof)
  }
  return found
}

const hop = (condition: string) => `
  select medium_hash, stage, of, depth, ok, proof_id from proof p where ${condition}
   order by stage desc, of desc, depth desc, ok desc, proof_id desc limit 1`

const latest = `
  with recursive hop as (
    select first.* from unnest($1::text[]) as wanted (hash), lateral (${hop('p.medium_hash = wanted.hash')}) first
    union all
    select next.* from hop h, lateral (${hop(
      'p.medium_hash = h.medium_hash and (p.stage, p.of, p.depth, p.ok) < (h.stage, h.of, h.depth, h.ok)',
    )}) next
  )
  select p.medium_hash as medium, p.stage, p.of, p.depth, p.ok, p.checks, p.figures, p.facts, p.content, p.run, p.host, p.at
    from hop h, lateral (select * from proof where proof_id = h.proof_id limit 1) p order by p.proof_id`

/** A place where the chain does not hold. `proof: null`: at its end. */
export interface BrokenLink {
  readonly proof: string | null
  readonly text: string
}

/** Reads the whole record and finds every row that was altered, dropped, moved or put in behind our back; `each` is told of every row. */
export async function checkChain(
  query: Query,
  each: (link: Pick<Link, 'proof_id' | 'run'>, hash: Buffer) => void = () => undefined,
): Promise<{ links: number; broken: readonly BrokenLink[] }> {
  const [head] = await query<{ proof_id: string; hash: Buffer; last: string; first: string | null }>(
    'select proof_id, hash, coalesce((select max(proof_id) from proof), 0) as last, (select min(proof_id) from proof) as first from proof_head',
  )
  if (head === undefined) throw new ObserveError('the record of proofs has lost its head')
  const broken: BrokenLink[] = []
  if (head.first !== null && BigInt(head.first) < 1n)
    broken.push({ proof: head.first, text: 'put in before the first proof' })
  let before: { id: bigint; hash: Buffer } = { id: 0n, hash: Buffer.alloc(32) }
  let links = 0
  for (;;) {
    const rows = await query<Link & { prev: Buffer; hash: Buffer }>(
      `select proof_id, medium_hash, stage, of, depth, ok, checks, figures, facts, content, run, host, ${atText}, prev, hash
         from proof where proof_id > $1 and proof_id <= $2 order by proof_id limit 1000`,
      [before.id, head.proof_id],
    )
    for (const { prev, hash, ...link } of rows) {
      const id = BigInt(link.proof_id)
      const missing = id - before.id - 1n
      if (missing > 0n) broken.push({ proof: link.proof_id, text: `${missing} before it missing` })
      else if (!prev.equals(before.hash))
        broken.push({ proof: link.proof_id, text: 'does not follow the one before it' })
      if (!chained(prev, link).equals(hash)) broken.push({ proof: link.proof_id, text: 'altered' })
      each(link, hash)
      before = { id, hash }
      links += 1
    }
    if (rows.length === 0) break
  }
  if (before.id !== BigInt(head.proof_id) || !before.hash.equals(head.hash))
    broken.push({ proof: null, text: `the last proof should be ${head.proof_id}, and is ${before.id}` })
  if (head.last !== head.proof_id && before.id === BigInt(head.proof_id))
    broken.push({ proof: head.last, text: `put in behind the last proof, ${head.proof_id}` })
  return { links, broken }
}
