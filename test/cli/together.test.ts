// ntt verify --depth hash of several media: a content that they share is read once, the ledger knows of it, each medium has its verdict.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { documentOf } from '../support/outs.ts'
import { ask, freshDatabase } from '../support/postgres.ts'
import { project, repository, sampleImages, type Project } from '../support/project.ts'

const names = ['one', 'two', 'three']
let database: string
let made: Project

beforeAll(async () => {
  database = await freshDatabase()
  made = project({ database })
  for (const name of names) {
    cpSync(join(sampleImages, 'box7'), made.path('media.d', name), { recursive: true })
    writeFileSync(made.path('media.d', name, 'own'), `only in ${name}`)
    made.medium(name, `label: ${name}\nsource:\n  directory: ${name}\ntarget: copied\n`)
  }
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

const blobs = (): readonly string[] =>
  readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\/[0-9a-f]{64}$/.test(path),
  )

/** How often each blob was opened by `ntt`, as the kernel saw it. */
async function opened(...args: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const trace = made.path('trace')
  const command = ['-f', '-qq', '-e', 'trace=openat', '-s', '300', '-o', trace, join(repository, 'bin/ntt')]
  const env = { ...process.env, NTT_DB_URL: database, CI: 'true' }
  await promisify(execFile)('strace', [...command, ...args], { cwd: made.folder, env })
  const counts = new Map<string, number>()
  for (const [, blob = ''] of readFileSync(trace, 'latin1').matchAll(/\/([0-9a-f]{64})", O_RDONLY/g))
    counts.set(blob, (counts.get(blob) ?? 0) + 1)
  return counts
}

const readBack = async (): Promise<Record<'all' | 'fresh', number>> => {
  const { out } = await made.ntt('status', '--json')
  return (documentOf('status', out) as { read_back: { blobs: Record<'all' | 'fresh', number> } }).read_back
    .blobs
}

/** One byte of it is another one; size and time are as they were. */
function rot(path: string): void {
  const place = made.path('.ntt/by-hash', path)
  const { mtime, atime } = statSync(place)
  const bytes = readFileSync(place)
  bytes[0] = (bytes[0] ?? 0) ^ 1
  chmodSync(place, 0o644)
  writeFileSync(place, bytes)
  utimesSync(place, atime, mtime)
  chmodSync(place, 0o444)
}

const pathOf = async (file: string, medium: string): Promise<string> => {
  const [row] = await ask<{ blob: string }>(
    database,
    `select encode(o.blob_id, 'hex') as blob from path p join outcome o using (medium_id, fs, ino) join medium m using (medium_id)
      where m.name = $1 and p.path = $2 and o.blob_id is not null`,
    [medium, Buffer.from(file)],
  )
  const blob = row?.blob ?? ''
  return `${blob.slice(0, 2)}/${blob.slice(2, 4)}/${blob}`
}

/** What the last run contradicted: medium and check. */
const contradicted = (): readonly string[] => {
  const events = made.events()
  const { run } = events.at(-1) ?? {}
  return events
    .filter((event) => event['run'] === run && event['event'] === 'copy_verification_failed')
    .map((event) => `${String(event['medium'])} ${String(event['check'])}`)
    .toSorted()
}

test('all of them: every content is read once, and the ledger has it all', async () => {
  expect(await readBack()).toMatchObject({ all: blobs().length, fresh: 0 })
  const counts = await opened('verify', '--depth', 'hash')
  expect([...counts.keys()].toSorted()).toEqual(
    blobs()
      .map((path) => basename(path))
      .toSorted(),
  )
  expect(new Set(counts.values())).toEqual(new Set([1]))
  expect(await readBack()).toMatchObject({ all: blobs().length, fresh: blobs().length })
  const ledger = await ask<{ from: string; to: string }>(
    database,
    'select from_pos as from, to_pos as to from swept',
  )
  expect(ledger).toEqual([{ from: '0', to: String(2 ** 48 - 1) }])
})

test('some of them: every content of theirs is read once, and the ledger is as it was', async () => {
  await ask(database, 'delete from swept')
  const counts = await opened('verify', 'one', 'two', '--depth', 'hash')
  const own = basename(await pathOf('own', 'three'))
  expect([...counts.keys()].toSorted()).toEqual(
    blobs()
      .map((path) => basename(path))
      .filter((blob) => blob !== own)
      .toSorted(),
  )
  expect(new Set(counts.values())).toEqual(new Set([1]))
  expect(await readBack()).toMatchObject({ fresh: 0 })
})

test('one rotten content is bad for each medium that has it, and for no other; the ledger knows the others', async () => {
  rot(await pathOf('own', 'two'))
  const first = await made.ntt('verify', '--depth', 'hash')
  expect([first.code, contradicted()]).toEqual([3, ['two contents not what their name says']])
  const { all, fresh } = await readBack()
  expect(fresh).toBe(all - 1)
  const shared = blobs().find((path) => statSync(made.path('.ntt/by-hash', path)).size > 1000) ?? ''
  rot(shared)
  const { code, out } = await made.ntt('verify', '--depth', 'hash')
  const told = names.map((name) => `${name} contents not what their name says`).toSorted()
  expect([code, contradicted()]).toEqual([3, told])
  expect(out).toContain(`store: ${basename(shared)} is not what its name says`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  expect(await readBack()).toMatchObject({ fresh: all })
  // What only some media are verified for takes away what the ledger knew, too: a budget is to read it, and tell everybody.
  rot(shared)
  expect((await made.ntt('verify', 'one', 'two', '--depth', 'hash')).code).toBe(3)
  expect(await readBack()).toMatchObject({ fresh: all - 1 })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
})

test('a content of nobody who is declared is read with all, and its rot is not passed over', async () => {
  const own = await pathOf('own', 'three')
  rot(own)
  const file = made.path('media.d/three.yaml')
  const yaml = readFileSync(file, 'utf8')
  rmSync(file)
  const { code, out } = await made.ntt('verify', '--depth', 'hash')
  expect([code, out]).toEqual([
    3,
    expect.stringContaining(`store: ${basename(own)} is not what its name says`),
  ])
  expect(contradicted()).toEqual([])
  writeFileSync(file, yaml)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(3)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
})

test('a content that was away while all were read is vouched for by nobody, when it comes back rotten', async () => {
  const shared = blobs().find((path) => statSync(made.path('.ntt/by-hash', path)).size > 1000) ?? ''
  const [place, away] = [made.path('.ntt/by-hash', shared), made.path('away')]
  renameSync(place, away)
  const child = spawn(join(repository, 'bin/ntt'), ['verify', '--depth', 'hash', '--jobs', '1', '--json'], {
    cwd: made.folder,
    env: { ...process.env, NTT_DB_URL: database, CI: 'true' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    out += more
    if (existsSync(place) || !out.includes('copy_verification_failed')) return
    // The first medium has its verdict, and the others are still to look.
    child.kill('SIGSTOP')
    renameSync(away, place)
    rot(shared)
    child.kill('SIGCONT')
  })
  const [code] = await once(child, 'close')
  const [first, ...others] = contradicted()
  expect([code, first, others]).toEqual([
    3,
    'one contents not in the store',
    ['three contents not what their name says', 'two contents not what their name says'],
  ])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
})

test('a store that has lost nearly all is told in a few lines, and counted in full', async () => {
  const ours = await freshDatabase()
  const own = project({ database: ours })
  const files = 1300
  for (const name of ['one', 'two', 'three']) {
    mkdirSync(own.path('media.d', name))
    for (let number = 0; number < files; number += 1)
      writeFileSync(own.path('media.d', name, String(number)), `content ${number}`)
    own.medium(name, `label: ${name}\nsource:\n  directory: ${name}\ntarget: copied\n`)
  }
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  expect((await own.ntt('verify', '--depth', 'hash')).code).toBe(0)
  for (const first of readdirSync(own.path('.ntt/by-hash')).filter((name) => /^[0-9a-f]{2}$/.test(name)))
    rmSync(own.path('.ntt/by-hash', first), { recursive: true })
  // Without any folder it would be told as empty, before a content is looked for.
  mkdirSync(own.path('.ntt/by-hash/00'))
  const told = (): number => own.events().filter(({ event }) => event === 'store_bad').length
  const { code, out } = await own.ntt('verify', 'one', 'two', '--depth', 'hash')
  expect([code, told()]).toEqual([3, 1000])
  expect(out).toContain(`contents not in the store: expected 0, found ${files}`)
  // Nothing counts as read back any more, though only some of the media were looked at.
  const { out: text } = await own.ntt('status', '--json')
  expect(documentOf('status', text)).toMatchObject({ read_back: { blobs: { all: files, fresh: 0 } } })
  expect((await own.ntt('verify', '--depth', 'hash')).code).toBe(3)
  expect(told()).toBe(2000)
  // What is bad all together is one hole in what was read, for each thousand of them.
  expect((await ask(ours, 'select 1 from swept')).length).toBeLessThan(10)
  expect((await own.ntt('apply', '--yes')).code).toBe(0)
  expect((await own.ntt('verify', '--depth', 'hash')).code).toBe(0)
})
