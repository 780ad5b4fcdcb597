// Hard cases of the older pipeline, by their numbers, from the medium through the real command and back out of database and store.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { make } from './support/looking.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleImages, type Project } from './support/project.ts'
import { storedOf, storeByB3sum, treeOf, type Told } from './support/stored.ts'
import { hostileTree } from './support/trees.ts'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const isRoot = process.getuid?.() === 0

/** Every byte that a name can hold, in one name. */
const everyByte = Array.from({ length: 255 }, (_none, index) => index + 1)
  .filter((byte) => byte !== 0x2f)
  .map((byte) => String.fromCharCode(byte))
  .join('')

/** The hostile tree, with what only a real filesystem and root can hold as well. */
function worstTree(folder: string): string {
  hostileTree(folder)
  writeFileSync(latin1(`${folder}/${everyByte}`), 'every byte')
  if (isRoot) {
    make('mknod', join(folder, 'null'), 'c', '1', '3')
    make('mknod', join(folder, 'loop0'), 'b', '7', '0')
  }
  execFileSync(process.execPath, [
    '-e',
    "require('node:net').createServer().listen(process.argv[1], () => process.exit())",
    join(folder, 'socket'),
  ])
  return folder
}

/** Twenty directories deep, 250 bytes each: longer than any path that a program may hand to the kernel. */
function deepTree(folder: string): string {
  mkdirSync(folder)
  const dig = `process.chdir(process.argv[1])
    for (let level = 0; level < 20; level++) { const name = String(level).padStart(250, 'd'); fs.mkdirSync(name); process.chdir(name) }
    fs.writeFileSync('bottom', 'at the bottom')`
  execFileSync(process.execPath, ['-e', dig, folder])
  return folder
}
const deepPath = `${Array.from({ length: 20 }, (_none, level) => String(level).padStart(250, 'd')).join('/')}/bottom`

/** What mkfs itself puts there. */
const withoutMaker = ({ 'lost+found': _made, ...told }: Told): Told => told

const plan = async (made: Project, ...more: readonly string[]) => {
  const { code, out } = await made.ntt('plan', '--json', ...more)
  const shown: {
    lanes: {
      medium: string
      steps: { stage: string; action: string; because: { code: string; text: string } }[]
    }[]
  } = JSON.parse(out)
  const steps = shown.lanes.flatMap((lane) =>
    lane.steps.map(({ stage, action, because }) => ({ medium: lane.medium, stage, action, because })),
  )
  return { code, steps, brief: steps.map(({ stage, action }) => `${stage} ${action}`) }
}

const outcomes = (database: string, name: string) =>
  ask<{ path: string; state: string; detail: string | null }>(
    database,
    `select convert_from(p.path, 'latin1') as path, o.state::text, o.detail from medium m
       join path p using (medium_id) join outcome o using (medium_id, fs, ino) where m.name = $1 order by p.path`,
    [name],
  )

