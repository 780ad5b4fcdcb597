// A directory that has changed since it was enumerated: what changed is told by path, and the next command as it is typed.
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { RawRecord } from '../src/model/raw/index.ts'
import { changesOf } from '../src/stages/enumerate/changes.ts'
import { freshDatabase } from './support/postgres.ts'
import { project } from './support/project.ts'

test('verify, apply, plan and why name what changed in a directory, and how to go on', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box/letters'), { recursive: true })
  for (const name of ['same', 'edited', 'removed']) writeFileSync(made.path('box/letters', name), name)
  made.medium('box7', `source: {directory: ${made.path('box')}}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  writeFileSync(made.path('box/letters/edited'), 'edited again')
  writeFileSync(made.path('box/letters/added'), 'added')
  rmSync(made.path('box/letters/removed'))
  const changes = '1 changed (letters/edited), 1 new (letters/added), 1 gone (letters/removed)'
  const verified = await made.ntt('verify', '--depth', 'hash')
  expect([verified.code, verified.out]).toEqual([3, expect.stringContaining(changes)])
  const applied = await made.ntt('apply', '--yes')
  expect([applied.code, applied.out]).toEqual([
    3,
    expect.stringContaining(`${changes} since the enumeration before; `),
  ])
  for (const verb of [['plan'], ['why', 'box7', 'load']]) {
    const { code, out } = await made.ntt(...verb)
    expect([code, out]).toEqual([3, expect.stringContaining(changes)])
    expect(out).toContain('`ntt apply --redo box7/load --redo box7/archive`')
  }
  const redone = await made.ntt('apply', '--yes', '--redo', 'box7/load', '--redo', 'box7/archive')
  expect([redone.code, redone.out + redone.err]).toEqual([0, expect.anything()])
  for (const verb of [['plan'], ['verify', '--depth', 'hash']]) expect((await made.ntt(...verb)).code).toBe(0)
})

test('what was enumerated anew and never copied is not lost in silence when its directory goes away', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box'))
  writeFileSync(made.path('box/letter'), 'older')
  made.medium('box', `source: {directory: ${made.path('box')}}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  writeFileSync(made.path('box/letter'), 'newer')
  writeFileSync(made.path('box/added'), 'added')
  expect((await made.ntt('apply', '--yes', '--redo', 'box/enumerate')).code).toBe(3)
  renameSync(made.path('box'), made.path('away'))
  const losses = await made.ntt('losses')
  expect([losses.code, losses.out]).toEqual([5, expect.stringContaining('whether they can be read')])
  // The archive has the one letter as it was, and the other not at all.
  const redone = await made.ntt('apply', '--yes', '--redo', 'box/load', '--redo', 'box/archive')
  expect([redone.code, redone.out]).toEqual([3, expect.stringContaining('2 unreadable')])
  const { code, out } = await made.ntt('losses')
  expect([code, out]).toEqual([5, expect.stringMatching(/added[^]*letter.*the archive has it with another/)])
  expect((await made.ntt('cat', 'box', 'letter')).out).toBe('')
  renameSync(made.path('away'), made.path('box'))
  const back = await made.ntt('apply', '--yes', '--redo', 'box/copy', '--redo', 'box/archive')
  expect([back.code, back.out + back.err]).toEqual([0, expect.anything()])
  expect((await made.ntt('cat', 'box', 'letter')).out).toBe('newer')
})

test('what is left of a directory is told by its size, once it was enumerated', async () => {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box'))
  for (const name of ['one', 'two']) writeFileSync(made.path('box', name), name.repeat(1_000_000))
  made.medium('box', `source: {directory: ${made.path('box')}}\ntarget: enumerated\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  made.medium('box', `source: {directory: ${made.path('box')}}\ntarget: archived\n`)
  const { out } = await made.ntt('plan')
  expect(out).toMatch(/box +directory +6\.0 MB/)
  expect(out).toContain('about 12 MB to read, 12 MB to write')
})

const entry = (path: string, type: 'f' | 'd', mtimeNs: bigint): RawRecord => ({
  fs: 0,
  entry: {
    type,
    path: Buffer.from(path),
    ino: 1n,
    nlink: 1,
    size: 0,
    mtimeNs,
    mode: 0o644,
    uid: 0,
    gid: 0,
    rdev: 0n,
    target: null,
    extents: null,
  },
})

async function* of(...records: readonly RawRecord[]) {
  yield records
}

test('of many changes the first few are named, and a directory only where nothing else has changed', async () => {
  const files = (mtimeNs: bigint): readonly RawRecord[] =>
    ['a', 'b', 'c', 'd'].map((name) => entry(name, 'f', mtimeNs))
  const root = (mtimeNs: bigint): RawRecord => entry('', 'd', mtimeNs)
  const before = () => of(root(1n), ...files(1n))
  expect(await changesOf(before, of(root(2n), ...files(2n)))).toBe('4 changed (a, b, c, …)')
  expect(await changesOf(before, of(root(2n), ...files(1n)))).toBe('1 changed (.)')
  expect(await changesOf(before, before())).toBe('')
})

test('more entries than may be held are neither held nor read on, on either side', async () => {
  const some = Array.from({ length: 4 }, (_, at) => entry(`f${at}`, 'f', 1n))
  let read = 0
  async function* endless() {
    for (; read < 1000; read += 1) yield [entry(`g${read}`, 'f', 1n)]
  }
  const tooMany = 'more than 4 entries, which are not compared by path'
  expect(await changesOf(() => of(...some), of(...some), 4)).toBe('')
  expect(await changesOf(() => endless(), of(...some), 4)).toBe(tooMany)
  expect(read).toBeLessThan(10)
  read = 0
  expect(await changesOf(() => of(...some), endless(), 4)).toBe(tooMany)
  expect(read).toBeLessThan(10)
})
