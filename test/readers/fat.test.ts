// FAT: volumes made with standard tools compared with the tree they hold, and every way that one can be broken.
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseEntries, timeOf } from '../../src/readers/fat/entries.ts'
import { fat } from '../../src/readers/fat/index.ts'
import { fiwalk } from '../../src/readers/fiwalk/index.ts'
import { utf8 } from '../../src/readers/utf16.ts'
import { looking, make, put, sized } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf } from '../support/reading.ts'
import { plainTree } from '../support/trees.ts'

const get = (image: string, at: number, length: number): Buffer => {
  const [file, bytes] = [openSync(image, 'r'), Buffer.alloc(length)]
  readSync(file, bytes, 0, length, at)
  closeSync(file)
  return bytes
}
/** A volume with a tree in it. */
function fatOf(bits: number, bytes: number, ...options: readonly string[]) {
  const folder = scratch()
  const tree = plainTree(join(folder, 'tree'))
  const image = sized(join(folder, 'image'), bytes)
  make('mkfs.vfat', `-F${bits}`, '-n', 'A LABEL', ...options, image)
  make('mcopy', '-s', '-m', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
  return { folder, tree, image }
}
const paths = (found: readonly { readonly path: Buffer }[]): string[] =>
  found.map(({ path }) => path.toString('latin1'))

describe.each([
  [12, 1_474_560, []],
  [16, 16 << 20, []],
  [32, 40 << 20, []],
  [32, 80 << 20, ['-s', '2']],
])('FAT%i of %i bytes', (bits, bytes, options) => {
  test('every name, time and byte comes back; label, dots and deleted files are no entries', async () => {
    const { tree, image } = fatOf(bits, bytes, ...options)
    make('mattrib', '+r', '+h', '+s', '-i', image, '::/a.txt')
    make('mcopy', '-i', image, join(tree, 'a.txt'), '::/deleted and gone.txt')
    make('mdel', '-i', image, '::/deleted and gone.txt')
    const volume = await volumeOf(image)
    const world = looking()
    const { entries, errors } = await listAll(fat, image, volume, world)
    const { expected, actual } = sideBySide(tree, entries, { modes: false, links: false, times: 's' })
    const files = (lines: Record<string, string>) =>
      Object.entries(lines).map(([path, line]) => (line.startsWith('d') ? `${path} d` : `${path} ${line}`))
    expect(errors).toEqual([])
    expect(files(actual)).toEqual(files(expected))
    expect(await contentsOf(fat, image, volume, entries)).toEqual(contentsOfTree(tree))
    expect(new Set(entries.map(({ ino }) => ino)).size).toBe(entries.length)
    // Not a single cluster in use is unaccounted for.
    expect(world.lines).toEqual([])
  })

  test('sleuthkit sees the same entries in the same places', async () => {
    const { image } = fatOf(bits, bytes, ...options)
    const volume = await volumeOf(image)
    const [ours, theirs] = [await listAll(fat, image, volume), await listAll(fiwalk, image, volume)]
    const where = ({ entries }: typeof ours): string[] =>
      entries
        .filter(({ type }) => type === 'f')
        .map(
          ({ path, extents, mtimeNs }) => `${path.toString('latin1')} ${JSON.stringify(extents)} ${mtimeNs}`,
        )
        .toSorted()
    expect(where(ours)).toEqual(where(theirs))
  })
})

describe('names', () => {
  test('a short name keeps its bytes in whatever code page; sleuthkit, which loses them, is not believed', async () => {
    const image = sized(join(scratch(), 'image'), 1_474_560)
    make('mkfs.vfat', image)
    const plain = join(scratch(), 'x')
    writeFileSync(plain, 'x')
    make('mcopy', '-i', image, plain, '::/CAFE.TXT')
    const root = readFileSync(image).indexOf('CAFE    TXT', 0, 'latin1')
    put(image, Buffer.from([0x90]), root + 3)
    const volume = await volumeOf(image)
    expect(paths((await listAll(fat, image, volume)).entries)).toEqual(['', 'CAF\x90.TXT'])
    await expect(listAll(fiwalk, image, volume)).rejects.toThrow('a name is lost')
  })

  const slot = (name: string, attributes = 0x20, size = 0): Buffer => {
    const bytes = Buffer.alloc(32)
    bytes.write(name.padEnd(11), 0, 'latin1')
    bytes[11] = attributes
    bytes.writeUInt32LE(size, 28)
    return bytes
  }

  test('a name that begins with byte E5 is stored with 05; one that begins with E5 was deleted', () => {
    const names = parseEntries(Buffer.concat([slot('\x05BC'), slot('\xe5BC')]), false)
    expect(paths(names.map(({ name }) => ({ path: name })))).toEqual(['\xe5BC'])
  })

  test('a slash in a damaged name makes no other path of it', () => {
    const [one] = parseEntries(slot('../..     /'), false)
    expect(one).toMatchObject({ name: Buffer.from('.._...  _'), isMended: true })
  })

  test('a long name whose checksum is another entry’s is not used', () => {
    const long = Buffer.alloc(32)
    long[0] = 0x41
    long[11] = 0x0f
    long[13] = 0x77
    long.write('l\0o\0n\0g\0', 1, 'latin1')
    expect(parseEntries(Buffer.concat([long, slot('SHORT')]), false)[0]?.name).toEqual(Buffer.from('SHORT'))
  })

  test('half a surrogate pair stays different from another half', () => {
    expect(utf8([0xd800]).equals(utf8([0xd801]))).toBe(false)
    expect(utf8([0xd83d, 0xde00])).toEqual(Buffer.from('😀'))
  })

  test('a time that no clock shows is none', () => {
    expect(timeOf(0, 0)).toBeNull()
    expect(timeOf((19 << 9) | (2 << 5) | 31, 0)).toBeNull()
    expect(timeOf((127 << 9) | (12 << 5) | 31, (23 << 11) | (59 << 5) | 29)).toBe(
      BigInt(Date.UTC(2107, 11, 31, 23, 59, 58)) * 1_000_000n,
    )
  })
})

describe('what is broken', () => {
  test('a zeroed directory, a zeroed root and a directory past the end are told; the rest is listed', async () => {
    const { image } = fatOf(16, 16 << 20)
    const volume = await volumeOf(image)
    const whole = await listAll(fat, image, volume)
    const where = (path: string): number =>
      whole.entries.find((entry) => entry.path.equals(Buffer.from(path)))?.extents?.[0]?.start ?? -1
    const saved = get(image, where('sub'), 2048)
    put(image, Buffer.alloc(2048), where('sub'))
    const hit = await listAll(fat, image, volume)
    expect(hit.errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.from('sub') }])
    expect(paths(hit.entries)).toContain('a.txt')
    put(image, saved, where('sub'))
    put(image, Buffer.alloc(16_384), where(''))
    const wiped = await listAll(fat, image, volume)
    expect(paths(wiped.entries)).toEqual([''])
    expect(wiped.errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.alloc(0) }])
  })

  test('a directory that contains itself ends the walk with an error, not with the stack', async () => {
    const { image } = fatOf(16, 16 << 20)
    const volume = await volumeOf(image)
    const { entries } = await listAll(fat, image, volume)
    const find = (path: string) => entries.find((entry) => entry.path.equals(Buffer.from(path)))
    const clusterOf = (path: string): Buffer => get(image, Number(find(path)?.ino ?? 0n) * 32 + 26, 2)
    // sub/deeper now begins where sub begins.
    put(image, clusterOf('sub'), Number(find('sub/deeper')?.ino ?? 0n) * 32 + 26)
    const { errors } = await listAll(fat, image, volume)
    expect(errors).toContainEqual({
      error: 'unreadable-directory',
      path: Buffer.from('sub/deeper'),
      message: 'it was met before: directories run in a circle',
    })
  })

  test('a size of 4 GB on a floppy, a chain that leads nowhere and one in a circle: the entry stays, with what it has', async () => {
    const { image } = fatOf(12, 1_474_560)
    const volume = await volumeOf(image)
    const before = await listAll(fat, image, volume)
    const one = before.entries.find(({ path }) => path.equals(Buffer.from('a.txt')))
    const at = Number(one?.ino ?? 0n) * 32
    put(image, Buffer.from([0xff, 0xff, 0xff, 0xff]), at + 28)
    const huge = await listAll(fat, image, volume)
    expect(huge.errors).toEqual([
      {
        error: 'content',
        path: Buffer.from('a.txt'),
        message: 'its chain of clusters breaks off after 512 of 4294967295 bytes',
      },
    ])
    expect(huge.entries).toHaveLength(before.entries.length)
    const size = huge.entries.find(({ path }) => path.equals(Buffer.from('a.txt')))
    expect(size).toMatchObject({
      size: 4_294_967_295,
      extents: [{ end: (one?.extents?.[0]?.start ?? 0) + 512 }],
    })
    // Its cluster now follows on itself.
    const cluster = get(image, at + 26, 2).readUInt16LE()
    for (const table of [512, 512 + 9 * 512]) {
      const place = table + cluster + (cluster >>> 1)
      const pair = get(image, place, 2).readUInt16LE()
      const next = cluster & 1 ? (pair & 0x000f) | (cluster << 4) : (pair & 0xf000) | cluster
      put(image, Buffer.from([next & 0xff, next >>> 8]), place)
    }
    const circle = await listAll(fat, image, volume)
    expect(circle.errors[0]?.error).toBe('content')
    expect(circle.entries).toHaveLength(before.entries.length)
  })

  test('two entries of one name are both listed', async () => {
    const { image } = fatOf(12, 1_474_560)
    const volume = await volumeOf(image)
    const before = await listAll(fat, image, volume)
    const at = (path: string): number =>
      Number(before.entries.find((entry) => entry.path.equals(Buffer.from(path)))?.ino ?? 0n) * 32
    put(image, get(image, at('sub/f1'), 11), at('sub/f2'))
    const names = paths((await listAll(fat, image, volume)).entries)
    expect(names).toHaveLength(before.entries.length)
    expect(names.filter((name) => name === 'sub/f1')).toHaveLength(2)
  })

  test('an image cut in the middle: what is named is listed with its places, what cannot be seen is told', async () => {
    const { image } = fatOf(16, 16 << 20)
    const volume = await volumeOf(image)
    const before = await listAll(fat, image, volume)
    const sub = before.entries.find(({ path }) => path.equals(Buffer.from('sub')))
    truncateSync(image, sub?.extents?.[0]?.start ?? 0)
    const { entries, errors } = await listAll(fat, image, volume)
    expect(errors).toContainEqual({
      error: 'unreadable-directory',
      path: Buffer.from('sub'),
      message: 'it lies past the end of the image: names below it are missing',
    })
    expect(paths(entries)).toContain('a.txt')
  })

  test('a boot sector of zeros is refused', async () => {
    const { image } = fatOf(12, 1_474_560)
    const volume = await volumeOf(image)
    put(image, Buffer.alloc(512), 0)
    await expect(listAll(fat, image, volume)).rejects.toThrow('boot sector makes no sense')
  })
})
