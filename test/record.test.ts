// The record: a claim comes with its proof or not at all, and no row can be changed behind our back.
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { canonicalJson } from '../src/model/canonical.ts'
import { LockedError } from '../src/model/errors.ts'
import { stageNames } from '../src/model/medium.ts'
import type { Proof } from '../src/model/stage.ts'
import { type Database, openDatabase } from '../src/ports/postgres.ts'
import { type Entry, appendProof, checkChain, readProofs } from '../src/record.ts'
import { ask, freshDatabase } from './support/postgres.ts'

let url: string
let database: Database
const query: Database['query'] = (sql, params) => database.query(sql, params)

beforeEach(async () => {
  url = await freshDatabase()
  database = await openDatabase({ where: url, run: 'r1' })
})
afterEach(() => database.close())

const medium = 'da69350a5b27adf013e02994611cebc3'
const proof = (parts: Partial<Proof> = {}): Proof => ({
  stage: 'load',
  of: 'f1',
  depth: 'counts',
  ok: true,
  checks: [{ name: 'rows', ok: true, expected: '1161', actual: '1161' }],
  figures: { rows: 1161, share: 0.1, huge: 1e21 },
  facts: { label: 'NUL \0, half a pair \ud800, naïve', nested: { b: 1, a: [null, 2] }, absent: undefined },
  content: null,
  run: 'r1',
  host: 'h1',
  at: '2025-10-10T15:41:05.120Z',
  ...parts,
})

const append = (parts: Partial<Entry> = {}) =>
  database.transaction((tx) =>
    appendProof(tx, { medium, proof: proof(), claim: undefined, fence: async () => undefined, ...parts }),
  )

const enrol = () => ask(url, 'insert into medium (medium_hash) values ($1)', [medium])

test('a proof is read back as it was written', async () => {
  await append()
  const { facts, ...rest } = proof()
  const [read] = (await readProofs(query, [medium, 'unknown'])).get(medium) ?? []
  expect(read).toEqual({ ...rest, facts: { label: facts['label'], nested: facts['nested'] } })
})

test('a good proof sets its claim in the same transaction', async () => {
  await enrol()
  await append({ claim: 'enum_done' })
  expect(await ask(url, 'select enum_done, copy_done from medium')).toEqual([
    { enum_done: '2025-10-10T15:41:05.120Z', copy_done: null },
  ])
  const writers = await ask(
    url,
    'select count(distinct t.xmin::text)::int4 as n from (select xmin from proof union all select xmin from medium) t',
  )
  expect(writers).toEqual([{ n: 1 }])
})

test('a failed proof claims nothing', async () => {
  await enrol()
  await append({ claim: 'copy_done', proof: proof({ ok: false }) })
  expect(await ask(url, 'select copy_done from medium')).toEqual([{ copy_done: null }])
})

test('without a medium to claim of, the proof is not stored either', async () => {
  await expect(append({ claim: 'enum_done' })).rejects.toThrow(/no medium/)
  expect(await ask(url, 'select * from proof')).toEqual([])
  expect(await checkChain(query)).toEqual({ links: 0, broken: [] })
})

test('who no longer holds the medium stores no proof', async () => {
  const fence = () => Promise.reject(new LockedError('gone'))
  await expect(append({ fence })).rejects.toThrow(LockedError)
  expect(await ask(url, 'select * from proof')).toEqual([])
})

test('appenders at the same time make one chain', async () => {
  await Promise.all(Array.from({ length: 24 }, () => append()))
  expect(await checkChain(query)).toEqual({ links: 24, broken: [] })
})

test('of each fingerprint, depth and verdict only the latest proof is read, oldest first', async () => {
  const one = (parts: Partial<Proof>) => append({ proof: proof(parts) })
  await one({ run: 'old' })
  await one({ run: 'deep', depth: 'hash' })
  await one({ run: 'failed', ok: false })
  await one({ run: 'other', of: 'f2' })
  await one({ run: 'new' })
  await one({ run: 'copy', stage: 'copy' })
  const found = (await readProofs(query, [medium])).get(medium) ?? []
  expect(found.map(({ run }) => run)).toEqual(['deep', 'failed', 'other', 'new', 'copy'])
})

