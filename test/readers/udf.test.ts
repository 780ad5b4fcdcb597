// UDF: volumes that the kernel's driver wrote, bridges, kinds that only a test can make; and broken ones.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { withReadErrors } from '../../src/model/unread.ts'
import type { Range } from '../../src/model/world.ts'
import { timeOf, targetOf, textOf } from '../../src/readers/udf/layout.ts'
import { udf } from '../../src/readers/udf/index.ts'
import { looking, make, put } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import {
  contentsOf,
  contentsOfTree,
  listAll,
  sideBySide,
  startOf,
  volumeOf,
  type Listed,
} from '../support/reading.ts'
import { plainTree } from '../support/trees.ts'
import { withMetadata, withVirtualTable } from '../support/udf-kinds.ts'
import { inUml } from '../support/uml.ts'
import { difference, lookByUml, readAll } from '../support/witness.ts'

const paths = ({ entries }: Listed): readonly string[] => entries.map(({ path }) => path.toString('latin1'))

const above = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** Everything that UDF can hold: names in every script, links, holes, a pipe, a file of many extents' worth. */
function udfTree(folder: string): string {
  plainTree(folder)
  writeFileSync(join(folder, 'Ünï 😀.txt'), 'beyond the first 65,536')
  symlinkSync('sub/../sub/f1', join(folder, 'link'))
  symlinkSync('/etc/ünï', join(folder, 'absolute'))
  linkSync(join(folder, 'a.txt'), join(folder, 'sub/hard'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  writeFileSync(join(folder, 'holes'), 'begin')
  truncateSync(join(folder, 'holes'), 3_000_000)
  const file = openSync(join(folder, 'holes'), 'r+')
  writeSync(file, Buffer.from('end'), 0, 3, 2_999_997)
  closeSync(file)
  utimesSync(join(folder, 'holes'), 0, 1_000_000_000)
  return folder
}

const made = [
  ['1.02 in blocks of 2048', 'a.udf', ['-m', 'hd', '-b', '2048', '-r', '1.02']],
  ['1.50 with spare packets', 'b.udf', ['-m', 'cdrw', '-r', '1.50']],
  ['2.01 in blocks of 512, as on hard disks', 'c.udf', ['-m', 'hd', '-b', '512', '-r', '2.01']],
  ['2.01 in blocks of 4096', 'd.udf', ['-m', 'hd', '-b', '4096', '-r', '2.01']],
  ['2.01 on a DVD-RW', 'e.udf', ['-m', 'dvdrw', '-r', '2.01']],
] as const

let folder = ''
let tree = ''
const at = (name: string): string => join(folder, name)
/** A copy of one of the volumes, to be broken. */
function copy(name = 'c.udf'): string {
  const image = join(scratch(), name)
  copyFileSync(at(name), image)
  return image
}

beforeAll(() => {
  folder = scratch()
  tree = udfTree(at('tree'))
  for (const [, name, options] of made) {
    writeFileSync(at(name), '')
    truncateSync(at(name), 24 << 20)
    make('mkudffs', ...options, '-l', 'made', at(name))
  }
  const block = (options: readonly string[]): string => options[options.indexOf('-b') + 1] ?? ''
  inUml(
    folder,
    ['udf'],
    made
      .map(([, name, options]) => {
        const size = options.includes('-b' as never) ? `-o bs=${block(options)}` : ''
        return `L=$(attach ${name}); mount -t udf ${size} $L /media/m; cp -a tree/. /media/m/; umount /media/m || losetup -d $L || true`
      })
      .join('\n'),
  )
}, 300_000)

describe('a volume that the kernel wrote', () => {
  test.each(made)('%s comes back: names, links, owners, times and bytes', async (_what, name) => {
    const volume = await volumeOf(at(name))
    expect(volume.type).toBe('udf')
    const world = looking()
    const { entries, errors } = await listAll(udf, at(name), volume, world)
    expect([errors, world.lines]).toEqual([[], []])
    const { expected, actual } = sideBySide(tree, entries, {
      times: 's',
      but: ['lost+found', 'Non-Allocatable Space'],
    })
    expect(actual).toEqual(expected)
    const ours = entries.filter(({ path }) => path.toString() !== 'Non-Allocatable Space')
    expect(await contentsOf(udf, at(name), volume, ours)).toEqual(contentsOfTree(tree))
    const hard = entries.filter(({ path }) => /^(a\.txt|sub\/hard)$/.test(path.toString('latin1')))
    expect(new Set(hard.map(({ ino }) => ino)).size).toBe(1)
    expect(new Set(entries.map(({ ino }) => ino)).size).toBe(entries.length - 1)
  })

  test('holes are holes, and small files lie in their own entry', async () => {
    const { entries } = await listAll(udf, at('c.udf'), await volumeOf(at('c.udf')))
    const holes = entries.find(({ path }) => path.toString() === 'holes')
    expect(holes?.extents?.some((range) => range.start === -1)).toBe(true)
    const small = entries.find(({ path }) => path.toString() === 'a.txt')?.extents ?? []
    expect((small[0]?.start ?? 0) % 512).not.toBe(0)
  })

  test('an empty volume has its root, and nothing else', async () => {
    const image = at('empty.udf')
    writeFileSync(image, '')
    truncateSync(image, 8 << 20)
    make('mkudffs', '-m', 'hd', '-b', '2048', '-r', '2.01', image)
    const { entries, errors } = await listAll(udf, image, await volumeOf(image))
    expect([
      errors,
      entries.map(({ path }) => path.toString()).filter((path) => path !== 'lost+found'),
    ]).toEqual([[], ['']])
  })
})

describe('kinds that only other systems write', () => {
  const few = (): string => {
    const own = scratch()
    mkdirSync(join(own, 'tree/sub/deep'), { recursive: true })
    for (let index = 0; index < 40; index += 1)
      writeFileSync(
        join(own, 'tree', ['sub', 'sub/deep'][index % 2] ?? '', `f${index}`),
        Buffer.alloc(index * 300, `${index}.`),
      )
    const image = join(own, 'plain.udf')
    writeFileSync(image, '')
    truncateSync(image, 12 << 20)
    make('mkudffs', '-m', 'hd', '-b', '2048', '-r', '2.01', image)
    inUml(
      own,
      ['udf'],
      'mount -t udf -o bs=2048 $(attach plain.udf) /media/m; cp -r tree/. /media/m/; umount /media/m || true',
    )
    return own
  }

  test('a file of metadata, its mirror, and a table of virtual blocks: the kernel reads the same', async () => {
    const own = few()
    const [metadata, virtual] = [join(own, 'metadata.udf'), join(own, 'virtual.udf')]
    const places = withMetadata(join(own, 'plain.udf'), metadata)
    withVirtualTable(join(own, 'plain.udf'), virtual)
    const looks = [metadata, virtual].map((image, index) => ({
      name: String(index),
      image,
      driver: 'udf',
      options: 'ro,bs=2048',
      start: 0,
      bytes: statSync(image).size,
    }))
    const theirs = lookByUml(own, looks)
    for (const [index, image] of [metadata, virtual].entries()) {
      const [seen] = await readAll(image)
      expect(seen?.report).toMatchObject({ outcome: 'read', reader: 'udf 1' })
      expect(difference(theirs.get(String(index)) ?? new Map(), seen?.holding ?? new Map())).toEqual({
        missing: [],
        extra: [],
        wrong: [],
      })
      expect(seen?.holding.size).toBe(43)
    }
    // The entry of the metadata is gone, and its mirror is read; then that is gone as well.
    put(metadata, Buffer.alloc(2048), places.main)
    const [mirrored] = await readAll(metadata)
    expect(mirrored?.holding.size).toBe(43)
    put(metadata, Buffer.alloc(2048), places.mirror)
    const [gone] = await readAll(metadata)
    expect(gone?.report.reason).toContain('neither the metadata nor their mirror can be read')
    // Without its last block a disc that is written once has no table.
    truncateSync(virtual, statSync(virtual).size - 2048)
    const [cut] = await readAll(virtual)
    expect(cut?.report.reason).toContain('the table of virtual blocks is not at the end')
  })
})

describe('a bridge of UDF and ISO 9660', () => {
  const bridge = async (...options: readonly string[]) => {
    const image = join(scratch(), 'bridge.iso')
    make('genisoimage', '-quiet', '-udf', '-input-charset', 'utf-8', ...options, '-o', image, tree)
    const volume = await volumeOf(image)
    expect(volume.type).toBe('udf')
    const world = looking()
    return { image, volume, world, listed: await listAll(udf, image, volume, world) }
  }
  const files = (): readonly string[] => [...contentsOfTree(tree).keys()].toSorted()

  test('with RockRidge is read by that, and nothing is listed twice', async () => {
    const { image, volume, listed } = await bridge('-R')
    expect(listed.errors).toEqual([])
    const { expected, actual } = sideBySide(tree, listed.entries, { times: 's', modes: false, links: false })
    expect(actual).toEqual(expected)
    expect(await contentsOf(udf, image, volume, listed.entries)).toEqual(contentsOfTree(tree))
  })

  test('without RockRidge is read by its UDF names, which are whole', async () => {
    const { image, volume, listed } = await bridge()
    const given = await contentsOf(udf, image, volume, listed.entries)
    const wanted = contentsOfTree(tree)
    // genisoimage makes empty files of what is neither file nor directory, and cannot write what lies beyond 65,535.
    const known = [...wanted].filter(([path]) => !path.includes('\xf0'))
    expect(known.filter(([path, digest]) => given.get(path) !== digest)).toEqual([])
  })

  test('a file that only one side names is listed, and told', async () => {
    const unix = await bridge('-R', '-hide', 'EMPTY', '-hide', 'f7')
    expect(paths(unix.listed)).toContain('sub/f7')
    expect(unix.world.lines).toContain('1 file is named only on the UDF side, and listed by that name')
    const plain = await bridge('-J', '-joliet-long')
    // genisoimage cannot leave a file out on the UDF side: its name is marked as deleted there.
    const name = readFileSync(plain.image).indexOf(Buffer.from([8, 0x66, 0x37]))
    put(plain.image, Buffer.from([4]), name - 38 + 18)
    const world = looking()
    const listed = await listAll(udf, plain.image, plain.volume, world)
    expect(world.lines).toContain('1 file is named only on the ISO 9660 side, and listed by that name')
    expect(
      paths(listed)
        .filter((path) => /^sub\/f[78]$/.test(path))
        .toSorted(),
    ).toEqual(['sub/f7', 'sub/f8'])
    expect(files().filter((path) => paths(unix.listed).includes(path))).toHaveLength(files().length - 1)
  })

  test('a UDF side that cannot be read leaves the other one', async () => {
    const { image, volume } = await bridge('-R')
    // Both anchors.
    put(image, Buffer.alloc(2048), 256 * 2048)
    put(image, Buffer.alloc(2048), statSync(image).size - 2048)
    const world = looking()
    const { entries } = await listAll(udf, image, volume, world)
    expect(sideBySide(tree, entries, { times: 's', modes: false, links: false })).toSatisfy(
      ({ expected, actual }: ReturnType<typeof sideBySide>) =>
        JSON.stringify(expected) === JSON.stringify(actual),
    )
    expect(world.lines.join()).toContain('its UDF side cannot be read')
  })
})

describe('what is broken', () => {
  test('a directory whose blocks are zeros in part keeps its other names, and is told', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const blocks = whole.entries.find(({ path }) => path.toString() === 'sub')?.extents ?? []
    put(image, Buffer.alloc(512), blocks.at(-1)?.start ?? -1)
    const { errors } = await listAll(udf, image, volume)
    expect(errors).toMatchObject([
      {
        error: 'unreadable-directory',
        path: Buffer.from('sub'),
        message: 'a part of it is damaged: names below it are missing',
      },
    ])
    const cut = await listAll(udf, image, volume)
    expect(cut.entries.length).toBeLessThan(whole.entries.length)
    expect(cut.entries.length).toBeGreaterThan(whole.entries.length - 15)
  })

  test('a file entry of zeros is told by its name', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const inside = startOf(whole, 'sub/deeper')
    put(image, Buffer.alloc(512), inside - (inside % 512))
    const { entries, errors } = await listAll(udf, image, volume)
    expect(errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.from('sub/deeper') }])
    expect(entries).toHaveLength(whole.entries.length - 2)
  })

  test('what was never read of the medium is EIO: an entry by its name, a directory with the names in the rest of it', async () => {
    const image = at('c.udf')
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const blockOf = (place: number): Range => {
      const first = place - (place % 512)
      return { start: first, end: first + 512 }
    }
    const directory =
      whole.entries.find(({ path }) => path.toString() === 'sub')?.extents?.at(-1)?.start ?? -1
    const unread = [blockOf(startOf(whole, 'EMPTY')), blockOf(startOf(whole, 'a.txt')), blockOf(directory)]
    const known = unread
      .filter(({ start: first }) => first >= 0)
      .toSorted((one, other) => one.start - other.start)
    const { entries, errors } = await listAll(udf, image, volume, withReadErrors(looking(), image, known))
    expect(errors.map(({ path, error }) => `${path.toString()} ${error}`).toSorted()).toEqual([
      'a.txt EIO',
      'sub EIO',
      'sub/hard EIO',
    ])
    expect(entries.length).toBeGreaterThan(whole.entries.length - 20)
  })

  test('one bit of a file entry, and its sum tells', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const inside = startOf(whole, 'a.txt')
    const block = inside - (inside % 512)
    put(image, Buffer.from([(readFileSync(image)[block + 60] ?? 0) ^ 1]), block + 60)
    const { errors } = await listAll(udf, image, volume)
    expect(errors.map(({ path }) => path.toString()).toSorted()).toEqual(['a.txt', 'sub/hard'])
  })

  test('a directory that leads back to the root ends with an error', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const bytes = readFileSync(image)
    const root = startOf(whole, '')
    // The first name in the root is the root itself; its place is put into every name that is a directory.
    const self = bytes.subarray(root + 20, root + 36)
    const name = bytes.indexOf(Buffer.concat([Buffer.from([8]), Buffer.from('sub')]), root)
    put(image, self, name - 38 + 20)
    const { errors } = await listAll(udf, image, volume)
    expect(errors.map(({ message }) => message).join()).toContain('directories run in a circle')
  })

  test('descriptors are read from their second copy, by the anchor at the end', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const anchor = readFileSync(image).subarray(256 * 512, 257 * 512)
    put(image, Buffer.alloc(512), 256 * 512)
    put(image, Buffer.alloc(512 * 4), anchor.readUInt32LE(20) * 512)
    expect(paths(await listAll(udf, image, volume))).toEqual(paths(whole))
  })

  test('a root that cannot be read fails the listing', async () => {
    const image = copy()
    const volume = await volumeOf(image)
    const inside = startOf(await listAll(udf, image, volume), '')
    const [entry] = (await listAll(udf, image, volume)).entries
    put(image, Buffer.alloc(512), Number(entry?.ino ?? 0n) * 512)
    expect(inside).toBeGreaterThan(0)
    await expect(listAll(udf, image, volume)).rejects.toThrow('holds no file entry, or a damaged one')
  })

  test('a volume that was cut is listed, and what lies behind the cut is told or cannot be read', async () => {
    const image = copy('d.udf')
    const volume = await volumeOf(image)
    const whole = await listAll(udf, image, volume)
    const long = 'A long name, with a comma & more.jpeg'
    truncateSync(image, startOf(whole, long) + 50_000)
    const after = await listAll(udf, image, volume)
    const told = new Set([...paths(after), ...after.errors.map(({ path }) => path.toString('latin1'))])
    const isTold = (path: string): boolean => told.has(path) || (path !== '' && isTold(above(path)))
    expect(paths(whole).filter((path) => !isTold(path))).toEqual([])
    expect(paths(after)).toContain(long)
    await expect(contentsOf(udf, image, volume, after.entries)).rejects.toThrow('past the end')
  })

  test('what is no UDF is refused', async () => {
    const image = join(scratch(), 'zeros')
    writeFileSync(image, Buffer.alloc(1 << 20))
    const volume = await volumeOf(at('c.udf'))
    await expect(listAll(udf, image, { ...volume, bytes: 1 << 20 })).rejects.toThrow('no anchor of UDF')
  })
})

