// copy: each content once, an outcome for every file, and nothing is called copied that cannot be read back.
import { blake3 } from '@napi-rs/blake-hash'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ObserveError, RunError, StoreError } from '../../src/model/errors.ts'
import type { Medium } from '../../src/model/medium.ts'
import type { Decision, Depth, Verification, Replaces } from '../../src/model/stage.ts'
import type { Writer } from '../../src/model/world.ts'
import { openDatabase, type Database } from '../../src/ports/postgres.ts'
import { openStore } from '../../src/ports/store/index.ts'
import { copy } from '../../src/stages/copy/index.ts'
import { enumerate } from '../../src/stages/enumerate/index.ts'
import { load } from '../../src/stages/load/index.ts'
import { hands, type Hands } from '../support/hands.ts'
import { medium as mediumOf } from '../support/media.ts'
import { freshDatabase } from '../support/postgres.ts'
import { repository, scratch } from '../support/project.ts'

let database: Database
let media = 0

beforeAll(async () => {
  database = await openDatabase({ where: await freshDatabase(), run: 'test' })
})
afterAll(() => database.close())

interface Bench {
  readonly folder: string
  readonly tree: string
  readonly medium: Medium
  readonly world: Writer & Pick<Hands, 'lines' | 'told'>
  id(): Promise<number>
}

/** A medium with a tree of its own; `image`: what it is read from instead. */
async function bench(parts: Partial<Medium> = {}, folder = scratch()): Promise<Bench> {
  media += 1
  const tree = join(folder, `tree${media}`)
  mkdirSync(tree)
  const hash = media.toString(16).padStart(32, '0')
  const medium = mediumOf({ hash, source: { type: 'directory', path: tree }, ...parts })
  const enrol = async (): Promise<number> => {
    const [row] = await database.transaction((tx) =>
      tx.query<{ id: number }>(
        `insert into medium (medium_hash) values ($1) on conflict (medium_hash) do update set medium_hash = $1 returning medium_id as id`,
        [hash],
      ),
    )
    return row?.id ?? 0
  }
  const own = hands(folder, { database })
  const store = openStore({
    root: join(folder, 'by-hash'),
    run: `run${media}`,
    path: (place) => own.path(place),
    width: 2,
  })
  onTestFinished(() => store.close())
  await database.transaction((tx) => tx.execute('truncate store'))
  return {
    folder,
    tree,
    medium,
    world: {
      ...own,
      ...store.speak({
        signal: own.signal,
        progress: (done, total, unit) => own.progress(done, total, unit),
      }),
      enrol,
    },
    id: enrol,
  }
}

/** Enumerates and loads what there is now. */
async function prepare({ medium, world }: Bench): Promise<void> {
  await enumerate.run(medium, await enumerate.observe(medium, world), world, 'asked')
  await load.run(medium, await load.observe(medium, world), world, 'asked')
}

const plan = async ({ medium, world }: Bench, exclude = medium.exclude): Promise<Decision> => {
  const declared = { ...medium, exclude }
  return copy.plan(declared, await copy.observe(declared, world))
}

const run = async ({ medium, world }: Bench, replaces: Replaces = null): Promise<void> =>
  copy.run(medium, await copy.observe(medium, world), world, replaces)

const verify = ({ medium, world }: Bench, depth: Depth = 'counts'): Promise<Verification> =>
  copy.verify(medium, world, depth)

const failed = ({ checks }: Verification): readonly string[] =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name)

interface Row {
  readonly path: string
  readonly state: string
  readonly blob: string | null
  readonly detail: string | null
}

/** Every name of a file with its outcome. */
async function outcomes(one: Bench): Promise<readonly Row[]> {
  const rows = await database.query<Omit<Row, 'path'> & { path: Buffer }>(
    `select p.path, o.state, encode(o.blob_id, 'hex') as blob, o.detail
       from path p join inode i using (medium_id, fs, ino) left join outcome o using (medium_id, fs, ino)
      where p.medium_id = $1 and i.type = 'f' order by p.fs, p.path`,
    [await one.id()],
  )
  return rows.map(({ path, ...rest }) => ({ path: path.toString('latin1'), ...rest }))
}