describe('names, links and kinds of entries (T1 to T8)', () => {
  let made: Project
  let database: string
  let trees: string
  beforeAll(async () => {
    database = await freshDatabase()
    made = project({ database })
    trees = mkdtempSync(join(tmpdir(), 'ntt-trees-'))
    const worst = worstTree(join(trees, 'worst'))
    const image = made.path('media.d/worst.img')
    writeFileSync(image, '')
    truncateSync(image, 32 << 20)
    make('mke2fs', '-q', '-F', '-t', 'ext4', '-d', worst, image)
    writeFileSync(made.path('media.d/deep.img'), '')
    truncateSync(made.path('media.d/deep.img'), 8 << 20)
    make(
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext3',
      '-d',
      deepTree(join(trees, 'deep')),
      made.path('media.d/deep.img'),
    )
    mkdirSync(join(trees, 'links'))
    const link = `fs.writeFileSync('first', 'one content'); for (let n = 1; n < 40040; n++) fs.linkSync('first', (n % 2 ? 'odd' : 'even') + n)
      fs.writeFileSync('out 1', 'left out'); fs.linkSync('out 1', 'out 2')`
    execFileSync(process.execPath, ['-e', link], { cwd: join(trees, 'links') })
    execFileSync('cp', [join(sampleImages, 'disk.img'), made.path('media.d/disk.img')])
    made.medium('worst-image', 'source: {image: worst.img}\ntarget: archived\n')
    made.medium('worst-folder', `source: {directory: ${worst}}\ntarget: archived\n`)
    made.medium('deep', 'source: {image: deep.img}\ntarget: archived\n')
    made.medium('disk', 'source: {image: disk.img}\ntarget: archived\n')
    made.medium(
      'links',
      `source: {directory: ${join(trees, 'links')}}\ntarget: archived\nexclude: ["odd*", "out *"]\n`,
    )
    const ran = await made.ntt('apply', '--yes')
    if (ran.code !== 0) throw new Error(ran.out + ran.err)
  })
  afterAll(() => {
    // Node's own would choke on the deep one.
    execFileSync('rm', ['-rf', trees])
  })

  test('T1, T2, T3, T8: an image of them comes back out byte for byte, every name, target and content', async () => {
    expect(withoutMaker(await storedOf(database, made, 'worst-image'))).toEqual(treeOf(join(trees, 'worst')))
  })

  test('T1, T2, T3, T8: so does a folder of them', async () => {
    expect(await storedOf(database, made, 'worst-folder')).toEqual(treeOf(join(trees, 'worst')))
  })

  test('T1: what is exported as text by COPY counts as many names as there are', async () => {
    const [row] = await ask<{ n: number; distinct: number }>(
      database,
      `select count(*)::int4 as n, count(distinct path)::int4 as "distinct" from path join medium m using (medium_id) where m.name = 'worst-folder'`,
    )
    const entries = Object.keys(treeOf(join(trees, 'worst'))).length
    expect(row).toEqual({ n: entries, distinct: entries })
  })

  test('T3: a path of 5,020 bytes is one row with its content', async () => {
    const told = await storedOf(database, made, 'deep')
    expect(deepPath.length).toBeGreaterThan(4096)
    expect(told[deepPath]).toBe('f 1 names, 13 bytes: at the bottom')
    expect(Object.keys(withoutMaker(told))).toHaveLength(22)
  })

  test('T3: a folder with it, which no path reaches, is told and refused, and never lost in silence', async () => {
    const other = project({ database: await freshDatabase() })
    other.medium('deep', `source: {directory: ${join(trees, 'deep')}}\ntarget: archived\n`)
    const { code, out } = await other.ntt('apply', '--yes')
    expect([3, 4], out).toContain(code)
    expect((await plan(other)).steps[0]?.because.text).toMatch(/partial: .*ENAMETOOLONG/)
  })

  test('T4: names with # are not left out by themselves', async () => {
    const told = await storedOf(database, made, 'worst-folder')
    expect([told['#draft#'], told['C#/x']]).toEqual([
      'f 1 names, 18 bytes: content of #draft#',
      'f 1 names, 5 bytes: sharp',
    ])
  })

  test('T5: one inode of 40,040 names, some of them excluded, is one content under every name; one whose names are all excluded has an end', async () => {
    const rows = await ask<{ state: string; names: string; inodes: string; contents: string }>(
      database,
      `select o.state::text, count(*)::text as names, count(distinct o.ino)::text as inodes, count(distinct o.blob_id)::text as contents
         from medium m join path p using (medium_id) join outcome o using (medium_id, fs, ino) where m.name = 'links' group by 1 order by 1`,
    )
    expect(rows).toEqual([
      { state: 'b', names: '40040', inodes: '1', contents: '1' },
      { state: 'x', names: '2', inodes: '1', contents: '0' },
    ])
    expect((await outcomes(database, 'links')).at(-1)).toMatchObject({ path: 'out 2', detail: 'out *' })
  })

  test('T6: two partitions with the same inode numbers: each file has its own content', async () => {
    for (const [fs, start] of [
      [1, 2048],
      [2, 4096],
    ] as const) {
      const told = await storedOf(database, made, 'disk', fs)
      const listed = make('fls', '-r', '-u', '-p', '-F', '-o', String(start), made.path('media.d/disk.img'))
      // fls writes ^ for what it cannot print: such names are compared above.
      const files = [...listed.matchAll(/^r\/r (\d+):\t([^^\n]*)$/gm)]
      expect(files.length).toBeGreaterThan(20)
      for (const [, ino = '', path = ''] of files) {
        const content = make('icat', '-o', String(start), made.path('media.d/disk.img'), ino)
        expect(told[path]?.replace(/^f \d names/, 'f'), path).toBe(`f, ${content.length} bytes: ${content}`)
      }
    }
    const [shared] = await ask<{ n: number }>(
      database,
      `select count(*)::int4 as n from inode a join inode b using (medium_id, ino) join medium m using (medium_id)
        where m.name = 'disk' and a.fs = 1 and b.fs = 2 and a.type = 'f' and a.size = b.size`,
    )
    expect(shared?.n).toBeGreaterThan(10)
  })

  test('T7: the empty content is there once, under the name that b3sum gives it', async () => {
    const empty = await ask<{ blob: string }>(
      database,
      `select distinct encode(o.blob_id, 'hex') as blob from inode i join outcome o using (medium_id, fs, ino) where i.type = 'f' and i.size = 0`,
    )
    expect(empty.map(({ blob }) => blob)).toEqual([
      execFileSync('b3sum', ['--no-names', '/dev/null'], { encoding: 'utf8' }).trim(),
    ])
  })

  test('every content in the store has the name that b3sum gives it, and a second plan is empty', async () => {
    const contents = storeByB3sum(made)
    expect(contents.length).toBeGreaterThan(250)
    expect(contents.filter(([name, digest]) => name !== digest)).toEqual([])
    expect((await made.ntt('plan')).code).toBe(0)
  })
})

