// A damaged medium through the real command: real read errors, what they hit, and what becomes of it when more can be read.
import { bytesIn, intersect } from '../src/model/ranges.ts'
import {
  copyFileSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseMapfile, unreadRanges } from '../src/model/mapfile.ts'
import type { Loss } from '../src/model/loss.ts'
import { exfat } from '../src/readers/exfat/index.ts'
import { ext } from '../src/readers/ext/index.ts'
import { fat } from '../src/readers/fat/index.ts'
import { hfsplus } from '../src/readers/hfs/plus.ts'
import { iso9660 } from '../src/readers/iso9660/index.ts'
import { ntfs } from '../src/readers/ntfs/index.ts'
import type { FsReader } from '../src/readers/reader.ts'
import { device, mapOf, type Bad } from './support/devices.ts'
import { filled } from './support/filled.ts'
import { emptyHfsPlus } from './support/hfsplus.ts'
import { documentOf } from './support/outs.ts'
import { make } from './support/looking.ts'
import { emptyNtfs, throughNtfs3g } from './support/ntfs.ts'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, scratch } from './support/project.ts'
import { listAll, volumeOf } from './support/reading.ts'
import { plainTree, smallTree } from './support/trees.ts'

const sized = (bytes: number): string => {
  const path = join(scratch(), 'image')
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return path
}
const tree = (): string => plainTree(join(scratch(), 'tree'))

interface Made {
  readonly image: string
  /** Start of a sector in which nothing lies. */
  readonly free: number
}

const filesystems: Readonly<Record<string, readonly [FsReader, () => Made]>> = {
  'ISO 9660': [
    iso9660,
    () => {
      const image = join(scratch(), 'image')
      make('genisoimage', '-quiet', '-R', '-o', image, tree())
      // Between the end of the disc's files and its padding.
      return { image, free: 16 * 1024 }
    },
  ],
  FAT: [
    fat,
    () => {
      const image = sized(1_474_560)
      const from = tree()
      make('mkfs.vfat', image)
      make(
        'mcopy',
        '-s',
        '-m',
        '-Q',
        '-i',
        image,
        ...readdirSync(from).map((name) => join(from, name)),
        '::/',
      )
      return { image, free: 1_400_832 }
    },
  ],
  ext: [
    ext,
    () => {
      const image = sized(4 << 20)
      make('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-d', tree(), image)
      return { image, free: 3 << 20 }
    },
  ],
  exFAT: [
    exfat,
    () => {
      const image = sized(4 << 20)
      make('mkfs.exfat', '-c', '4K', image)
      const mount = 'mknod /dev/fuse c 10 229 2>/dev/null || true; mount.exfat-fuse $loop /media/m'
      const look = 'mount.exfat-fuse -o ro $loop /media/m'
      filled(image, { filesystem: 'exfat', mount, look }, `cp -r ${tree()}/. .`)
      return { image, free: 3 << 20 }
    },
  ],
}

interface Row {
  readonly path: string
  readonly state: string
  /** The transaction that wrote it. */
  readonly at: string
}

const outcomes = (url: string): Promise<readonly Row[]> =>
  ask<Row>(
    url,
    "select convert_from(p.path, 'UTF8') as path, o.state::text, o.xmin::text as at from outcome o join path p using (medium_id, fs, ino) order by 1",
  )

const big = 'A long name, with a comma & more.jpeg'