const spoilings: Readonly<Record<string, readonly string[]>> = {
  'a verdict turned': ['update proof set ok = false where proof_id = 3'],
  'a figure changed': [`update proof set figures = '{"rows": 1162}' where proof_id = 3`],
  'a time moved by a microsecond': [`update proof set at = at + interval '1 microsecond' where proof_id = 3`],
  'another medium named': [`update proof set medium_hash = 'aaaaaaaa' where proof_id = 3`],
  'the first row dropped': ['delete from proof where proof_id = 1'],
  'a row dropped': ['delete from proof where proof_id = 3'],
  'the last row dropped': ['delete from proof where proof_id = 5'],
  'all rows dropped': ['delete from proof'],
  'a row dropped and the others moved up': [
    'delete from proof where proof_id = 3',
    'update proof set proof_id = proof_id - 1 where proof_id > 3',
    'update proof_head set proof_id = 4',
  ],
  'two rows changed over': [
    'update proof set proof_id = -proof_id where proof_id in (2, 3)',
    'update proof set proof_id = 5 + proof_id where proof_id < 0',
  ],
  'a row put in': [
    `insert into proof select 6, medium_hash, stage, of, depth, ok, checks, figures, facts, content, run, host, at, prev, hash
       from proof where proof_id = 5`,
  ],
  'a hash changed': [`update proof set hash = decode(repeat('00', 32), 'hex') where proof_id = 3`],
  'the head set back': [
    'update proof_head set (proof_id, hash) = (select proof_id, hash from proof where proof_id = 4)',
  ],
}

test.each(Object.entries(spoilings))('the chain shows %s', async (_, statements) => {
  for (const run of ['a', 'b', 'c', 'd', 'e']) await append({ proof: proof({ run }) })
  expect(await checkChain(query)).toEqual({ links: 5, broken: [] })
  for (const sql of statements) await ask(url, sql)
  expect((await checkChain(query)).broken).not.toEqual([])
})

test('the chain shows a row that was forged with a hash of its own', async () => {
  for (const run of ['a', 'b', 'c']) await append({ proof: proof({ run }) })
  const [row] = await ask<Record<string, unknown>>(
    url,
    `select proof_id, medium_hash, stage, of, depth, ok, checks, figures, facts, content, run, host,
            to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, prev, hash from proof where proof_id = 2`,
  )
  const { prev, hash, ...link } = row ?? {}
  const hashed = (value: unknown) =>
    createHash('sha256')
      .update(prev as Buffer)
      .update(canonicalJson(value))
      .digest()
  expect(hashed(link)).toEqual(hash)
  await ask(url, "update proof set run = 'forged', hash = $1 where proof_id = 2", [
    hashed({ ...link, run: 'forged' }),
  ])
  expect((await checkChain(query)).broken).toEqual([
    { proof: '3', text: 'does not follow the one before it' },
  ])
})

test('the proofs of 1,000 media that were proven 20 times are found along the index', async () => {
  await ask(
    url,
    `insert into proof select row_number() over (order by round, m), md5(m::text), s, 'f' || round % 2, 'counts', true,
            '[{"name":"rows","ok":true,"expected":"1","actual":"1"}]', '{"rows":1}', '{}', null, 'r' || round, 'h', now(), '', ''
       from generate_series(1, 20) round, generate_series(1, 1000) m, unnest($1::text[]) s`,
    [stageNames],
  )
  await ask(url, 'analyze proof')
  const media = await ask<{ h: string }>(url, 'select md5(m::text) as h from generate_series(1, 1000) m')
  let asked = ''
  const found = await readProofs(
    (sql, params) => {
      asked = sql
      return database.query(sql, params)
    },
    media.map(({ h }) => h),
  )
  const runs = new Set([...found.values()].flat().map(({ run }) => run))
  expect([...found.values()].flat()).toHaveLength(10_000)
  expect(runs).toEqual(new Set(['r19', 'r20']))
  const plan = await ask(url, `explain ${asked}`, [media.map(({ h }) => h)])
  expect(JSON.stringify(plan)).not.toContain('Seq Scan on proof')
})