describe('patterns (T4)', () => {
  test('with # and quotes, ^ and $ as themselves, anchored at the root of the filesystem, each recorded with what it left out', async () => {
    const database = await freshDatabase()
    const made = project({ database })
    const folder = made.path('tree')
    for (const name of ['#draft#', 'C#/x', "it's", 'a^b$', 'top.txt', 'sub/top.txt', 'kept', '!loud']) {
      mkdirSync(join(folder, name, '..'), { recursive: true })
      writeFileSync(join(folder, name), name)
    }
    made.medium(
      'tree',
      `source: {directory: ../tree}\ntarget: copied\nexclude: ['\\#draft#', 'C#/', "it's", 'a^b$', '/top.txt', '\\!loud']\n`,
    )
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
    const told = (await outcomes(database, 'tree')).map(
      ({ path, state, detail }) => `${state} ${path} ${detail ?? ''}`,
    )
    expect(told).toEqual([
      'x !loud \\!loud',
      'x #draft# \\#draft#',
      'x C#/x C#/',
      'x a^b$ a^b$',
      "x it's it's",
      'b kept ',
      'b sub/top.txt ',
      'x top.txt /top.txt',
    ])
    expect((await made.ntt('plan')).code).toBe(0)
  })

  test('a pattern that is none stops at the plan, with its place', async () => {
    const made = project({ database: await freshDatabase() })
    mkdirSync(made.path('tree'))
    made.medium('tree', 'source: {directory: ../tree}\ntarget: copied\nexclude:\n  - good\n  - "["\n')
    const { code, out, err } = await made.ntt('plan')
    expect([code, out + err]).toEqual([1, expect.stringContaining('media.d/tree.yaml:5')])
  })
})

