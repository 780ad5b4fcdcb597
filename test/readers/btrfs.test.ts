// btrfs: volumes made by mkfs.btrfs and by the kernel, compared with what the kernel's driver reads of them; and damaged ones.
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hidesNames, type Volume } from '../../src/model/entry.ts'
import { withReadErrors } from '../../src/model/unread.ts'
import { btrfs } from '../../src/readers/btrfs/index.ts'
import { unpackLzo } from '../../src/readers/btrfs/lzo.ts'
import { entryNumber, numbersOf, standInNumber } from '../../src/readers/btrfs/numbers.ts'
import { crc32c } from '../../src/readers/crc32c.ts'
import { orRefused } from '../support/breaking.ts'
import { chance } from '../support/chance.ts'
import { loseSectors } from '../support/damage.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf, type Listed } from '../support/reading.ts'
import { hostileTree, smallTree } from '../support/trees.ts'

const isRoot = process.getuid?.() === 0 && readFileSync('/proc/filesystems', 'utf8').includes('\tbtrfs\n')
if (!isRoot) process.stderr.write('NOT COMPARED with the kernel: that takes root and a kernel with btrfs\n')

function sized(path: string, mebibytes: number): string {
  writeFileSync(path, '')
  truncateSync(path, mebibytes << 20)
  return path
}

function made(options: readonly string[], grow: (folder: string) => string, mebibytes = 160) {
  const folder = scratch()
  const tree = grow(join(folder, 'tree'))
  const image = sized(join(folder, 'image'), mebibytes)
  make('mkfs.btrfs', '-q', '-r', tree, ...options, image)
  return { tree, image }
}

/** What is done while the volume is mounted. */
function mounted<T>(image: string, options: string, task: (at: string) => T): T {
  const at = join(scratch(), 'mount')
  mkdirSync(at)
  make('mount', '-t', 'btrfs', '-o', `loop,${options}`, image, at)
  try {
    return task(at)
  } finally {
    make('umount', at)
  }
}

const text = ({ path }: { readonly path: Buffer }): string => path.toString('latin1')

/** Ours is the kernel's: every name, type, size, time, mode, owner, link and byte. */
async function expectAsMounted(image: string, but: readonly string[] = []): Promise<Listed> {
  const volume = await volumeOf(image)
  const listed = await listAll(btrfs, image, volume)
  expect(listed.errors).toEqual([])
  const given = await contentsOf(
    btrfs,
    image,
    volume,
    listed.entries.filter(({ type }) => type === 'f'),
  )
  const entries = listed.entries.map((entry) => ({ ...entry, rdev: 0n }))
  mounted(image, 'ro,rescue=nologreplay,subvolid=5', (at) => {
    const { expected, actual } = sideBySide(at, entries, { but })
    expect(actual).toEqual(expected)
    expect(new Map(given)).toEqual(new Map(contentsOfTree(at)))
  })
  return listed
}

describe.each([
  ['two copies of all that is not content', []],
  ['one copy of everything', ['-m', 'single', '-d', 'single']],
  ['two copies of everything', ['-m', 'dup', '-d', 'dup']],
  ['contents among the rest', ['--mixed', '-n', '4096']],
  ['small blocks', ['-n', '4096']],
  ['SHA-256', ['--csum', 'sha256']],
  ['sums that are not checked', ['--csum', 'xxhash', '-n', '65536']],
])('%s', (_what, options) => {
  test('every name and byte of a hostile tree comes back', async () => {
    const { tree, image } = made(options, hostileTree)
    const volume = await volumeOf(image)
    const { entries, errors } = await listAll(btrfs, image, volume)
    expect(errors).toEqual([])
    const { expected, actual } = sideBySide(tree, entries, { times: 'no', modes: false, links: false })
    expect(Object.keys(actual)).toEqual(Object.keys(expected))
    const given = await contentsOf(
      btrfs,
      image,
      volume,
      entries.filter(({ type }) => type === 'f'),
    )
    expect(new Map(given)).toEqual(new Map(contentsOfTree(tree)))
    if (isRoot) await expectAsMounted(image)
  })
})

