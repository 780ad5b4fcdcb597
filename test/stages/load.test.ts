// load: the rows are those of the enumeration, the database's word for it is not taken, and nothing good gives way unasked.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Entry, VolumeReport } from '../../src/model/entry.ts'
import { ObserveError, RefusedError, RunError } from '../../src/model/errors.ts'
import type { Medium } from '../../src/model/medium.ts'
import { rawPlace } from '../../src/model/places.ts'
import { encodeRaw, RawError, type RawRecord } from '../../src/model/raw/index.ts'
import type { Verification, Replaces } from '../../src/model/stage.ts'
import type { Writer } from '../../src/model/world.ts'
import { openDatabase, type Database } from '../../src/ports/postgres.ts'
import { load } from '../../src/stages/load/index.ts'
import { hands } from '../support/hands.ts'
import { freshDatabase } from '../support/postgres.ts'

const hash = 'da69350a5b27adf013e02994611cebc3'

interface Place {
  readonly folder: string
  readonly database: Database
  readonly world: Writer
}

let place: Place
let database: Database

beforeAll(async () => {
  database = await openDatabase({ where: await freshDatabase(), run: 'test' })
})
afterAll(() => database.close())
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'ntt-load-'))
  place = { folder, database, world: { ...hands(folder, { database }), enrol: () => enrol(hash) } }
})
afterEach(async () => {
  rmSync(place.folder, { recursive: true })
  await database.transaction((tx) =>
    tx.execute(`
      drop event trigger if exists meddling;
      drop function if exists meddling, meddled cascade;
      do $$ declare made record; begin
        for made in select oid::regclass::text as name, relkind from pg_class
          where relnamespace = 'public'::regnamespace and (relkind = 'r' and relname ~ '_[0-9]+_' or relkind in ('r', 'v') and relname ~ '^inode_p_')
        loop execute format('drop %s %s', case made.relkind when 'v' then 'view' else 'table' end, made.name); end loop;
      end $$;
      truncate medium, generation, filesystem, anomaly restart identity`),
  )
})

const enrol = async (of: string): Promise<number> => {
  const sql = `insert into medium (medium_hash) values ($1) on conflict (medium_hash) do update set medium_hash = $1 returning medium_id as id`
  const [row] = await place.database.transaction((tx) => tx.query<{ id: number }>(sql, [of]))
  return row?.id ?? 0
}

const medium = (of = hash): Medium => ({
  name: of.slice(0, 8),
  file: 'media.d/x.yaml',
  label: null,
  kind: 'optical',
  source: { type: 'image', path: '/nowhere/x.iso' },
  target: 'loaded',
  hash: of,
  version: 'declared',
  bytes: 0,
  expect: {},
  exclude: [],
  policy: { rescued: 100, unreadableFiles: 'refuse', partitions: {} },
})

const entry = (path: string | Buffer, parts: Partial<Entry> = {}): Entry => ({
  type: 'f',
  path: typeof path === 'string' ? Buffer.from(path, 'latin1') : path,
  ino: 1n,
  nlink: 1,
  size: 10,
  mtimeNs: 1_000_000_000_000_000_001n,
  mode: 0o644,
  uid: 1000,
  gid: 4_294_967_294,
  rdev: 0n,
  target: null,
  extents: null,
  ...parts,
})

const volume = (fs: number, parts: Partial<VolumeReport> = {}): VolumeReport => ({
  fs,
  scheme: 'whole',
  partitionType: '',
  start: 0,
  bytes: 477_429_760,
  type: 'iso9660',
  label: Buffer.from('CEH\xff', 'latin1'),
  uuid: '2001-02-03',
  outcome: 'read',
  reason: '',
  reader: 'bsdtar 3.6.2',
  ...parts,
})