describe('sizes (T7)', () => {
  test('a file of 10 GB that is mostly hole is copied, stored once, and takes hardly any room', async () => {
    const database = await freshDatabase()
    const made = project({ database })
    mkdirSync(made.path('tree'))
    for (const name of ['one', 'two']) {
      const file = openSync(made.path('tree', name), 'w')
      writeSync(file, 'near the end', 9_999_999_000)
      closeSync(file)
      truncateSync(made.path('tree', name), 10_000_000_000)
      if (name === 'one') continue
      // The same content again, as a hard link would not be: known by its size, hashed, not written.
      rmSync(made.path('tree', name))
      execFileSync('ln', [made.path('tree/one'), made.path('tree', name)])
    }
    made.medium('tree', 'source: {directory: ../tree}\ntarget: copied\n')
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
    const [blob] = await ask<{ blob: string; size: string }>(
      database,
      `select encode(blob_id, 'hex') as blob, size::text from blob`,
    )
    const stored = statSync(
      made.path('.ntt/by-hash', blob?.blob.slice(0, 2) ?? '', blob?.blob.slice(2, 4) ?? '', blob?.blob ?? ''),
    )
    expect([blob?.size, stored.size, stored.blocks < 10_000]).toEqual(['10000000000', 10_000_000_000, true])
  })

  test('files that grow and shrink after they were listed are told with both sizes, and nothing is called copied', async () => {
    const database = await freshDatabase()
    const made = project({ database })
    mkdirSync(made.path('tree'))
    for (const name of ['grows', 'shrinks', 'stays']) writeFileSync(made.path('tree', name), 'ten bytes!')
    made.medium('tree', 'source: {directory: ../tree}\ntarget: copied\n')
    expect((await made.ntt('apply', '--yes', '--target', 'loaded')).code).toBe(0)
    writeFileSync(made.path('tree/grows'), 'fifteen bytes!!')
    writeFileSync(made.path('tree/shrinks'), 'five!')
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4], ran.out).toContain(ran.code)
    const told = (await outcomes(database, 'tree')).map(
      ({ path, state, detail }) => `${state} ${path} ${detail ?? ''}`,
    )
    expect(told).toEqual([
      expect.stringMatching(/^e grows .*10 bytes when it was enumerated, 15 now/),
      expect.stringMatching(/^e shrinks .*10 bytes when it was enumerated, 5 now/),
      'b stays ',
    ])
    expect(await ask(database, 'select 1 from medium where copy_done is not null')).toEqual([])
    // What is there now is another enumeration: a person asks for it, and all converges.
    const mended = await made.ntt('apply', '--yes', '--redo', 'tree/enumerate', '--redo', 'tree/load')
    expect(mended.code, mended.out + mended.err).toBe(0)
    expect(await storedOf(database, made, 'tree')).toEqual(treeOf(made.path('tree')))
  })
})

describe('nothing on the medium (T13)', () => {
  const empty = (path: string): void => {
    writeFileSync(path, '')
    truncateSync(path, 1_474_560)
    make('mkfs.vfat', path)
  }
  const onlyRoot = (path: string): void => {
    const tree = mkdtempSync(join(tmpdir(), 'ntt-tree-'))
    mkdirSync(join(tree, 'letters'))
    for (let index = 0; index < 40; index += 1)
      writeFileSync(join(tree, 'letters', `${index}`), `letter ${index}`)
    writeFileSync(path, '')
    truncateSync(path, 4 << 20)
    make('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-d', tree, path)
    rmSync(tree, { recursive: true })
    // Read errors left zeros where the directory was.
    const [block = ''] = make('debugfs', '-R', 'blocks /letters', path).trim().split(' ')
    make(
      'dd',
      'if=/dev/zero',
      `of=${path}`,
      'bs=1024',
      `seek=${block}`,
      'count=1',
      'conv=notrunc',
      'status=none',
    )
  }
  const filled =
    (byte: number) =>
    (path: string): void =>
      writeFileSync(path, Buffer.alloc(1_474_560, byte))

  test.each([
    ['formatted and empty', empty, [0], /^$/],
    ['read as far as its root, for errors', onlyRoot, [3, 4], /partial: 1 could not be read.*letters/],
    ['wiped with 00', filled(0), [3, 4], /blank: each of its 1474560 bytes is 0x00/],
    ['wiped with 55', filled(0x55), [3, 4], /blank: each of its 1474560 bytes is 0x55/],
    ['wiped with F6', filled(0xf6), [3, 4], /blank: each of its 1474560 bytes is 0xF6/],
    [
      'an image of 0 bytes',
      (path: string) => writeFileSync(path, ''),
      [3, 4],
      /0 bytes: nothing of this medium is in it/,
    ],
  ] as const)('%s', async (_what, maker, codes, says) => {
    const database = await freshDatabase()
    const made = project({ database })
    maker(made.path('media.d/disc.img'))
    const before = readFileSync(made.path('media.d/disc.img'))
    made.medium('disc', 'source: {image: disc.img}\ntarget: archived\n')
    const ran = await made.ntt('apply', '--yes')
    expect(codes, ran.out + ran.err).toContain(ran.code)
    const { code, steps } = await plan(made)
    const held = steps
      .filter(({ action }) => action === 'refuse' || action === 'unknown')
      .map(({ because }) => because.text)
    expect(held.join('\n')).toMatch(says)
    const isComplete = codes[0] === 0
    expect(code === 0).toBe(isComplete)
    expect(await ask(database, 'select 1 from medium where copy_done is not null')).toHaveLength(
      isComplete ? 1 : 0,
    )
    expect(await ask(database, "select 1 from inode where type = 'f'")).toEqual([])
    // Whatever came of it, the source is as it was.
    expect(readFileSync(made.path('media.d/disc.img')).equals(before)).toBe(true)
  })

  test('a blank medium is complete when a person says that it holds nothing', async () => {
    const made = project({ database: await freshDatabase() })
    filled(0xf6)(made.path('media.d/disc.img'))
    made.medium('disc', 'source: {image: disc.img}\ntarget: archived\npolicy: {partitions: {0: skip}}\n')
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
    expect((await made.ntt('why', 'disc', 'enumerate')).out).toContain('skipped, as its file says')
  })
})