describe.runIf(isRoot)('what the kernel wrote', () => {
  /** Contents of all kinds: packed well, badly, not at all; shared; with holes, and room that was never written. */
  function fill(at: string): void {
    hostileTree(join(at, 'tree'))
    let seed = 1
    const noise = Buffer.alloc(700_001)
    for (let index = 0; index < noise.length; index += 1) {
      seed = (seed * 48_271) % 2_147_483_647
      noise[index] = seed >>> 8
    }
    const words = Buffer.from(
      Array.from({ length: 60_000 }, (_none, index) => `${index % 977} words `).join(''),
    )
    writeFileSync(join(at, 'noise'), noise)
    writeFileSync(join(at, 'words'), words)
    writeFileSync(join(at, 'zeros'), Buffer.alloc(1_000_000))
    writeFileSync(join(at, 'short'), 'a short one '.repeat(100))
    for (const size of [1, 20, 2047, 2048, 4095, 4096, 4097, 131_071, 131_072, 131_073])
      writeFileSync(
        join(at, `bytes ${size}`),
        Buffer.concat([words.subarray(0, size >> 1), noise]).subarray(0, size),
      )
    // A mix of both, so that all kinds of instructions are there.
    const mixed = Array.from({ length: 300 }, (_none, index) => [
      noise.subarray(index * 7, index * 7 + (index % 41)),
      words.subarray(index * 3, index * 3 + ((index * 31) % 700)),
      Buffer.alloc((index * 17) % 300),
    ])
    writeFileSync(join(at, 'mixed'), Buffer.concat(mixed.flat()))
    make('sync', '-f', at)
    make('cp', '--reflink=always', join(at, 'words'), join(at, 'shared'))
    // The middle of it is written anew: what is around is shared, with offsets.
    const file = openSync(join(at, 'shared'), 'r+')
    writeSync(file, noise, 0, 10_000, 70_000)
    closeSync(file)
    make('fallocate', '-l', '300000', join(at, 'reserved'))
    make('fallocate', '-p', '-o', '65536', '-l', '65536', join(at, 'noise'))
    make('fallocate', '-n', '-l', '500000', join(at, 'short'))
    make('mknod', join(at, 'device'), 'b', '259', '70000')
  }

  test.each(['zlib', 'lzo', 'zstd'])('packed by %s, with subvolumes and snapshots', async (packing) => {
    const image = sized(join(scratch(), 'image'), 256)
    make('mkfs.btrfs', '-q', '-m', 'single', image)
    mounted(image, `compress-force=${packing}`, (at) => {
      make('btrfs', 'subvolume', 'create', join(at, 'one'))
      make('btrfs', 'subvolume', 'create', join(at, 'one/below'))
      fill(join(at, 'one'))
      writeFileSync(join(at, 'one/below/deep'), 'in a subvolume of a subvolume')
      make('btrfs', 'subvolume', 'snapshot', '-r', join(at, 'one'), join(at, 'kept'))
      writeFileSync(join(at, 'one/later'), 'after the snapshot')
      make('btrfs', 'subvolume', 'snapshot', join(at, 'one/below'), join(at, 'copy'))
      writeFileSync(join(at, 'copy/deep'), 'changed')
      make('btrfs', 'subvolume', 'set-default', join(at, 'one'))
    })
    // Where a subvolume was in what a snapshot was taken of, an empty directory stands.
    const { entries } = await expectAsMounted(image, ['kept/below'])
    const of = (path: string) => entries.find((entry) => text(entry) === path)
    expect(of('kept/below')).toMatchObject({ type: 'd', mtimeNs: null })
    expect(entries.some((entry) => text(entry).startsWith('kept/below/'))).toBe(false)
    expect(of('one/device')).toMatchObject({ type: 'b', rdev: (259n << 32n) + 70_000n })
    // What is packed is given as a stream.
    expect(of('one/words')?.extents).toBeNull()
    expect(of('one/reserved')?.extents).toEqual([{ start: -1, end: 300_000 }])
    const numbers = new Map<bigint, string>()
    for (const entry of entries) {
      const known = numbers.get(entry.ino)
      if (known === undefined) numbers.set(entry.ino, text(entry))
      else expect([entry.type, entry.nlink > 1]).toEqual(['f', true])
    }
    const world = looking()
    await listAll(btrfs, image, await volumeOf(image), world)
    expect(world.lines.join()).toContain('is mounted by default: all are read')
    expect(numbers.size).toBeGreaterThan(600)
  })

  test('a directory of 20,000 names, in several levels of blocks', async () => {
    const image = sized(join(scratch(), 'image'), 256)
    make('mkfs.btrfs', '-q', '-n', '4096', image)
    mounted(image, 'noatime', (at) => {
      mkdirSync(join(at, 'many'))
      for (let index = 0; index < 20_000; index += 1) writeFileSync(join(at, `many/${index}`), `${index}`)
    })
    const { entries } = await expectAsMounted(image)
    expect(entries).toHaveLength(20_002)
  })

  test('what was written last and is only in the log is not read, and that is told', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'image'), 128)
    make('mkfs.btrfs', '-q', image)
    const copy = join(folder, 'copy')
    mounted(image, 'commit=300', (at) => {
      writeFileSync(join(at, 'first'), 'first')
      make('sync', '-f', at)
      writeFileSync(join(at, 'logged'), 'logged')
      make('sync', join(at, 'logged'))
      copyFileSync(image, copy)
    })
    const world = looking()
    const { entries, errors } = await listAll(btrfs, copy, await volumeOf(copy), world)
    expect([entries.map(text), errors]).toEqual([['', 'first'], []])
    expect(world.lines.join()).toContain('its log was not replayed')
  })
})

