// The archive of a directory medium: its tree comes back by GNU tar alone, hostile names and links included.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RawRecord } from '../../src/model/raw/index.ts'
import { encodeRaw } from '../../src/model/raw/index.ts'
import { isEntry, type Entry } from '../../src/model/entry.ts'
import { openHasher } from '../../src/ports/blake3.ts'
import { openDatabase, type Database } from '../../src/ports/postgres.ts'
import { archive } from '../../src/stages/archive/index.ts'
import { hands } from '../support/hands.ts'
import { medium, testHash as hash } from '../support/media.ts'
import { ask, freshDatabase } from '../support/postgres.ts'

let folder: string
let url: string
let database: Database
const box = () => medium({ source: { type: 'directory', path: join(folder, 'box') } })
const file = (): string => join(folder, `archive/${hash}.tar.zst`)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ntt-tree-'))
  url = await freshDatabase()
  database = await openDatabase({ where: url, run: 'test' })
  makeTree(join(folder, 'box'))
  await enumerateAndCopy()
})
afterEach(async () => {
  await database.close()
  rmSync(folder, { recursive: true })
})

function makeTree(at: string): void {
  mkdirSync(join(at, 'deep/er'), { recursive: true })
  writeFileSync(join(at, 'one'), 'one')
  linkSync(join(at, 'one'), join(at, 'deep/one again'))
  writeFileSync(join(at, 'empty'), '')
  writeFileSync(join(at, 'deep/back\\slash\nand line'), 'hostile')
  writeFileSync(Buffer.concat([Buffer.from(`${at}/deep/`), Buffer.from([0xff, 0xe9, 0x1c])]), 'bytes')
  writeFileSync(join(at, 'deep/er', 'n'.repeat(200)), 'long')
  writeFileSync(join(at, 'excluded'), 'not wanted')
  writeFileSync(join(at, 'script'), '#!/bin/sh\n')
  chmodSync(join(at, 'script'), 0o750)
  symlinkSync('../nowhere', join(at, 'deep/link'))
  execFileSync('mkfifo', [join(at, 'pipe')])
  utimesSync(join(at, 'one'), 1, 700_000_000)
}

/** Stands in for the stages before: a raw by the real walk and codec, blobs and outcomes as the copy leaves them. */
async function enumerateAndCopy(): Promise<void> {
  const world = hands(folder, { database })
  await ask(url, 'insert into medium (medium_hash) values ($1)', [hash])
  const [row] = await ask<{ medium_id: number }>(url, 'select medium_id from medium')
  const id = row?.medium_id ?? 0
  await ask(url, `create table outcome_${id}_x partition of outcome for values in (${id})`)
  const records = async function* (): AsyncGenerator<readonly RawRecord[]> {
    for await (const batch of world.walk(join(folder, 'box'))) {
      for (const one of batch) if (isEntry(one) && one.type === 'f') await settle(id, one)
      yield batch.flatMap((entry) => (isEntry(entry) ? [{ fs: 0, entry }] : []))
    }
  }
  await world.create(
    `raw:${hash}.raw`,
    encodeRaw(records(), () => [], { hash, source: 'box', writer: 'test' }),
  )
}

async function settle(id: number, { path, ino, size }: Entry): Promise<void> {
  const excluded = path.toString() === 'excluded'
  const content = readFileSync(Buffer.concat([Buffer.from(`${folder}/box/`), path]))
  const hasher = openHasher()
  hasher.update(content)
  const { blake3 } = hasher.digest()
  const place = join(folder, 'by-hash', blake3.slice(0, 2), blake3.slice(2, 4))
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, blake3), content)
  const blob = Buffer.from(blake3, 'hex')
  await ask(url, 'insert into blob values ($1, $2) on conflict do nothing', [blob, size])
  await ask(
    url,
    `insert into outcome (ino, medium_id, fs, state, blob_id) values ($1, $2, 0, $3, $4) on conflict do nothing`,
    [String(ino), id, excluded ? 'x' : 'b', excluded ? null : blob],
  )
}