describe('products that do not go together (T16)', () => {
  let made: Project
  let database: string
  beforeAll(async () => {
    database = await freshDatabase()
    made = project({ database })
    execFileSync('cp', [join(sampleImages, 'floppy.img'), made.path('media.d/floppy.img')])
    made.medium('floppy', 'source: {image: floppy.img}\ntarget: archived\n')
    const ran = await made.ntt('apply', '--yes')
    if (ran.code !== 0) throw new Error(ran.out + ran.err)
  })

  const archive = (): string =>
    made.path(`.ntt/archive/${execFileSync('ls', [made.path('.ntt/archive')], { encoding: 'utf8' }).trim()}`)

  test('an archive, and an empty database: rows and outcomes are made, the archive is proven and not made again', async () => {
    const before = statSync(archive(), { bigint: true })
    const other = await freshDatabase()
    made.env('NTT_DB_URL', other)
    const shown = await plan(made)
    expect([shown.code, shown.brief]).toEqual([
      2,
      ['image prove', 'enumerate prove', 'load run', 'copy run', 'archive prove'],
    ])
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
    const after = statSync(archive(), { bigint: true })
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs])
    made.env('NTT_DB_URL', database)
  })

  test('a raw, and no partition of it: the load is planned, and told as what contradicts a proof', async () => {
    for (const { name } of await ask<{ name: string }>(
      database,
      "select c.oid::regclass::text as name from pg_class c where c.relispartition and c.relkind = 'r' and c.relname ~ '^(inode|entry|directory)_'",
    ))
      await ask(database, `drop table ${name}`)
    expect((await made.ntt('audit', '--json')).out).toMatch(/false-claim|archived-over-nothing/)
    const shown = await plan(made)
    expect([shown.code, shown.brief[2]]).toEqual([3, 'load run'])
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
  })

  test('a whole database, and contents missing: audit and verify count them, the plan repairs them', async () => {
    const lost = storeByB3sum(made).slice(0, 3)
    for (const [blob] of lost) rmSync(made.path('.ntt/by-hash', blob.slice(0, 2), blob.slice(2, 4), blob))
    const audited = JSON.parse((await made.ntt('audit', '--json')).out)
    expect(audited).toMatchObject([{ code: 'missing-blob', count: 3 }])
    const verified = await made.ntt('verify')
    expect([verified.code, verified.out]).toEqual([
      3,
      expect.stringContaining('contents not in the store: expected 0, found 3'),
    ])
    const shown = await plan(made)
    expect([shown.code, shown.steps.find(({ stage }) => stage === 'copy')]).toMatchObject([
      3,
      { action: 'run', because: { text: expect.stringContaining('contents not in the store') } },
    ])
    const ran = await made.ntt('apply', '--yes')
    expect(ran.code, ran.out + ran.err).toBe(0)
    expect(storeByB3sum(made).map(([blob]) => blob)).toEqual(
      expect.arrayContaining(lost.map(([blob]) => blob)),
    )
  })

  test('an image that is gone, and its archive there: it is proven there; the archive gone as well: only the medium can help', async () => {
    rmSync(made.path('media.d/floppy.img'))
    const without = await plan(made)
    expect([without.code, without.steps[0]]).toMatchObject([
      2,
      { action: 'prove', because: { text: expect.stringMatching(/^no image; the archive .* holds it/) } },
    ])
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect((await plan(made)).code).toBe(0)
    execFileSync('mv', [archive(), made.path('elsewhere.tar.zst')])
    const lost = await plan(made)
    expect([lost.code, lost.brief]).toEqual([
      3,
      ['image refuse', 'enumerate keep', 'load keep', 'copy keep', 'archive wait'],
    ])
    expect(lost.steps[0]?.because.text).toMatch(
      /floppy\.img is not there, and no archive holds it.*needs the medium again/,
    )
    const ran = await made.ntt('apply', '--yes')
    expect([3, 4], ran.out).toContain(ran.code)
  })
})