/** Where the tree blocks of a volume lie that are in use or were. */
function blocksOf(image: string, nodeBytes: number): readonly number[] {
  const bytes = readFileSync(image)
  const fsid = bytes.subarray(65_536 + 32, 65_536 + 48)
  const found: number[] = []
  for (let at = 0; at + nodeBytes <= bytes.length; at += nodeBytes)
    if (at !== 65_536 && bytes.subarray(at + 32, at + 48).equals(fsid) && bytes.readUInt32LE(at + 96) > 0)
      found.push(at)
  return found
}

const summary = ({ entries, errors }: Listed): string =>
  JSON.stringify([entries.map((entry) => [text(entry), entry.type, entry.size]), errors.map(text)])

/** Changes some bytes of an image, looks, and puts them back. */
async function changed<T>(
  image: string,
  at: number,
  length: number,
  change: (bytes: Buffer) => void,
  look: () => Promise<T>,
): Promise<T> {
  const file = openSync(image, 'r+')
  const kept = Buffer.alloc(length)
  readSync(file, kept, 0, length, at)
  const other = Buffer.from(kept)
  change(other)
  writeSync(file, other, 0, length, at)
  try {
    return await look()
  } finally {
    writeSync(file, kept, 0, length, at)
    closeSync(file)
  }
}