async function make(): Promise<void> {
  const world = hands(folder, { database })
  await archive.run(box(), await archive.observe(box(), world), world, null)
}

const shape = (at: string): string[] =>
  execFileSync('find', ['.', '-printf', '%P %y %m %T@ %l %n\\0'], { cwd: at, encoding: 'latin1' })
    .split('\0')
    .map((line) => line.replace(/(\d+)\.\d+/, '$1'))
    .toSorted()

test('GNU tar alone brings the tree back: names, contents, modes, times, links', async () => {
  await make()
  const out = join(folder, 'out')
  mkdirSync(out)
  execFileSync('tar', ['--zstd', '-xpf', file(), '-C', out])
  rmSync(join(folder, 'box/excluded'))
  utimesSync(join(folder, 'box'), 1, lstatSync(join(out, 'tree')).mtime)
  expect(shape(join(out, 'tree'))).toEqual(shape(join(folder, 'box')))
  execFileSync('diff', ['-r', '--no-dereference', '-x', 'pipe', join(out, 'tree'), join(folder, 'box')])
  expect(lstatSync(join(out, 'tree/one')).ino).toBe(lstatSync(join(out, 'tree/deep/one again')).ino)
})

test('b3sum checks manifest and tree; the name that is not UTF-8 is in the raw list', async () => {
  await make()
  const out = join(folder, 'out')
  mkdirSync(out)
  execFileSync('tar', ['--zstd', '-xf', file(), '-C', out])
  expect(readdirSync(out).toSorted()).toEqual(
    [`${hash}.raw`, 'MANIFEST.b3', 'MANIFEST.json', 'tree', 'tree.b3', 'tree.raw-names'].toSorted(),
  )
  const check = (list: string) => spawnSync('b3sum', ['-c', list], { cwd: out, encoding: 'utf8' })
  expect(check('MANIFEST.b3').stdout.match(/: OK/g)).toHaveLength(4)
  expect(check('tree.b3').stdout.match(/: OK/g)).toHaveLength(6)
  expect(readFileSync(join(out, 'tree.raw-names')).includes(Buffer.from([0x2f, 0xff, 0xe9, 0x1c, 0]))).toBe(
    true,
  )
  writeFileSync(join(out, 'tree/one'), 'two')
  expect(check('tree.b3').status).toBe(1)
})

test('both depths prove it; its figures name what was left out', async () => {
  await make()
  const world = hands(folder, { database })
  for (const depth of ['counts', 'hash'] as const) {
    const { checks } = await archive.verify(box(), world, depth)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
  }
  const { facts, checks } = await archive.verify(box(), world, 'hash')
  expect(facts?.['tree']).toMatchObject({ files: 6, directories: 3, others: 3 })
  expect(checks.map(({ name }) => name)).toContain('tree')
  const json: unknown = JSON.parse(
    execFileSync('tar', ['--zstd', '-xOf', file(), 'MANIFEST.json'], { encoding: 'utf8' }),
  )
  expect(json).toMatchObject({ tree: { leftOut: { excluded: 1 } } })
})

test('a file without an outcome, and a blob that holds something else, stop it', async () => {
  await ask(url, `delete from outcome where state = 'x'`)
  await expect(make()).rejects.toThrow('has no outcome')
  const blob = execFileSync('find', [join(folder, 'by-hash'), '-type', 'f', '-size', '-2'], {
    encoding: 'utf8',
  })
  for (const path of blob.trim().split('\n')) {
    if (readFileSync(path, 'utf8') === 'one') writeFileSync(path, 'eno')
  }
  await expect(make()).rejects.toThrow('holds something else')
  expect(readdirSync(join(folder, 'archive')).filter((name) => name.endsWith('.zst'))).toEqual([])
})