describe('another enumeration than the one that is loaded (T17)', () => {
  const names = (made: Project): readonly string[] =>
    execFileSync('ls', [made.path('tree')], { encoding: 'utf8' })
      .trim()
      .split('\n')
  const loaded = async (database: string): Promise<readonly string[]> =>
    (
      await ask<{ path: string }>(
        database,
        "select convert_from(path, 'utf8') as path from path where path <> '' order by 1",
      )
    ).map(({ path }) => path)

  test.each([
    ['smaller', (tree: string) => rmSync(join(tree, 'b')), 3],
    ['larger', (tree: string) => writeFileSync(join(tree, 'd'), 'd'), 5],
    [
      'of the same number of entries',
      (tree: string) => execFileSync('mv', [join(tree, 'b'), join(tree, 'd')]),
      4,
    ],
  ] as const)(
    '%s: refused with both counts; a replacement that fails loses nothing; one that is asked for replaces',
    async (_what, change, count) => {
      const database = await freshDatabase()
      const made = project({ database })
      mkdirSync(made.path('tree'))
      for (const name of ['a', 'b', 'c']) writeFileSync(made.path('tree', name), name)
      made.medium('tree', 'source: {directory: ../tree}\ntarget: copied\n')
      expect((await made.ntt('apply', '--yes')).code).toBe(0)
      change(made.path('tree'))
      const refused = await made.ntt('apply', '--yes', '--redo', 'tree/enumerate')
      expect([3, 4], refused.out).toContain(refused.code)
      const held = (await plan(made)).steps.find(({ stage }) => stage === 'load')
      expect(held).toMatchObject({ action: 'refuse', because: { code: 'other-rows' } })
      expect(held?.because.text).toMatch(/\b4\b/)
      expect(held?.because.text).toMatch(new RegExp(`\\b${count}\\b`))
      expect(await loaded(database)).toEqual(['a', 'b', 'c'])

      await ask(
        database,
        "create function fail() returns event_trigger language plpgsql as $$ begin raise exception 'no room'; end $$",
      )
      await ask(
        database,
        "create event trigger fail on ddl_command_end when tag in ('CREATE INDEX', 'ALTER TABLE') execute function fail()",
      )
      const failed = await made.ntt('apply', '--yes', '--redo', 'tree/load')
      expect([3, 4, 5], failed.out).toContain(failed.code)
      expect(failed.out).toContain('no room')
      expect(await loaded(database)).toEqual(['a', 'b', 'c'])
      await ask(database, 'drop event trigger fail')

      const replaced = await made.ntt('apply', '--yes', '--redo', 'tree/load')
      expect(replaced.code, replaced.out + replaced.err).toBe(0)
      expect(await loaded(database)).toEqual(names(made))
      expect(await storedOf(database, made, 'tree')).toEqual(treeOf(made.path('tree')))
    },
  )

  test('the same again is no other: nothing is refused, and nothing is loaded', async () => {
    const made = project({ database: await freshDatabase() })
    mkdirSync(made.path('tree'))
    writeFileSync(made.path('tree/a'), 'a')
    made.medium('tree', 'source: {directory: ../tree}\ntarget: copied\n')
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    const ran = await made.ntt('apply', '--yes', '--redo', 'tree/enumerate')
    expect(ran.code, ran.out + ran.err).toBe(0)
    expect(ran.out).not.toMatch(/load +starts/)
  })
})