const hashOf = (content: Buffer | string): string => blake3(content).toString('hex')
const blobAt = (folder: string, id: string): string =>
  join(folder, 'by-hash', id.slice(0, 2), id.slice(2, 4), id)
const spoil = async (sql: string, ...params: readonly unknown[]): Promise<void> => {
  await database.transaction((tx) => tx.execute(sql, params))
}

describe('a tree', () => {
  test('is copied whole: names of any bytes, links, empty files; what is no file is not touched', async () => {
    const one = await bench()
    const { tree, folder } = one
    mkdirSync(join(tree, 'archive.tar.zst'))
    writeFileSync(join(tree, 'archive.tar.zst/a'), 'content')
    writeFileSync(join(tree, 'same'), 'content')
    linkSync(join(tree, 'same'), join(tree, 'hard'))
    writeFileSync(Buffer.from(join(tree, 'caf\xe9\n\\n#"%'), 'latin1'), 'odd')
    writeFileSync(join(tree, 'empty'), '')
    symlinkSync('/etc/passwd', join(tree, 'out'))
    symlinkSync('nowhere', join(tree, 'broken'))
    execFileSync('mkfifo', [join(tree, 'fifo')])
    await prepare(one)
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'absent' } })
    await run(one)
    expect(await outcomes(one)).toEqual([
      { path: 'archive.tar.zst/a', state: 'b', blob: hashOf('content'), detail: null },
      { path: 'caf\xe9\n\\n#"%', state: 'b', blob: hashOf('odd'), detail: null },
      { path: 'empty', state: 'b', blob: hashOf(''), detail: null },
      { path: 'hard', state: 'b', blob: hashOf('content'), detail: null },
      { path: 'same', state: 'b', blob: hashOf('content'), detail: null },
    ])
    expect(readFileSync(blobAt(folder, hashOf('content')), 'utf8')).toBe('content')
    for (const depth of ['counts', 'hash'] as const) {
      const verification = await verify(one, depth)
      expect(failed(verification)).toEqual([])
      expect(verification.figures).toMatchObject({ files: 4, copied: 4, blobs: 3, bytes: 10 })
    }
    expect(await plan(one)).toEqual({
      action: 'keep',
      madeOf: '',
      because: { code: 'present', text: '4 files: 4 copied' },
    })
    expect(one.world.told).toContainEqual({ done: 17, total: 17, unit: 'bytes' })
  })

  test('without files is copied when nothing was found, and only then', async () => {
    const one = await bench()
    mkdirSync(join(one.tree, 'folder'))
    await prepare(one)
    await run(one)
    expect(failed(await verify(one))).toEqual([])
    expect(await plan(one)).toMatchObject({ action: 'keep', because: { text: '0 files: 0 copied' } })
  })

  test('that another medium has already is not written again', async () => {
    const first = await bench()
    const second = await bench({}, first.folder)
    for (const { tree } of [first, second]) writeFileSync(join(tree, 'a'), 'equal on both')
    await prepare(first)
    await run(first)
    const before = statSync(blobAt(first.folder, hashOf('equal on both')))
    await prepare(second)
    await run(second)
    expect(statSync(blobAt(first.folder, hashOf('equal on both'))).ino).toBe(before.ino)
    expect(failed(await verify(second, 'hash'))).toEqual([])
  })

  test('that is not loaded is not copied', async () => {
    const one = await bench()
    await enumerate.run(one.medium, await enumerate.observe(one.medium, one.world), one.world, null)
    await expect(run(one)).rejects.toThrow(RunError)
  })

  test('that was enumerated again is copied again', async () => {
    const one = await bench()
    writeFileSync(join(one.tree, 'a'), 'first')
    await prepare(one)
    await run(one)
    writeFileSync(join(one.tree, 'b'), 'second')
    await prepare(one)
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'other-rows' } })
    await run(one)
    expect((await outcomes(one)).map(({ path, state }) => `${path} ${state}`)).toEqual(['a b', 'b b'])
    expect(failed(await verify(one))).toEqual([])
  })
})