/** The disc of BUG-015: 1,161 records, 1,056 files among them. */
const report: readonly RawRecord[] = [
  { fs: 0, entry: entry('', { type: 'd', ino: 1n }) },
  ...Array.from({ length: 99 }, (_, at) => ({
    fs: 0,
    entry: entry(`part ${at}`, { type: 'd' as const, ino: BigInt(2 + at), size: 0 }),
  })),
  ...Array.from({ length: 5 }, (_, at) => ({
    fs: 0,
    entry: entry(`part 0/link ${at}`, {
      type: 'l' as const,
      ino: BigInt(200 + at),
      target: Buffer.from('\xffx', 'latin1'),
    }),
  })),
  ...Array.from({ length: 1056 }, (_, at) => ({
    fs: 0,
    entry: entry(`part ${at % 99}/chapter ${at}.txt`, { ino: BigInt(1000 + at), size: at }),
  })),
]

async function enumerated(
  records: readonly RawRecord[],
  volumes: readonly VolumeReport[] = [volume(0)],
  of = hash,
): Promise<void> {
  async function* batches() {
    for (let at = 0; at < records.length; at += 100) yield records.slice(at, at + 100)
  }
  const about = { hash: of, source: 'x.iso', writer: 'test' }
  await place.world.create(
    rawPlace({ hash: of }),
    encodeRaw(batches(), () => volumes, about),
  )
}

const decide = async (of = medium()) => load.plan(of, await load.observe(of, place.world))

async function loaded(of = medium(), replaces: Replaces = null): Promise<void> {
  await load.run(
    of,
    await load.observe(of, place.world),
    { ...place.world, enrol: () => enrol(of.hash) },
    replaces,
  )
}

const failed = ({ checks }: Verification): readonly string[] =>
  checks.filter(({ ok }) => !ok).map(({ name }) => name)

const proven = async (depth: 'counts' | 'hash', of = medium()): Promise<readonly string[]> =>
  failed(await load.verify(of, place.world, depth))

const ask = async <Row = Record<string, unknown>>(sql: string): Promise<readonly Row[]> =>
  place.database.transaction((tx) => tx.query<Row>(sql))

const paths = async (of = hash): Promise<readonly string[]> =>
  (await ask<{ path: Buffer }>(`select path from path where medium_hash = '${of}' order by fs, path`)).map(
    ({ path }) => path.toString('latin1'),
  )

const tableNames = async (): Promise<readonly string[]> =>
  (
    await ask<{ name: string }>(
      `select relname as name from pg_class where relkind = 'r' and relname ~ '_[0-9]+_' order by 1`,
    )
  ).map(({ name }) => name)

describe('the disc of BUG-015', () => {
  test('is loaded whole, and its own queries find it', async () => {
    await enumerated(report)
    expect(await decide()).toMatchObject({
      action: 'run',
      because: { code: 'absent' },
      work: { entries: 1161 },
    })
    await loaded()
    const verification = await load.verify(medium(), place.world, 'hash')
    expect(failed(verification)).toEqual([])
    expect(verification.figures).toMatchObject({
      records: 1161,
      files: 1056,
      directories: 100,
      links: 5,
      others: 0,
    })
    expect(await proven('counts')).toEqual([])
    expect(await ask('SELECT COUNT(*)::int4 AS n FROM inode_p_da69350a')).toEqual([{ n: 1056 }])
    expect(await tableNames()).toEqual(['directory_1_da69350a', 'entry_1_da69350a', 'inode_1_da69350a'])
    expect(await paths()).toEqual(
      report.map((record) => ('entry' in record ? record.entry.path.toString('latin1') : '')).toSorted(),
    )
  })

  test('is kept at the next plan', async () => {
    await enumerated(report)
    await loaded()
    const first = await load.observe(medium(), place.world)
    expect(load.plan(medium(), first)).toEqual({
      action: 'keep',
      because: { code: 'present', text: '1,161 records' },
    })
  })

  test('is seen as it was after the server has tidied its tables', async () => {
    await enumerated(report)
    await loaded()
    const before = await load.observe(medium(), place.world)
    const session = await database.session('vacuum')
    for (const { name } of before.rows?.tables ?? []) await session.query(`vacuum (analyze) ${name}`)
    await session.end()
    expect(await load.observe(medium(), place.world)).toEqual(before)
  })

  test('keeps every fact of an inode', async () => {
    await enumerated([
      { fs: 3, entry: entry('all', { ino: 2n ** 64n - 1n, size: 2 ** 53 - 1, nlink: 7 }) },
      { fs: 3, entry: entry('none', { ino: 5n, mtimeNs: null, mode: null, uid: null, gid: null }) },
      { fs: 3, entry: entry('node', { ino: 6n, type: 'b', rdev: (8n << 32n) | 17n, size: 0 }) },
      { fs: 3, entry: entry('link', { ino: 7n, type: 'l', target: Buffer.from([0xff, 0x0a]) }) },
    ])
    await loaded()
    expect(await ask('select * from inode order by ino')).toMatchObject([
      {
        ino: '-1',
        size: '9007199254740991',
        mtime_ns: '1000000000000000001',
        nlink: 7,
        uid: 1000,
        gid: 4_294_967_294,
        mode: 420,
        type: 'f',
        medium_id: 1,
        fs: 3,
      },
      { ino: '5', mtime_ns: null, mode: null, uid: null, gid: null },
      { ino: '6', type: 'b', target: Buffer.from('8:17') },
      { ino: '7', type: 'l', target: Buffer.from([0xff, 0x0a]) },
    ])
    expect(await ask('select outcome, label, reader from filesystem')).toEqual([
      { outcome: 'read', label: Buffer.from('CEH\xff', 'latin1'), reader: 'bsdtar 3.6.2' },
    ])
  })
})