describe.each(Object.entries(filesystems))('%s', (_name, [reader, build]) => {
  test('a file, a directory and free space are hit: each is told for what it is; read further, all converges', async () => {
    const { image, free } = build()
    const whole = await listAll(reader, image, await volumeOf(image))
    const at = (path: string): number =>
      whole.entries.find((entry) => entry.path.toString() === path)?.extents?.[0]?.start ?? -1
    const starts = [at(big) + 8192, at('sub'), free].toSorted((one, other) => one - other)
    const folder = scratch()
    const bad = starts.map((start) => [start, 2048] as const)
    const scratched = await device(folder, image, { bad, name: 'scratched' })
    const database = await freshDatabase()
    const made = project({ database })
    const declare = (policy: string): void =>
      made.medium(
        'box',
        `kind: optical\nsource:\n  device: ${scratched.path}\nexpect:\n  bytes: ${statSync(image).size}\ntarget: archived\npolicy: ${policy}\n`,
      )

    // A person has to say that names may be missing; and how.
    declare('{rescued: 90%}')
    const first = await made.ntt('apply', '--yes')
    expect([first.code, first.out]).toEqual([4, expect.stringContaining('names may be missing here')])
    const plan = await made.ntt('plan')
    expect([plan.code, plan.out]).toEqual([2, expect.stringContaining('policy: {partitions: {0: accept}}')])
    expect(plan.out).toMatch(/partial: .*"sub": names may be missing here/)
    expect(plan.out).not.toContain('!')
    declare('{rescued: 90%, partitions: {0: accept}}')
    const second = await made.ntt('apply', '--yes')
    expect([second.code, second.out]).toEqual([4, expect.stringContaining('{unreadable_files: accept}')])
    declare('{rescued: 90%, partitions: {0: accept}, unreadable_files: accept}')
    const third = await made.ntt('apply', '--yes')
    expect([third.code, third.err]).toEqual([0, ''])
    expect((await made.ntt('plan')).code).toBe(0)

    // The truth: what the map says, laid over the whole volume.
    const map = readdirSync(made.path('.ntt/img')).find((name) => name.endsWith('.map')) ?? ''
    const unread = unreadRanges(
      parseMapfile(readFileSync(made.path('.ntt/img', map), 'utf8')),
      statSync(image).size,
    )
    for (const [start, bytes] of bad)
      expect(bytesIn(intersect([{ start, end: start + bytes }], unread))).toBe(bytes)
    const hit = whole.entries
      .filter(({ type, extents }) => type === 'f' && intersect(extents ?? [], unread).length > 0)
      .map(({ path }) => path.toString())
    expect(hit).toContain(big)
    const before = await outcomes(database)
    const damaged = before.filter(({ state }) => state === 'd').map(({ path }) => path)
    // Of a file whose name is lost nothing can be told.
    expect(damaged).toEqual(hit.filter((path) => before.some((row) => row.path === path)).toSorted())
    expect(before.filter(({ state }) => state !== 'd' && state !== 'b')).toEqual([])
    const all = whole.entries.filter(({ type }) => type === 'f')
    const lostBelow = all.length - before.length
    expect(lostBelow).toBeGreaterThan(0)
    expect(before.filter(({ path }) => !path.startsWith('sub/')).length).toBe(
      all.filter(({ path }) => !path.toString().startsWith('sub/')).length,
    )

    // Told by path, with every range.
    const told = await made.ntt('losses', '--json', 'box')
    const losses = told.out
      .trimEnd()
      .split('\n')
      .map((line) => documentOf('losses', `${line}\n`) as Loss)
    expect(told.code).toBe(2)
    const names = losses.flatMap((loss) => (loss.kind === 'names' ? [loss] : []))
    expect([...new Set(names.map(({ path }) => path))]).toEqual(['sub'])
    const ranges = new Map(
      losses.flatMap((loss) =>
        loss.kind === 'damaged' ? [[Buffer.from(loss.path, 'latin1').toString(), loss.ranges] as const] : [],
      ),
    )
    const truth = new Map(
      whole.entries.map(({ path, extents }) => [path.toString(), intersect(extents ?? [], unread)]),
    )
    expect([...ranges.keys()].toSorted()).toEqual(damaged)
    for (const [path, told_] of ranges) expect(told_).toEqual(truth.get(path))
    expect(names.some(({ ranges: hits }) => bytesIn(hits) === bytesIn(truth.get('sub') ?? []))).toBe(true)
    const outside = losses.flatMap((loss) => (loss.kind === 'outside' ? [loss] : []))
    expect(outside.map(({ isHarmless }) => isHarmless)).toEqual([false])
    expect(bytesIn(intersect([{ start: free, end: free + 2048 }], outside[0]?.ranges ?? []))).toBe(2048)
    const text = (await made.ntt('losses')).out
    for (const line of [
      /^ {2}names {5} *sub {2}EIO: names may be missing here/m,
      /^box {2}1 volume not read whole, names may be missing in 1 place, /m,
    ])
      expect(text).toMatch(line)

    // Another drive reads what this one could not; exactly what was hit is read again.
    const healthy = await device(folder, image, { name: 'healthy' })
    declare('{rescued: 100%, partitions: {0: accept}, unreadable_files: accept}')
    const more = await made.ntt('plan', '--device', healthy.path, 'box')
    expect([more.code, more.out]).toEqual([
      2,
      expect.stringContaining('enumerate, load, copy, archive follow'),
    ])
    const last = await made.ntt('apply', '--yes', '--device', healthy.path, 'box')
    expect([last.code, last.err]).toEqual([0, ''])
    const after = await outcomes(database)
    expect(after.map(({ path }) => path)).toEqual(all.map(({ path }) => path.toString()).toSorted())
    expect(after.filter(({ state }) => state !== 'b')).toEqual([])
    const kept = new Map(before.map(({ path, at: when }) => [path, when]))
    const again = after.filter(({ path, at: when }) => kept.has(path) && kept.get(path) !== when)
    expect(again.map(({ path }) => path)).toEqual(damaged)
    declare('{rescued: 100%}')
    const nothing = await made.ntt('losses')
    expect([nothing.code, nothing.out]).toEqual([0, 'box  nothing is lost\n'])
    expect((await made.ntt('plan')).out).toContain('No changes')
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  })
})