describe('exclusions', () => {
  test('leave a file out only when all its names are, and are recorded with their pattern', async () => {
    const one = await bench({ exclude: ['.Trashes/', '*.tmp', '!keep.tmp', 'caf\u00e9'] })
    const { tree } = one
    mkdirSync(join(tree, '.Trashes'))
    writeFileSync(join(tree, '.Trashes/a'), 'in the trash')
    writeFileSync(join(tree, '.Trashes/b'), 'also elsewhere')
    linkSync(join(tree, '.Trashes/b'), join(tree, 'z'))
    writeFileSync(join(tree, 'one.tmp'), 'two names')
    linkSync(join(tree, 'one.tmp'), join(tree, 'two.tmp'))
    writeFileSync(join(tree, 'keep.tmp'), 'kept')
    writeFileSync(join(tree, '#draft#'), 'no comment')
    writeFileSync(join(tree, 'caf\u00e9'), 'by its bytes')
    await prepare(one)
    await run(one)
    const told = (await outcomes(one)).map(({ path, state, detail }) => `${path} ${state} ${detail}`)
    expect(told).toEqual([
      '#draft# b null',
      '.Trashes/a x .Trashes/',
      '.Trashes/b b null',
      'caf\xc3\xa9 x caf\u00e9',
      'keep.tmp b null',
      'one.tmp x *.tmp',
      'two.tmp x *.tmp',
      'z b null',
    ])
    expect(failed(await verify(one))).toEqual([])
    expect(await plan(one)).toMatchObject({ because: { text: '6 files: 3 copied, 3 excluded' } })
  })

  test('that have changed are applied to what they concern, and take back nothing that was copied', async () => {
    const one = await bench({ exclude: ['a', 'b'] })
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(one.tree, name), name)
    await prepare(one)
    await run(one)
    const changed = { ...one, medium: { ...one.medium, exclude: ['b', 'c'] } }
    expect(await plan(changed)).toMatchObject({ action: 'run', because: { code: 'exclusions' } })
    expect(failed(await verify(changed))).toContain('exclusions')
    await run(changed)
    expect((await outcomes(changed)).map(({ path, state, detail }) => `${path} ${state} ${detail}`)).toEqual([
      'a b null',
      'b x b',
      'c b null',
      'd b null',
    ])
    expect(one.world.lines).toContain(
      '1 file that is excluded now was copied before: nothing of that is taken back',
    )
    const proven = await verify(changed)
    expect([failed(proven), proven.figures]).toEqual([
      [],
      expect.objectContaining({ copied: 3, excluded: 1, excluded_kept: 1 }),
    ])
  })

  test('that nobody declared are seen, however the counts agree', async () => {
    const one = await bench()
    writeFileSync(join(one.tree, 'a'), 'a')
    await prepare(one)
    await run(one)
    await spoil(
      `update outcome set state = 'x', blob_id = null, detail = '*' where medium_id = $1`,
      await one.id(),
    )
    expect(failed(await verify(one))).toContain('left out by no pattern')
  })
})

describe('files that cannot be read', () => {
  test('are told with their class and tried again as often as is reasonable; then a person must look', async () => {
    const one = await bench()
    for (const name of ['a', 'b']) writeFileSync(join(one.tree, name), name)
    await prepare(one)
    renameSync(join(one.tree, 'a'), join(one.folder, 'a'))
    await run(one)
    expect((await outcomes(one))[0]).toEqual({
      path: 'a',
      state: 'e',
      blob: null,
      detail: 'missing 1: ENOENT when it was opened',
    })
    expect(failed(await verify(one))).toEqual(['unreadable files'])
    expect(await verify(one)).toMatchObject({
      facts: { lost: ['a: missing 1: ENOENT when it was opened'] },
      lost: { files: 1, bytes: 1, paths: ['a'] },
    })
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'failed' } })
    await run(one)
    await run(one)
    expect(await plan(one)).toMatchObject({ action: 'refuse', because: { code: 'failed' }, mayRedo: true })
    await run(one)
    expect((await outcomes(one))[0]?.detail).toMatch(/^missing 3:/)
    const accepting = {
      ...one,
      medium: { ...one.medium, policy: { ...one.medium.policy, unreadableFiles: 'accept' as const } },
    }
    expect(await plan(accepting)).toMatchObject({
      action: 'keep',
      because: { text: '2 files: 1 copied, 1 unreadable' },
    })
    expect(failed(await verify(accepting))).toEqual([])
    renameSync(join(one.folder, 'a'), join(one.tree, 'a'))
    await run(one, 'asked')
    expect(failed(await verify(one, 'hash'))).toEqual([])
    expect(await plan(one)).toMatchObject({ action: 'keep' })
  })

  test('because they have another size now are told with both numbers, and not tried again', async () => {
    const one = await bench()
    for (const name of ['a', 'b']) writeFileSync(join(one.tree, name), name)
    await prepare(one)
    writeFileSync(join(one.tree, 'a'), 'longer')
    await run(one)
    expect((await outcomes(one))[0]?.detail).toBe('size-changed 1: 1 bytes when it was enumerated, 6 now')
    expect(await plan(one)).toMatchObject({ action: 'refuse', because: { code: 'failed' } })
  })

  test('because their directory is not there are not recorded as lost', async () => {
    const one = await bench()
    for (const name of ['a', 'b']) writeFileSync(join(one.tree, name), name)
    await prepare(one)
    renameSync(one.tree, `${one.tree}-away`)
    await expect(run(one)).rejects.toThrow(ObserveError)
    mkdirSync(one.tree)
    await expect(run(one)).rejects.toThrow(/none of 2 files is where it was enumerated/)
    expect((await outcomes(one)).map(({ state }) => state)).toEqual([null, null])
    rmSync(one.tree, { recursive: true })
    renameSync(`${one.tree}-away`, one.tree)
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'incomplete' } })
    await run(one)
    expect(failed(await verify(one))).toEqual([])
  })
})