describe('hard cases', () => {
  test('names of any bytes, and paths longer than an index can hold, come back as they were', async () => {
    const hostile = [
      ...Array.from({ length: 255 }, (_, at) => Buffer.from([0x61, at + 1])).filter(
        ([, byte]) => byte !== 0x2f,
      ),
      Buffer.from('\\left-\\right.plist'),
      Buffer.from('caf\xe9', 'latin1'),
      Buffer.from(`${'d'.repeat(250)}/`.repeat(16) + 'x'.repeat(79)),
    ]
    await enumerated(hostile.map((path, at) => ({ fs: 0, entry: entry(path, { ino: BigInt(at) }) })))
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
    expect(await paths()).toEqual(
      hostile.toSorted((one, other) => one.compare(other)).map((path) => path.toString('latin1')),
    )
  })

  test('two partitions with the same inode numbers stay apart', async () => {
    const twice = [1, 2].flatMap((fs): RawRecord[] => [
      { fs, entry: entry('', { type: 'd', ino: 2n }) },
      { fs, entry: entry('a', { type: fs === 1 ? 'f' : 'd', ino: 12n, size: fs }) },
    ])
    await enumerated(twice, [volume(1), volume(2)])
    await loaded()
    expect(await proven('counts')).toEqual([])
    expect(await ask('select fs, ino, type from inode where ino = 12 order by fs')).toEqual([
      { fs: 1, ino: '12', type: 'f' },
      { fs: 2, ino: '12', type: 'd' },
    ])
  })

  test('one file of 40,040 names is one inode', async () => {
    const names = Array.from({ length: 40_040 }, (_, at) => ({
      fs: 0,
      entry: entry(`d${at % 10}/n${at}`, { ino: 77n, nlink: 40_040 }),
    }))
    await enumerated(names)
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
    expect(await ask('select count(*)::int4 as n from inode')).toEqual([{ n: 1 }])
    expect(await ask('select count(*)::int4 as n from anomaly')).toEqual([{ n: 0 }])
  })

  test('names that are there twice, and inodes that are told twice, are kept and shown', async () => {
    await enumerated([
      { fs: 0, entry: entry('', { type: 'd', ino: 1n }) },
      { fs: 0, entry: entry('TWICE.TXT', { ino: 2n, size: 5 }) },
      { fs: 0, entry: entry('TWICE.TXT', { ino: 3n, size: 4_000_000_000 }) },
      { fs: 0, entry: entry('again', { ino: 2n, size: 6 }) },
      { fs: 0, entry: entry('other kind', { ino: 2n, type: 'd', size: 0 }) },
      { fs: 0, entry: entry('linked', { ino: 4n, nlink: 2 }) },
      { fs: 0, entry: entry('linked, they say', { ino: 4n, nlink: 2, type: 'l', target: Buffer.from('x') }) },
      {
        fs: 0,
        error: {
          error: 'unreadable-directory',
          path: Buffer.from('DAMAGED\xff', 'latin1'),
          message: 'Eingabe-/Ausgabefehler ä',
        },
      },
    ])
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
    expect(await ask('select kind, ino, path, detail from anomaly order by kind, ino, path')).toMatchObject([
      {
        kind: 'repeated-inode',
        ino: '2',
        path: Buffer.from('again'),
        detail: expect.stringContaining('"size":6'),
      },
      {
        kind: 'repeated-inode',
        ino: '2',
        path: Buffer.from('other kind'),
        detail: expect.stringContaining('"type":"d"'),
      },
      { kind: 'repeated-inode', ino: '4', path: Buffer.from('linked, they say') },
      {
        kind: 'unreadable-directory',
        ino: null,
        path: Buffer.from('DAMAGED\xff', 'latin1'),
        detail: 'Eingabe-/Ausgabefehler ä',
      },
    ])
    expect(await ask('select times, path from repeated_path')).toEqual([
      { times: '2', path: Buffer.from('TWICE.TXT') },
    ])
    expect(await ask('select ino, size from inode where ino = 2')).toEqual([{ ino: '2', size: '5' }])
  })

  test('an enumeration that found nothing is loaded as nothing, and that is a load', async () => {
    await enumerated([], [volume(0, { outcome: 'empty', reason: 'formatted, no entries' })])
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
    expect(await decide()).toMatchObject({ action: 'keep', because: { text: '0 records' } })
  })

  test('more errors than fit into a block', async () => {
    const errors = Array.from({ length: 10_000 }, (_, at) => ({
      fs: 0,
      error: { error: 'EIO', path: Buffer.from(`lost/${at}`), message: 'Input/output error' },
    }))
    await enumerated([...report, ...errors])
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
  })

  test('an enumeration of the older pipeline', async () => {
    const mount = `/mnt/ntt/${hash}`
    const bytes = ['d:2:2:0:', 'f:3:1:7:/a', 'f:4:1:8:/b\x1c'].map((line) => {
      const [type = '', ino = '', nlink = '', size = '', path = ''] = line.split(':')
      return Buffer.from(`${[type, '5', ino, nlink, size, '1000', mount + path].join('\x1c')}\0`)
    })
    await place.world.create(
      rawPlace({ hash }),
      (async function* () {
        yield* bytes
      })(),
    )
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await proven('counts')).toEqual([])
    expect(await paths()).toEqual(['', 'a', 'b\x1c'])
    expect(await decide()).toMatchObject({ action: 'keep', because: { text: '3 records' } })
  })

  test('any records: what is asked of the database is what was enumerated', async () => {
    const names = fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .map((bytes) => bytes.map((byte) => (byte === 0x2f ? 1 : byte || 2)))
    const records = fc.array(
      fc.record({
        fs: fc.nat(2),
        entry: fc.record({
          path: fc
            .array(names, { maxLength: 4 })
            .map((parts) =>
              Buffer.from(parts.map((part) => Buffer.from(part).toString('latin1')).join('/'), 'latin1'),
            ),
          ino: fc.bigInt(0n, 40n),
          nlink: fc.integer({ min: 1, max: 2 }),
          size: fc.nat(1000),
          type: fc.constantFrom('f', 'd', 'l', 'p'),
        }),
      }),
      { maxLength: 60 },
    )
    let turn = 0
    await fc.assert(
      fc.asyncProperty(records, async (given) => {
        const own = medium((turn += 1).toString(16).padStart(32, '0'))
        await enumerated(
          given.map(({ fs, entry: parts }) => ({ fs, entry: entry(parts.path, parts) })),
          [],
          own.hash,
        )
        await loaded(own)
        expect(await proven('hash', own)).toEqual([])
        expect(await proven('counts', own)).toEqual([])
        const wanted = given.toSorted(
          (one, other) => one.fs - other.fs || Buffer.compare(one.entry.path, other.entry.path),
        )
        expect(await paths(own.hash)).toEqual(wanted.map(({ entry: { path } }) => path.toString('latin1')))
      }),
      { numRuns: 25 },
    )
  })
})