describe('structures', () => {
  test('times have a zone, or none', () => {
    const time = (zone: number): Buffer => {
      const bytes = Buffer.from([0, 0, 0, 0, 12, 31, 23, 59, 58, 12, 34, 56])
      bytes.writeUInt16LE(zone, 0)
      bytes.writeInt16LE(1999, 2)
      return bytes
    }
    const utc = BigInt(Date.UTC(1999, 11, 31, 23, 59, 58)) * 1_000_000n + 123_456_000n
    expect(timeOf(time(0x1000))).toBe(utc)
    expect(timeOf(time(0x1000 | (-300 & 0xfff)))).toBe(utc + 300n * 60_000_000_000n)
    expect(timeOf(time(0x1000 | (-2047 & 0xfff)))).toBe(utc)
    expect(timeOf(Buffer.alloc(12))).toBeNull()
  })

  test('names are of one or two bytes a character', () => {
    expect(textOf(Buffer.from([8, 0x61, 0xe9])).toString()).toBe('aé')
    expect(textOf(Buffer.from([16, 0x65, 0xe5, 0xd8, 0x3d, 0xde, 0x00])).toString()).toBe('日😀')
    expect(textOf(Buffer.alloc(0)).toString()).toBe('')
  })

  test('a link’s target is put together from its components', () => {
    const part = (type: number, name = ''): Buffer => {
      const id = name === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([8]), Buffer.from(name)])
      return Buffer.concat([Buffer.from([type, id.length, 0, 0]), id])
    }
    expect(targetOf(Buffer.concat([part(2), part(5, 'etc'), part(5, 'x')])).toString()).toBe('/etc/x')
    expect(targetOf(Buffer.concat([part(3), part(4), part(5, 'a')])).toString()).toBe('.././a')
    expect(targetOf(part(2)).toString()).toBe('/')
  })
})