describe('a copy that was cut off', () => {
  test('goes on where it was, reads nothing twice, and is not done before its end', async () => {
    const one = await bench()
    for (let n = 0; n < 40; n += 1) writeFileSync(join(one.tree, `f${n}`), `content ${n}`)
    await prepare(one)
    let commits = 0
    const cut: Bench = {
      ...one,
      world: {
        ...one.world,
        async *ingest(pieces) {
          for await (const batch of one.world.ingest(pieces))
            for (let at = 0; at < batch.length; at += 10) yield batch.slice(at, at + 10)
        },
        transaction: (work) => {
          commits += 1
          if (commits === 5) throw new RunError('the connection was lost')
          return one.world.transaction(work)
        },
      },
    }
    await expect(run(cut)).rejects.toThrow('the connection was lost')
    const there = (await outcomes(one)).filter(({ state }) => state === 'b').length
    expect(there).toBeGreaterThan(0)
    expect(there).toBeLessThan(40)
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'incomplete' } })
    expect(failed(await verify(one))).toContain('files without an outcome')
    const asked: number[] = []
    const counting: Bench = {
      ...one,
      world: {
        ...one.world,
        async *ingest(pieces) {
          for await (const batch of one.world.ingest(pieces)) {
            asked.push(batch.length)
            yield batch
          }
        },
      },
    }
    await run(counting)
    expect(asked).toEqual([40 - there])
    expect(failed(await verify(one))).toEqual([])
  })

  test('by a full store leaves no false outcome', async () => {
    const one = await bench()
    for (let n = 0; n < 20; n += 1) writeFileSync(join(one.tree, `f${n}`), Buffer.alloc(200_000, n + 1))
    await prepare(one)
    if (process.getuid?.() !== 0) return
    rmSync(join(one.folder, 'by-hash'), { recursive: true })
    mkdirSync(join(one.folder, 'by-hash'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'ntt-test', join(one.folder, 'by-hash')])
    onTestFinished(() => void execFileSync('umount', ['--lazy', join(one.folder, 'by-hash')]))
    await expect(run(one)).rejects.toThrow(StoreError)
    expect((await outcomes(one)).filter(({ state }) => state !== null)).toEqual([])
    execFileSync('mount', ['-o', 'remount,size=100m', join(one.folder, 'by-hash')])
    await run(one)
    expect(failed(await verify(one, 'hash'))).toEqual([])
  })
})