describe('the witness', () => {
  beforeEach(async () => {
    await enumerated(report)
    await loaded()
  })

  test.each([
    [
      'a name that is gone',
      'delete from entry where name = convert_to($$chapter 7.txt$$, $$utf8$$)',
      ['counts', 'hash'],
    ],
    ['a name too many', 'insert into entry select * from entry limit 1', ['counts', 'hash']],
    ['an inode that is gone', 'delete from inode where ino = 1007', ['counts', 'hash']],
    [
      'a directory that is gone',
      'delete from directory where path = convert_to($$part 7$$, $$utf8$$)',
      ['counts', 'hash'],
    ],
    ['another kind', `update inode set type = 'd' where ino = 1007`, ['counts', 'hash']],
    ['another size', 'update inode set size = size + 1 where ino = 1007', ['counts', 'hash']],
    ['an outcome of a volume', `update filesystem set outcome = 'partial'`, ['counts', 'hash']],
    [
      'an error that nobody told',
      `insert into anomaly values (1, 0, 'EIO', null, '', '')`,
      ['counts', 'hash'],
    ],
    ['sizes that changed places', 'update inode set size = 2013 - size where ino in (2003, 2010)', ['hash']],
    [
      'a letter of a name',
      `update entry set name = overlay(name placing 'X' from 1) where ino = 1007`,
      ['hash'],
    ],
    ['a time', 'update inode set mtime_ns = mtime_ns + 1 where ino = 1007', ['hash']],
    ['a link target', `update inode set target = 'x' where ino = 201`, ['hash']],
    [
      'a path of a directory',
      `update directory set path = overlay(path placing 'X' from 1) where dir = 5`,
      ['hash'],
    ],
  ] as const)('notices %s', async (_, sql, depths) => {
    const before = await load.observe(medium(), place.world)
    await place.database.transaction(async (tx) => {
      await tx.execute(sql)
      await tx.query('select pg_stat_force_next_flush()')
    })
    for (const depth of depths) expect(await proven(depth), depth).not.toEqual([])
    if (sql.startsWith('delete from inode'))
      expect(await proven('counts')).toContain('names without an inode')
    if (!/filesystem|anomaly/.test(sql)) expect(await load.observe(medium(), place.world)).not.toEqual(before)
  })

  test('does not speak without an enumeration, nor by a damaged one', async () => {
    const raw = place.world.path(rawPlace({ hash }))
    const { readFileSync, writeFileSync } = await import('node:fs')
    const bytes = readFileSync(raw)
    bytes[5000] = (bytes[5000] ?? 0) ^ 1
    writeFileSync(raw, bytes)
    for (const depth of ['counts', 'hash'] as const) {
      await expect(load.verify(medium(), place.world, depth)).rejects.toThrow(ObserveError)
    }
    rmSync(raw)
    for (const depth of ['counts', 'hash'] as const) {
      await expect(load.verify(medium(), place.world, depth)).rejects.toThrow(ObserveError)
    }
    expect(await decide()).toMatchObject({ action: 'keep' })
  })

  test('a partition that somebody dropped is noticed and mended', async () => {
    await place.database.transaction((tx) => tx.execute('drop table entry_1_da69350a'))
    expect(await decide()).toMatchObject({
      action: 'run',
      because: { code: 'incomplete', text: '2 of 3 tables are there' },
    })
    await loaded()
    expect(await proven('hash')).toEqual([])
  })

  test('tables that nobody accounts for are a person’s to judge', async () => {
    await place.database.transaction((tx) => tx.execute('delete from generation'))
    expect(await decide()).toMatchObject({ action: 'refuse', because: { code: 'foreign' }, mayRedo: true })
  })
})