/** Start of a sector of what tells where files lie or what they are, and the path of a file that it speaks of. */
const tables: Readonly<Record<string, readonly [FsReader, () => Promise<readonly [string, number]>]>> = {
  'the only table of FAT': [
    fat,
    async () => {
      const image = sized(1_474_560)
      make('mkfs.vfat', '-f1', image)
      const from = tree()
      make(
        'mcopy',
        '-s',
        '-m',
        '-Q',
        '-i',
        image,
        ...readdirSync(from).map((name) => join(from, name)),
        '::/',
      )
      return [image, 512]
    },
  ],
  'a table of inodes of ext': [
    ext,
    async () => {
      const image = sized(4 << 20)
      make('mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-d', tree(), image)
      const [, block = '0'] = /located at block (\d+)/.exec(make('debugfs', '-R', 'imap <13>', image)) ?? []
      return [image, Number(block) * 1024]
    },
  ],
  'the file table of NTFS': [
    ntfs,
    async () => {
      const image = emptyNtfs(join(scratch(), 'image'), 4 << 20)
      await throughNtfs3g(image, 'rw', (mount) => smallTree(`${mount}/tree`))
      const { entries } = await listAll(ntfs, image, await volumeOf(image))
      const ino =
        entries.find(({ type, path }) => type === 'f' && path.toString().startsWith('tree/'))?.ino ?? 0n
      const cluster = readFileSync(image).readUInt32LE(0x30)
      return [image, cluster * 4096 + Number(ino & 0xffff_ffff_ffffn) * 1024]
    },
  ],
  'the catalog of HFS+': [
    hfsplus,
    () => {
      const image = emptyHfsPlus(join(scratch(), 'image'), 24 << 20)
      const from = smallTree(join(scratch(), 'tree'))
      const mount = 'mount -t hfsplus -o nls=utf8 $loop /media/m'
      const look = 'mount -t hfsplus -o ro,nls=utf8 $loop /media/m'
      filled(image, { filesystem: 'hfsplus', mount, look }, `cp -a ${from} tree`)
      const name = Buffer.from('name 30', 'utf16le').swap16()
      return Promise.resolve([image, Math.floor(readFileSync(image).indexOf(name) / 512) * 512])
    },
  ],
}

test.each(Object.entries(tables))(
  'where %s was not read the volume is partial; read further, it is whole',
  async (_name, [reader, build]) => {
    const [image, start] = await build()
    const whole = await listAll(reader, image, await volumeOf(image))
    const folder = scratch()
    const scratched = await device(folder, image, { bad: [[start, 512]], name: 'scratched' })
    const made = project({ database: await freshDatabase() })
    const declare = (rescued: number): void =>
      made.medium(
        'box',
        `kind: disk\nsource:\n  device: ${scratched.path}\nexpect:\n  bytes: ${statSync(image).size}\ntarget: copied\npolicy: {rescued: ${rescued}, unreadable_files: accept, partitions: {0: accept}}\n`,
      )
    declare(90)
    const first = await made.ntt('apply', '--yes')
    expect([first.code, first.err]).toEqual([0, ''])
    const told = await made.ntt('losses')
    expect([told.code, told.out]).toEqual([2, expect.stringContaining('never read')])
    expect(told.out).toMatch(/^ {2}(names|damaged) /m)
    const healthy = await device(folder, image, { name: 'healthy' })
    declare(100)
    const last = await made.ntt('apply', '--yes', '--device', healthy.path, 'box')
    expect([last.code, last.err]).toEqual([0, ''])
    expect((await made.ntt('losses')).out).toBe('box  nothing is lost\n')
    expect((await made.ntt('status', '--json')).out).toContain('"holds":"copied"')
    const files = new Set(whole.entries.filter(({ type }) => type === 'f').map(({ ino }) => ino))
    expect(files.size).toBe(Number(/([\d,]+) files, [\d,]+ blobs/.exec(last.out)?.[1]))
  },
)

