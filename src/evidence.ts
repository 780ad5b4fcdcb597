// The evidence over all runs: each that ends is sealed over its log and the record of proofs; and the check of all seals.
import { chained } from './model/canonical.ts'
import { ObserveError, RunError, type ExitCode } from './model/errors.ts'
import type { Evidence, Flaw } from './model/evidence.ts'
import type { Anchor } from './model/log-chain.ts'
import type { Reader, Transaction } from './model/world.ts'
import { checkChain } from './record.ts'

type Query = Reader['query']

/** How far the log of a run has come: its lines, and the hash of the last. */
export interface LogEnd {
  readonly lines: number
  readonly head: string
}

const timeText = (column: string): string =>
  `to_char(r.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`

const sealedColumns = `r.run, r.verb, r.host, r.pid, r.version, ${timeText('started_at')}, ${timeText('ended_at')},
  r.exit_code, r.work_head, r.proof_id, encode(r.proof_hash, 'hex') as proof_hash, r.sealed_no`

/** What a seal covers. Times are ISO 8601, UTC, microseconds. */
interface Sealed {
  readonly run: string
  readonly verb: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly started_at: string
  readonly ended_at: string
  readonly exit_code: number
  readonly work_head: string
  readonly proof_id: string
  readonly proof_hash: string
  readonly sealed_no: string
}

/** Remembers the log as it is with a proof: a later look knows that so much of it must be there. Call it in the proof's transaction. */
export async function anchorLog(tx: Transaction, run: string, { lines, head }: LogEnd): Promise<void> {
  await tx.execute('update run set events = $2, head = $3 where run = $1 and coalesce(events, 0) < $2', [
    run,
    lines,
    head,
  ])
}

/** Seals a run that has ended, and returns the seal, 64 hex digits: it covers all runs that were sealed before. */
export async function sealRun(tx: Transaction, run: string, exit: ExitCode, log: LogEnd): Promise<string> {
  const [head] = await tx.query<{ sealed_no: string; seal: Buffer }>(
    'select sealed_no, seal from proof_head for update',
  )
  if (head === undefined)
    throw new RunError('the record of proofs has lost its head', { hint: 'ntt verify --log' })
  const [row] = await tx.query<Sealed>(
    `update run r set ended_at = now(), exit_code = $2, events = $3, head = $4, work_head = $4,
            proof_id = h.proof_id, proof_hash = h.hash, sealed_no = h.sealed_no + 1
       from proof_head h where r.run = $1
     returning ${sealedColumns}`,
    [run, exit, log.lines, log.head],
  )
  if (row === undefined) throw new RunError(`the database has no run ${run} to seal`)
  const seal = chained(head.seal, row)
  const stored = await tx.execute('update run set seal = $2 where run = $1', [run, seal])
  const headed = await tx.execute('update proof_head set sealed_no = $1, seal = $2', [row.sealed_no, seal])
  if (stored !== 1 || headed !== 1) throw new RunError(`the database did not take the seal of run ${run}`)
  return seal.toString('hex')
}

/** Remembers the last line of a run, which tells its seal. */
export async function endLog(tx: Transaction, run: string, { lines, head }: LogEnd): Promise<void> {
  await tx.execute('update run set events = $2, head = $3 where run = $1', [run, lines, head])
}

interface AnchorRow {
  readonly run: string
  readonly host: string
  readonly events: string | null
  readonly head: string | null
  readonly work_head: string | null
  readonly older: boolean
}

/** Runs that began before the database knew seals have none. */
const beganOlder = 'r.started_at < (select applied_at from ntt_migration where version = 2)'

/** What the database remembers of the log of each run. Ask before the log is read: it only grows. */
export async function readAnchors(query: Query): Promise<ReadonlyMap<string, Anchor>> {
  const rows = await query<AnchorRow>(
    `select run, host, events::text, head, work_head, ${beganOlder} as older from run r order by started_at, run`,
  )
  return new Map(
    rows.map(({ run, host, events, head, work_head: work, older: isOlder }) => {
      const ended = isOlder ? head !== null : work !== null && head !== work
      return [run, { host, events: Number(events ?? 0), head, ended, isOlder }]
    }),
  )
}