describe('a database that does not keep what it is given', () => {
  const meddle = (table: string, body: string): Promise<number> =>
    place.database.transaction((tx) =>
      tx.execute(`
        create function meddled() returns trigger language plpgsql as $$ begin ${body} end $$;
        create function meddling() returns event_trigger language plpgsql as $$
          declare made record;
          begin
            for made in select objid::regclass::text as name from pg_event_trigger_ddl_commands() where command_tag = 'CREATE TABLE' loop
              if made.name like '%load_%_${table}_%' then
                execute 'create trigger meddled before insert on ' || made.name || ' for each row execute function meddled()';
              end if;
            end loop;
          end $$;
        create event trigger meddling on ddl_command_end when tag in ('CREATE TABLE') execute function meddling();`),
    )

  test('rows that it drops are missed before anything is attached', async () => {
    await enumerated(report)
    await meddle('entry', `if new.ino = 1007 then return null; end if; return new;`)
    await expect(loaded()).rejects.toThrow(RunError)
    expect(await paths()).toEqual([])
    expect(await decide()).toMatchObject({ action: 'run', because: { code: 'absent' } })
  })

  test('rows that it alters are found by the witness', async () => {
    await enumerated(report)
    await meddle('inode', `new.size = new.size + 1; return new;`)
    await loaded()
    expect(await proven('hash')).toEqual(['inode'])
  })

  test('rows that it alters are found by the witness that looks right after the load', async () => {
    const same = medium()
    await enumerated(report)
    await meddle('entry', `new.name = '\\x00'; return new;`)
    await loaded(same)
    expect(await proven('hash', same)).toEqual(['entry'])
  })

  test('rows that it brings into another order are the same rows', async () => {
    const same = medium()
    await enumerated(report)
    await loaded(same)
    const before = await ask<{ ino: string }>('select ino::text from inode')
    await ask(`with gone as (delete from inode where medium_id > 0 returning *)
               insert into inode select * from gone order by ino desc`)
    expect(await ask('select ino::text from inode')).not.toEqual(before)
    expect(await proven('hash', same)).toEqual([])
    expect(await proven('hash')).toEqual([])
    await ask('update inode set size = size + 1 where ino = 1007')
    expect(await proven('hash')).toEqual(['inode'])
  })

  test('what a load remembers of its rows is not held against another enumeration', async () => {
    const same = medium()
    await enumerated(report)
    await loaded(same)
    await enumerated(report.slice(0, -1))
    expect(await proven('hash', same)).toEqual(['enumeration', 'inode', 'entry'])
  })

  test('rows that it alters do not replace good ones', async () => {
    await enumerated(report)
    await loaded()
    await meddle('entry', `new.name = '\\x00'; return new;`)
    await expect(loaded(medium(), 'asked')).rejects.toThrow(/were sent for entry/)
    expect(await proven('hash')).toEqual([])
  })

  test('a connection that is killed in mid-load leaves no rows to see, and the next try finds the way clear', async () => {
    await enumerated(report)
    await meddle(
      'inode',
      `if new.ino = 1500 then perform pg_terminate_backend(pg_backend_pid()); end if; return new;`,
    )
    await expect(loaded()).rejects.toThrow()
    expect(await paths()).toEqual([])
    await place.database.transaction((tx) => tx.execute('drop event trigger meddling'))
    await loaded()
    expect(await proven('hash')).toEqual([])
    expect(await tableNames()).toHaveLength(3)
  })
})