describe('damage behind our back', () => {
  test('to blobs is found, each kind, and repaired from the source', async () => {
    const one = await bench()
    const contents = ['whole', 'gone', 'cut short', 'flipped', 'unlisted', 'missized']
    for (const text of contents) writeFileSync(join(one.tree, text), text)
    await prepare(one)
    await run(one)
    const at = (text: string): string => blobAt(one.folder, hashOf(text))
    rmSync(at('gone'))
    for (const text of ['cut short', 'flipped']) chmodSync(at(text), 0o644)
    truncateSync(at('cut short'), 3)
    writeFileSync(at('flipped'), 'flopped')
    await spoil('delete from blob where blob_id = $1', Buffer.from(hashOf('unlisted'), 'hex'))
    await spoil('update blob set size = 7 where blob_id = $1', Buffer.from(hashOf('missized'), 'hex'))
    expect(failed(await verify(one))).toEqual([
      'contents of another size',
      'contents not in the table of blobs',
      'contents not in the store',
      'contents of another size in the store',
    ])
    const deep = await verify(one, 'hash')
    expect(failed(deep)).toContain('contents not what their name says')
    expect(deep.facts).toMatchObject({
      missing: [`gone: ${hashOf('gone')}`],
      altered: [`flipped: ${hashOf('flipped')}`],
    })
    await run(one, 'asked')
    expect(failed(await verify(one, 'hash'))).toEqual([])
    expect(readFileSync(at('flipped'), 'utf8')).toBe('flipped')
    expect(readFileSync(`${at('flipped')}.aside-failed-proof-test`, 'utf8')).toBe('flopped')
  })

  test('is found although another reading vouches for contents, unless exactly these were read in it', async () => {
    const one = await bench()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(one.tree, name), name)
    await prepare(one)
    await run(one)
    const names = (some: readonly string[]): string =>
      hashOf(Buffer.from(some.map(hashOf).toSorted().join(''), 'hex'))
    const read = (some: readonly string[], suspects: readonly string[] = []): Promise<Verification> => {
      const world = { ...one.world, together: async () => ({ sum: names(some), suspects }) }
      return copy.verify(one.medium, world, 'hash')
    }
    chmodSync(blobAt(one.folder, hashOf('b')), 0o644)
    writeFileSync(blobAt(one.folder, hashOf('b')), 'x')
    // Who reads all of them answers for them; whose list is another has not read these.
    expect(failed(await read(['a', 'b', 'c']))).toEqual([])
    for (const other of [['a', 'c'], ['a', 'b'], ['a', 'b', 'c', 'd'], []])
      expect([other, failed(await read(other))]).toEqual([other, ['contents not what their name says']])
    expect(failed(await read(['a', 'b', 'c'], [hashOf('b')]))).toEqual(['contents not what their name says'])
    expect(failed(await read(['a', 'b', 'c'], [hashOf('a')]))).toEqual([])
    // One that is not there now was there when it was read, or the other way round: neither is vouched for.
    rmSync(blobAt(one.folder, hashOf('c')))
    const both = ['contents not in the store', 'contents not what their name says']
    expect(failed(await read(['a', 'b', 'c']))).toEqual(both)
    expect(failed(await read(['a', 'b']))).toEqual(['contents not in the store'])
  })

  test('to outcomes is found, and repaired', async () => {
    const one = await bench()
    for (const text of ['a', 'bb', 'ccc']) writeFileSync(join(one.tree, text), text)
    await prepare(one)
    await run(one)
    const good = (await verify(one)).content
    const id = await one.id()
    await spoil(
      `delete from outcome where medium_id = $1 and blob_id = $2`,
      id,
      Buffer.from(hashOf('a'), 'hex'),
    )
    expect(failed(await verify(one))).toEqual(['files without an outcome', 'outcomes'])
    await spoil(
      `insert into outcome (medium_id, fs, ino, state, detail) values ($1, 0, 1, 'e', 'x 1: y')`,
      id,
    )
    expect(failed(await verify(one))).toEqual([
      'files without an outcome',
      'outcomes without a file',
      'unreadable files',
    ])
    await spoil(
      `update outcome set blob_id = $2 where medium_id = $1 and blob_id = $3`,
      id,
      Buffer.from(hashOf('ccc'), 'hex'),
      Buffer.from(hashOf('bb'), 'hex'),
    )
    expect(failed(await verify(one))).toContain('contents of another size')
    expect((await verify(one)).content).not.toBe(good)
  })

  test('a store that is not the one that the database knows is not written to', async () => {
    const one = await bench()
    writeFileSync(join(one.tree, 'a'), 'a')
    await prepare(one)
    await run(one)
    renameSync(join(one.folder, 'by-hash'), join(one.folder, 'elsewhere'))
    await expect(plan(one)).rejects.toThrow(ObserveError)
    await expect(run(one)).rejects.toThrow(ObserveError)
    mkdirSync(join(one.folder, 'by-hash'))
    writeFileSync(join(one.folder, 'by-hash/.ntt-store'), '00000000-0000-0000-0000-000000000000\n')
    await expect(plan(one)).rejects.toThrow(ObserveError)
    await expect(run(one)).rejects.toThrow(ObserveError)
  })

  test('outcomes of which nobody says what they were decided by are left to a person', async () => {
    const one = await bench()
    writeFileSync(join(one.tree, 'a'), 'a')
    await prepare(one)
    await run(one)
    await spoil('delete from copying where medium_id = $1', await one.id())
    expect(await plan(one)).toMatchObject({ action: 'refuse', because: { code: 'foreign' } })
  })
})