describe('damage', () => {
  test('one block that was not read makes nothing up, and leaves nothing out in silence', async () => {
    // Contents lie outside of blocks of trees: those hold nothing else then, so that they are lost as well.
    const grow = (folder: string): string => {
      for (const below of ['', 'one', 'one/two', 'empty']) mkdirSync(join(folder, below), { recursive: true })
      for (let index = 0; index < 200; index += 1)
        writeFileSync(join(folder, index % 2 === 0 ? 'one' : 'one/two', `a name ${index}`), 'x'.repeat(5000))
      return folder
    }
    const { image } = made(['--mixed', '-m', 'single', '-d', 'single', '-n', '4096'], grow, 16)
    const volume = await volumeOf(image)
    const blocks = blocksOf(image, 4096)
    const end = Math.max(...blocks) + 4096
    // Only what lies before the last block that is in use.
    const campaign = await loseSectors(
      btrfs,
      image,
      { ...volume, bytes: end },
      { sectorBytes: 4096, most: 600 },
    )
    expect(campaign.faults).toEqual([])
    expect(campaign.hits.length).toBeGreaterThan(1)
    expect(campaign.refused.length).toBeGreaterThan(0)
    // Free space hits nothing.
    expect(campaign.lost).toBeGreaterThan(200)
    expect(campaign.hits.length + campaign.refused.length).toBeLessThan(100)
  })

  test('of two copies one is enough, whether the other was not read or is bad', async () => {
    const { image } = made(['-m', 'dup', '-d', 'dup', '-n', '4096'], smallTree)
    const volume = await volumeOf(image)
    const whole = await listAll(btrfs, image, volume)
    const files = whole.entries.filter(({ type }) => type === 'f')
    const contents = await contentsOf(btrfs, image, volume, files)
    const blocks = blocksOf(image, 4096)
    expect(blocks.length).toBeGreaterThan(20)
    for (const at of blocks) {
      const world = withReadErrors(looking(), image, [{ start: at, end: at + 4096 }])
      expect(summary(await listAll(btrfs, image, volume, world))).toBe(summary(whole))
      const bad = (bytes: Buffer): void => void bytes.writeUInt8(bytes.readUInt8(99) ^ 1, 99)
      const listed = await changed(image, at, 4096, bad, () => listAll(btrfs, image, volume))
      expect(summary(listed)).toBe(summary(whole))
    }
    // Of the last file, of which there are two copies, every sector of either.
    const content = Buffer.alloc(4096, 'last')
    const bytes = readFileSync(image)
    const places: number[] = []
    for (let at = bytes.indexOf(content); at !== -1; at = bytes.indexOf(content, at + 4096)) places.push(at)
    expect(places).toHaveLength(24)
    for (const at of places) {
      const bad = (sector: Buffer): void => void sector.fill(7, 100, 200)
      const given = await changed(image, at, 4096, bad, () => contentsOf(btrfs, image, volume, files))
      expect(new Map(given)).toEqual(new Map(contents))
    }
  })

  test('hundreds of images with a changed bit: each is told, or hits nothing', async () => {
    const { image } = made(['-m', 'single', '-d', 'single', '-n', '4096'], smallTree)
    const volume = await volumeOf(image)
    const whole = await listAll(btrfs, image, volume)
    const random = chance(7)
    const blocks = blocksOf(image, 4096)
    let told = 0
    /** null: it was refused. */
    const look = (): Promise<Listed | null> => listAll(btrfs, image, volume).catch(orRefused)
    for (let turn = 0; turn < 300; turn += 1) {
      const at = blocks[turn % blocks.length] ?? 0
      const byte = random(4096)
      const bit = 1 << random(8)
      const flip = (bytes: Buffer): void => void bytes.writeUInt8(bytes.readUInt8(byte) ^ bit, byte)
      const listed = await changed(image, at, 4096, flip, look)
      if (listed === null || listed.errors.length > 0) told += 1
      else expect(summary(listed)).toBe(summary(whole))
    }
    expect(told).toBeGreaterThan(50)
    // The same with sums made anew, as by a program that is wrong: whatever it is, it ends; and no name goes without a word.
    const names = new Set(whole.entries.map(text))
    for (let turn = 0; turn < 400; turn += 1) {
      const at = blocks[turn % blocks.length] ?? 0
      const byte = 48 + random(random(2) === 0 ? 400 : 4048)
      const value = random(256)
      const seal = (bytes: Buffer): void => {
        bytes.writeUInt8(value, byte)
        bytes.writeUInt32LE(crc32c(bytes.subarray(32)), 0)
      }
      const listed = await changed(image, at, 4096, seal, look)
      if (listed === null || listed.errors.some(hidesNames)) continue
      expect(listed.entries.length).toBe(names.size)
    }
  })

  test('without the first superblock the second one serves, where the volume has room for it', async () => {
    const { image } = made([], smallTree)
    const volume = await volumeOf(image)
    const whole = summary(await listAll(btrfs, image, volume))
    const zero = (bytes: Buffer): void => void bytes.fill(0)
    expect(summary(await changed(image, 65_536, 4096, zero, () => listAll(btrfs, image, volume)))).toBe(whole)
    const short: Volume = { ...volume, bytes: 60 << 20 }
    await expect(changed(image, 65_536, 4096, zero, () => listAll(btrfs, image, short))).rejects.toThrow(
      'there is no btrfs superblock',
    )
  })

  test('what lies past the end of a partition is told, file by file, and never taken from what is behind it', async () => {
    // More than the first chunk of contents holds: the second one lies behind the blocks of trees.
    const grow = (folder: string): string => {
      smallTree(folder)
      writeFileSync(join(folder, 'large'), Buffer.alloc(20 << 20, 'large '))
      return folder
    }
    const { image } = made(['-m', 'single'], grow)
    const volume = await volumeOf(image)
    const end = Math.max(...blocksOf(image, 16_384)) + 16_384
    const { entries, errors } = await listAll(btrfs, image, { ...volume, bytes: end })
    expect(errors.map(text)).toContain('large')
    for (const { error, message } of errors)
      expect([error, message]).toEqual(['content', 'it lies past the end of the partition'])
    expect(errors.length).toBeLessThan(5)
    expect(entries).toHaveLength(68)
    // Without what leads to names there are none.
    const short = { ...volume, bytes: 1 << 20 }
    await expect(listAll(btrfs, image, short)).rejects.toThrow('past the end of the partition')
  })

  test('a volume on several devices is refused', async () => {
    const folder = scratch()
    const [one, other] = [sized(join(folder, 'one'), 256), sized(join(folder, 'other'), 256)]
    make('mkfs.btrfs', '-q', '-d', 'raid0', '-m', 'raid1', one, other)
    await expect(listAll(btrfs, one, await volumeOf(one))).rejects.toThrow('spread over 2 devices')
  })
})

test('numbers of entries tell subvolumes apart, and those that are too large are refused', () => {
  expect(entryNumber(5n, 257n)).toBe(257n)
  expect(numbersOf(257n)).toEqual({ subvolume: 5n, inode: 257n })
  expect(numbersOf(entryNumber(300n, 257n))).toEqual({ subvolume: 300n, inode: 257n })
  expect(standInNumber(5n, 300n)).not.toBe(entryNumber(5n, 300n))
  expect(() => entryNumber(1n << 20n, 257n)).toThrow('too large')
  expect(() => entryNumber(5n, 1n << 39n)).toThrow('too large')
})

test('LZO: a copy that runs into what it makes, and bytes that cannot be', () => {
  const packed = Buffer.from([20, 0x61, 0x62, 0x63, 0x27, 0x08, 0x00, 0x11, 0x00, 0x00])
  const out = Buffer.alloc(12)
  expect([unpackLzo(packed, out), out.toString()]).toEqual([12, 'abcabcabcabc'])
  expect(() => unpackLzo(Buffer.from([20, 0x61, 0x62, 0x63, 0x27, 0x18, 0x00]), out)).toThrow('make no sense')
  expect(() => unpackLzo(packed.subarray(0, 6), out)).toThrow('make no sense')
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})