describe('rows of another enumeration', () => {
  const smaller = report.slice(0, 1000)

  test('are refused with both counts, and stay when run is called all the same', async () => {
    await enumerated(report)
    await loaded()
    await enumerated(smaller)
    expect(await decide()).toMatchObject({
      action: 'refuse',
      because: {
        code: 'other-rows',
        text: `1,161 records of another enumeration are loaded; the one that is there now has 1,000; \`ntt apply --redo ${hash.slice(0, 8)}/load\` puts its rows in their place`,
      },
      mayRedo: true,
    })
    await expect(loaded()).rejects.toThrow(RefusedError)
    expect(await paths()).toHaveLength(1161)
    expect(await tableNames()).toHaveLength(3)
  })

  test('give way where a person asked for it', async () => {
    await enumerated(report)
    await loaded()
    const [before] = await ask<{ oid: number }>(`select 'inode_1_da69350a'::regclass::oid as oid`)
    await enumerated(smaller)
    await loaded(medium(), 'asked')
    expect(await paths()).toHaveLength(1000)
    expect(await proven('hash')).toEqual([])
    expect(await tableNames()).toHaveLength(3)
    const [after] = await ask<{ oid: number }>(`select 'inode_1_da69350a'::regclass::oid as oid`)
    expect(after).not.toEqual(before)
  })

  test('stay when the replacement turns out to be damaged', async () => {
    await enumerated(report)
    await loaded()
    await enumerated(smaller)
    const seen = await load.observe(medium(), place.world)
    const { readFileSync, writeFileSync } = await import('node:fs')
    const raw = place.world.path(rawPlace({ hash }))
    const bytes = readFileSync(raw)
    bytes[40_000] = (bytes[40_000] ?? 0) ^ 4
    writeFileSync(raw, bytes)
    await expect(load.run(medium(), seen, place.world, 'asked')).rejects.toThrow(RawError)
    expect(await paths()).toHaveLength(1161)
    expect(await tableNames()).toHaveLength(3)
  })

  test('take what was amiss with them along', async () => {
    const lost = { fs: 0, error: { error: 'EIO', path: Buffer.from('x'), message: 'Input/output error' } }
    await enumerated([...report, lost])
    await loaded()
    await enumerated(report)
    expect(await decide()).toMatchObject({ action: 'refuse' })
    await loaded(medium(), 'asked')
    expect(await ask('select count(*)::int4 as n from anomaly')).toEqual([{ n: 0 }])
    expect(await proven('hash')).toEqual([])
  })

  test('are not others when only the order changed', async () => {
    await enumerated(report)
    await loaded()
    await enumerated(report.toReversed())
    expect(await decide()).toMatchObject({ action: 'keep' })
  })

  test('nor when a volume ended otherwise: that is brought up to date', async () => {
    await enumerated(report, [volume(0), volume(1, { outcome: 'unreadable', reason: 'no driver' })])
    await loaded()
    await enumerated(report, [volume(0), volume(1, { outcome: 'waived', reason: 'a person skipped it' })])
    expect(await decide()).toMatchObject({ action: 'run', because: { code: 'changed' } })
    await loaded()
    expect(await ask('select fs, outcome from filesystem order by fs')).toEqual([
      { fs: 0, outcome: 'read' },
      { fs: 1, outcome: 'waived' },
    ])
    expect(await proven('hash')).toEqual([])
    expect(await decide()).toMatchObject({ action: 'keep' })
  })
})