describe('images', () => {
  const sample = (name: string): string => join(repository, 'test/images', name)

  test('a disc: every file that xorriso extracts has its content in the store, under its name', async () => {
    const one = await bench({
      source: { type: 'image', path: sample('ceh-report.iso') },
      bytes: statSync(sample('ceh-report.iso')).size,
    })
    await prepare(one)
    await run(one)
    expect(failed(await verify(one, 'hash'))).toEqual([])
    const out = join(one.folder, 'out')
    execFileSync('xorriso', ['-osirrox', 'on', '-indev', sample('ceh-report.iso'), '-extract', '/', out], {
      stdio: 'ignore',
    })
    const rows = await outcomes(one)
    expect(rows.length).toBe(1056)
    for (const { path, blob } of rows) {
      expect(`${path} ${hashOf(readFileSync(Buffer.from(`${out}/${path}`, 'latin1')))}`).toBe(
        `${path} ${blob}`,
      )
    }
  })

  test('a disk of two filesystems with the same inode numbers: each file has its own content', async () => {
    const one = await bench({
      kind: 'disk',
      source: { type: 'image', path: sample('disk.img') },
      bytes: statSync(sample('disk.img')).size,
    })
    await prepare(one)
    await run(one)
    expect(failed(await verify(one, 'hash'))).toEqual([])
    const rows = await database.query<{ fs: number; ino: string; start: string; blob: string }>(
      `select o.fs, o.ino::text, f.start::text, encode(o.blob_id, 'hex') as blob
         from outcome o join filesystem f using (medium_id, fs) where o.medium_id = $1`,
      [await one.id()],
    )
    expect(new Set(rows.map(({ fs }) => fs)).size).toBe(2)
    for (const { ino, start, blob } of rows.slice(0, 200)) {
      const content = execFileSync('icat', ['-o', String(Number(start) / 512), sample('disk.img'), ino], {
        maxBuffer: 1 << 28,
      })
      expect(`${ino} ${hashOf(content)}`).toBe(`${ino} ${blob}`)
    }
  })

  test('bytes that the map says were not read make a file damaged; read later, they make it whole', async () => {
    const folder = scratch()
    const image = join(folder, 'disk.img')
    copyFileSync(sample('disk.img'), image)
    const bytes = statSync(image).size
    const one = await bench({ kind: 'disk', source: { type: 'image', path: image }, bytes }, folder)
    await prepare(one)
    await run(one)
    const [victim] = (await outcomes(one)).filter(({ blob }) => blob !== hashOf(''))
    const content = readFileSync(blobAt(folder, victim?.blob ?? ''))
    const place = readFileSync(image).indexOf(content.subarray(0, Math.min(content.length, 512)))
    const map = (status: string): void =>
      writeFileSync(
        join(folder, 'disk.map'),
        `0x0 + 1\n0x0 ${place} +\n${place} 1 ${status}\n${place + 1} ${bytes - place - 1} +\n`,
      )
    map('-')
    expect(await plan(one)).toMatchObject({ action: 'run', because: { code: 'damaged' } })
    await run(one, 'asked')
    expect((await outcomes(one)).filter(({ state }) => state === 'd').length).toBeGreaterThan(0)
    map('+')
    await run(one)
    expect((await outcomes(one)).every(({ state }) => state === 'b')).toBe(true)
    expect(failed(await verify(one, 'hash'))).toEqual([])
  })
})