/** A project with a FAT image beside a map that `write` makes; `free`: where nothing lies. */
async function mappedBox() {
  const [, build] = filesystems['FAT'] ?? []
  const { image, free } = build?.() ?? { image: '', free: 0 }
  const database = await freshDatabase()
  const made = project({ database })
  copyFileSync(image, made.path('media.d/box.img'))
  const write = (bad: Bad): void => {
    made.write('media.d/box.map', mapOf(bad, statSync(image).size))
  }
  return { made, database, free, write }
}

test('what lies in free space alone is no loss: it hits nothing, and nobody is asked', async () => {
  const { made, free, write } = await mappedBox()
  write([[free, 2048]])
  made.medium('box', 'source: {image: box.img}\ntarget: copied\nexclude: [a.txt]\npolicy: {rescued: 99%}\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const { code, out } = await made.ntt('losses')
  expect(code).toBe(0)
  expect(out).toMatch(/^ {2}outside +2,048 bytes unread: free space/m)
  expect(out).toMatch(/^ {2}excluded +a\.txt +5 B, by a\.txt$/m)
  // A map that came later tells of damage that no outcome tells of yet.
  write([
    [34_304, 512],
    [free, 2048],
  ])
  const later = await made.ntt('losses')
  expect([later.code, later.out]).toEqual([
    2,
    expect.stringMatching(/^ {2}damaged .*512 bytes at 34304-34816/m),
  ])
})

test('a content that was not read in full says so', async () => {
  const { made, database, write } = await mappedBox()
  write([[34_304, 512]])
  const policy = '{rescued: 90%, partitions: {0: accept}, unreadable_files: accept}'
  made.medium('box', `source: {image: box.img}\ntarget: copied\npolicy: ${policy}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const [damaged] = await ask<{ blob: string }>(
    database,
    "select encode(blob_id, 'hex') as blob from outcome where state = 'd' and blob_id is not null",
  )
  expect((await made.ntt('why', damaged?.blob ?? '')).out).toMatch(
    /^ {2}damaged +it is what could be read of a file, with zeros for the rest: ntt losses$/m,
  )
})

test('a policy that asks for more than was read makes no proof false: plan and verify ask a person, and contradict nobody', async () => {
  const { made, free, write } = await mappedBox()
  write([[free, 2048]])
  const declare = (rescued: string): void =>
    made.medium('box', `source: {image: box.img}\ntarget: copied\npolicy: {rescued: ${rescued}}\n`)
  declare('99%')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  declare('100%')
  expect((await made.ntt('plan')).code).toBe(2)
  for (const how of [[], ['--budget', '10m']]) {
    const { code, out } = await made.ntt('verify', ...how)
    expect([code, out]).toEqual([2, expect.stringContaining('the policy asks for 100 %')])
    expect(out).not.toContain('contradict')
  }
  declare('99%')
  expect((await made.ntt('verify')).code).toBe(0)
  // The same gap over an image that was written to since it was proven: its proof does not stand.
  declare('100%')
  utimesSync(made.path('media.d/box.img'), 0, 0)
  const written = await made.ntt('verify')
  expect([written.code, written.out]).toEqual([3, expect.stringContaining('contradicted: product')])
})

test('what was read further since it was proven is told by verify, not passed over', async () => {
  const { made, free, write } = await mappedBox()
  write([
    [34_304, 512],
    [free, 2048],
  ])
  const policy = '{rescued: 99%, unreadable_files: accept, partitions: {0: accept}}'
  made.medium('box', `source: {image: box.img}\ntarget: copied\npolicy: ${policy}\n`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  write([[free, 2048]])
  const { code, out } = await made.ntt('verify')
  expect([code, out]).toEqual([2, expect.stringContaining('read further since')])
  expect(out).not.toContain('contradict')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('verify')).code).toBe(0)
})