describe('side by side', () => {
  const twin = `${hash.slice(0, 8)}ffffffffffffffffffffffff`

  test('two media with equal first digits are loaded at once, each whole', async () => {
    await enumerated(report)
    await enumerated(report.slice(0, 500), [volume(0)], twin)
    await Promise.all([loaded(), loaded(medium(twin))])
    expect(await proven('hash')).toEqual([])
    expect(await proven('hash', medium(twin))).toEqual([])
    expect([(await paths()).length, (await paths(twin)).length]).toEqual([1161, 500])
  })

  test('what is seen of a load is there at once, also when another one has just ended', async () => {
    await enumerated(report)
    await enumerated(report.slice(0, 500), [volume(0)], twin)
    await loaded()
    await loaded(medium(twin))
    const { rows } = await load.observe(medium(twin), place.world)
    expect(rows?.tables.map(({ name, writes }) => [name.split('_')[0], writes])).toEqual([
      ['directory', '100'],
      ['entry', '500'],
      ['inode', '500'],
    ])
  })

  test('a reader of one medium does not hold up the load of another', async () => {
    await enumerated(report)
    await loaded()
    await enumerated(report.slice(0, 500), [volume(0)], twin)
    await place.database.transaction(async (tx) => {
      await tx.query('select count(*) from path')
      await loaded(medium(twin))
      await tx.query('select count(*) from path')
    })
    expect(await proven('hash', medium(twin))).toEqual([])
  })

  test('a table that has the name of the view is left alone', async () => {
    await place.database.transaction((tx) => tx.execute('create table inode_p_da69350a (mine int)'))
    await enumerated(report)
    await loaded()
    expect(await ask('select count(*)::int4 as n from inode_p_da69350a')).toEqual([{ n: 0 }])
  })
})