/** Every proof, every seal, and whether they belong together; `anchors` as `readAnchors` found them. */
export async function checkRecord(
  query: Query,
  anchors: ReadonlyMap<string, Anchor>,
): Promise<Pick<Evidence, 'proofs' | 'sealed' | 'head' | 'flaws'>> {
  const [ended] = await query<{ sealed_no: string; seal: Buffer }>('select sealed_no, seal from proof_head')
  if (ended === undefined) throw new ObserveError('the record of proofs has lost its head')
  const { flaws, rested } = await checkSeals(query, ended)
  const strangers = new Map<string, { first: string; count: number }>()
  const { links, broken } = await checkChain(query, ({ proof_id: id, run }, hash) => {
    const expected = rested.get(id)
    if (expected !== undefined && expected.hash !== hash.toString('hex'))
      flaws.push({ where: `proof ${id}`, text: `not the one that run ${expected.run} ended with: altered` })
    rested.delete(id)
    if (anchors.has(run)) return
    const known = strangers.get(run) ?? { first: id, count: 0 }
    strangers.set(run, { ...known, count: known.count + 1 })
  })
  rested.delete('0')
  for (const [id, { run }] of rested)
    flaws.push({ where: `proof ${id}`, text: `missing: run ${run} ended with it` })
  for (const [run, { first, count }] of strangers)
    flaws.push({
      where: `proof ${first}`,
      text: `${count} proofs of run ${run}, which is not in the table of runs`,
    })
  const chain = broken.map(({ proof, text }): Flaw => ({
    where: proof === null ? 'the last proof' : `proof ${proof}`,
    text,
  }))
  return {
    proofs: links,
    sealed: Number(ended.sealed_no),
    head: ended.seal.toString('hex'),
    flaws: [...chain, ...flaws],
  }
}

/** `rested`: the last proof at each seal, by its number. */
async function checkSeals(query: Query, ended: { readonly sealed_no: string; readonly seal: Buffer }) {
  const flaws: Flaw[] = []
  const rested = new Map<string, { readonly run: string; readonly hash: string }>()
  let before: { no: bigint; seal: Buffer } = { no: 0n, seal: Buffer.alloc(32) }
  for (;;) {
    const rows = await query<Sealed & { readonly seal: Buffer | null }>(
      `select ${sealedColumns}, r.seal from run r where r.sealed_no > $1 and r.sealed_no <= $2 order by r.sealed_no limit 1000`,
      [before.no, ended.sealed_no],
    )
    for (const { seal, ...row } of rows) {
      const no = BigInt(row.sealed_no)
      const where = `run ${row.run}`
      if (no > before.no + 1n)
        flaws.push({ where, text: `${no - before.no - 1n} runs sealed before it are missing` })
      else if (seal === null || !chained(before.seal, row).equals(seal))
        flaws.push({ where, text: 'its row in the table of runs is not the one that was sealed: altered' })
      rested.set(row.proof_id, { run: row.run, hash: row.proof_hash })
      before = { no, seal: seal ?? Buffer.alloc(32) }
    }
    if (rows.length === 0) break
  }
  if (String(before.no) !== ended.sealed_no)
    flaws.push({
      where: 'the last run',
      text: `${ended.sealed_no} runs were sealed, and ${before.no} are there`,
    })
  else if (!before.seal.equals(ended.seal))
    flaws.push({ where: 'the last run', text: 'its seal is not the last one: altered' })
  const extra = await query<{ run: string }>(
    `select run from run r where sealed_no <= 0 or sealed_no > $1
        or (sealed_no is null and (seal is not null or (ended_at is not null and not (${beganOlder})))) order by run limit 100`,
    [ended.sealed_no],
  )
  // One that has ended since we looked is no stranger: the head that we know is older.
  const [now] = await query<{ sealed_no: string }>('select sealed_no from proof_head')
  if (now?.sealed_no === ended.sealed_no)
    flaws.push(
      ...extra.map(({ run }) => ({
        where: `run ${run}`,
        text: 'it is not among the sealed ones: put in, or altered',
      })),
    )
  return { flaws, rested }
}
