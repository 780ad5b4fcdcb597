// NTFS: volumes made with standard tools compared with what ntfs-3g reads of them, and every way that one can be broken.
import { mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Entry, Volume } from '../../src/model/entry.ts'
import { attributes, parseAttributes } from '../../src/readers/ntfs/layout.ts'
import { NtfsVolume } from '../../src/readers/ntfs/volume.ts'
import { ntfs } from '../../src/readers/ntfs/index.ts'
import { Pages } from '../../src/readers/pages.ts'
import { listChanged, toldOf } from '../support/breaking.ts'
import { chance } from '../support/chance.ts'
import { loseSectors } from '../support/damage.ts'
import { looking } from '../support/looking.ts'
import { emptyNtfs, throughNtfs3g } from '../support/ntfs.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf, type Listed } from '../support/reading.ts'
import { smallTree, unicodeTree } from '../support/trees.ts'

/** What is compared with ntfs-3g: it makes up owners and modes, and counts names for DOS. */
const compared = { modes: false, times: 'ns' } as const
const path = ({ path: bytes }: { readonly path: Buffer }): string => bytes.toString('utf8')

async function agrees(image: string, options = 'ro'): Promise<Listed> {
  const volume = await volumeOf(image)
  const world = looking()
  const listed = await listAll(ntfs, image, volume, world)
  const given = await contentsOf(ntfs, image, volume, listed.entries)
  const entries = listed.entries.filter((entry) => !path(entry).includes(':'))
  await throughNtfs3g(image, options, (mount) => {
    const { expected, actual } = sideBySide(mount, entries, compared)
    expect(actual).toEqual(expected)
    const whole = contentsOfTree(mount)
    for (const [name, digest] of whole) expect([name, given.get(name)]).toEqual([name, digest])
  })
  expect(listed.errors).toEqual([])
  // Not a cluster in use is unaccounted for.
  expect(world.lines).toEqual([])
  return listed
}

describe.each([
  ['clusters of 4 KiB', []],
  ['clusters of 512 bytes, smaller than a record', ['-c', '512']],
  ['clusters of 64 KiB', ['-c', '65536']],
])('%s', (_what, options) => {
  test('every name, time, link, hole and byte is what ntfs-3g reads', async () => {
    const image = emptyNtfs(join(scratch(), 'image'), 64 << 20, ...options)
    await throughNtfs3g(image, 'rw', (mount) => unicodeTree(`${mount}/tree`))
    const { entries } = await agrees(image)
    const of = (name: string) => entries.find((entry) => path(entry) === name)
    expect(entries.length).toBeGreaterThan(370)
    expect(of('tree/a.txt')).toMatchObject({ nlink: 3 })
    expect(
      new Set(['tree/a.txt', 'tree/sub/linked', 'tree/sub/empty/linked too'].map((name) => of(name)?.ino))
        .size,
    ).toBe(1)
    expect(of('tree/holes')?.extents?.some(({ start }) => start === -1)).toBe(true)
    // Small content stands in its record, and is told by where it lies there.
    expect(of('tree/bytes 550')?.extents?.length).toBeGreaterThan(1)
  })
})

test('compressed files come back, named streams stand beside their files, system files are no entries', async () => {
  const image = emptyNtfs(join(scratch(), 'image'), 64 << 20, '-C')
  const lines = Array.from(
    { length: 40_000 },
    (_none, index) => `line ${index} of a text that repeats itself\n`,
  )
  let noise = 1
  const random = Buffer.from(
    Array.from({ length: 200_000 }, () => (noise = (noise * 48_271) % 2_147_483_647) & 0xff),
  )
  const mixed = Buffer.concat([
    random,
    Buffer.from(lines.slice(0, 9000).join('')),
    Buffer.alloc(300_000),
    random,
  ])
  const streams: Record<string, string> = {
    'text:stream': 'small',
    'text:large one': 'L'.repeat(300_000),
    'folder:of a directory': 'D'.repeat(700),
    ':of the root': 'root',
  }
  await throughNtfs3g(image, 'rw,compression,streams_interface=windows', (mount) => {
    unicodeTree(`${mount}/tree`)
    writeFileSync(`${mount}/text`, lines.join(''))
    writeFileSync(`${mount}/mixed`, mixed)
    unicodeTree(`${mount}/folder`)
    for (const [name, content] of Object.entries(streams).slice(0, 3))
      writeFileSync(`${mount}/${name}`, content)
    // The root's own stream has no name to be opened by but this.
    writeFileSync(`${mount}/.:of the root`, 'root')
  })
  const { entries } = await agrees(image)
  const volume = await volumeOf(image)
  const found = entries.filter((entry) => path(entry).includes(':'))
  expect(found.map(path).toSorted()).toEqual(Object.keys(streams).toSorted())
  const numbers = entries.filter(({ type, nlink }) => type === 'f' && nlink === 1).map(({ ino }) => ino)
  expect(new Set(numbers).size).toBe(numbers.length)
  const folder = scratch()
  for (const [name, content] of Object.entries(streams)) writeFileSync(join(folder, name), content)
  expect(await contentsOf(ntfs, image, volume, found)).toEqual(contentsOfTree(folder))
  const packed = entries.filter(({ type, extents }) => type === 'f' && extents === null).map(path)
  expect(packed).toEqual(expect.arrayContaining(['text', 'mixed']))
})

test('directories of 10,500 names, new and with every second one gone', async () => {
  const image = emptyNtfs(join(scratch(), 'image'), 64 << 20)
  await throughNtfs3g(image, 'rw', (mount) => {
    for (const folder of ['new', 'old']) {
      mkdirSync(`${mount}/${folder}`)
      for (let index = 0; index < 10_500; index += 1)
        writeFileSync(`${mount}/${folder}/${index} is the number of this file`, '')
    }
    const every = readdirSync(`${mount}/old`)
    for (const [index, name] of every.entries()) if (index % 2 === 1) rmSync(`${mount}/old/${name}`)
  })
  const { entries } = await agrees(image)
  expect(entries).toHaveLength(10_500 + 5250 + 3)
})

test('a file in so many pieces that its record does not hold them', async () => {
  const image = emptyNtfs(join(scratch(), 'image'), 16 << 20, '-c', '1024')
  const content = Buffer.from(Array.from({ length: 1_300_000 }, (_none, index) => (index * 7) >>> 8))
  await throughNtfs3g(image, 'rw', (mount) => {
    let count = 0
    const full = (): boolean => {
      try {
        writeFileSync(`${mount}/${count}`, Buffer.alloc(1024, `${count} `))
        return false
      } catch {
        return true
      }
    }
    while (!full()) count += 1
    for (let index = 0; index <= count; index += 2) rmSync(`${mount}/${index}`)
    writeFileSync(`${mount}/pieces`, content)
  })
  const { entries } = await agrees(image)
  const pieces = entries.find((entry) => path(entry) === 'pieces')
  expect(pieces?.extents?.length).toBeGreaterThan(150)
  const volume = await NtfsVolume.open(0, new Pages(image, 0, looking()))
  const { bytes } = await volume.table.record(Number(pieces?.ino))
  expect(parseAttributes(bytes).map(({ type }) => type)).toContain(attributes.list)
})

describe('what is broken', () => {
  let whole: Listed
  let sound: Buffer
  let volume: Volume
  const image = join(scratch(), 'image')

  beforeAll(async () => {
    emptyNtfs(image, 24 << 20)
    await throughNtfs3g(image, 'rw,streams_interface=windows', (mount) => {
      unicodeTree(`${mount}/tree`)
      writeFileSync(`${mount}/tree/a.txt:stream`, 'a stream of a file with three names')
    })
    sound = readFileSync(image)
    volume = await volumeOf(image)
    whole = await listAll(ntfs, image, volume)
  }, 60_000)

  const named = (name: string): Entry => {
    const entry = whole.entries.find((one) => path(one) === name)
    if (entry === undefined) throw new Error(`${name} is not there`)
    return entry
  }
  /** Where the record of an entry begins. */
  const record = ({ ino }: Entry): number => sound.readUInt32LE(0x30) * 4096 + Number(ino % 2n ** 48n) * 1024
  /** Where an attribute of a type begins, in the record at a place. */
  const attribute = (bytes: Buffer, recordAt: number, type: number): number => {
    let at = recordAt + bytes.readUInt16LE(recordAt + 0x14)
    while (bytes.readUInt32LE(at) !== type) at += bytes.readUInt32LE(at + 4)
    return at
  }
  const block = (name: string): number =>
    named(name).extents?.findLast(({ start }) => start % 4096 === 0)?.start ?? -1

  const after = (change: (bytes: Buffer) => void) =>
    listChanged(ntfs, { image, bytes: sound, volume, whole }, change)

  test.each([
    ['all of it', 0, 1024],
    ['its second sector', 512, 512],
  ])(
    'a record of a directory is gone (%s): it is told, and what lies below is found by the file table',
    async (_what, at, length) => {
      const { missing, extra, errors, world, entries } = await after((bytes) =>
        bytes.fill(0, record(named('tree/sub')) + at, record(named('tree/sub')) + at + length),
      )
      expect([missing, extra, errors]).toEqual([[], [], ['unreadable-directory tree/sub']])
      expect(world.lines.join()).toContain('names are those of the file table')
      // Three names of one file: none is told twice.
      expect(new Set(entries.map(path)).size).toBe(entries.length)
    },
  )

  test('a record of a file is gone: that file alone is hit, under each of its names', async () => {
    const single = await after((bytes) =>
      bytes.fill(0, record(named('tree/sub/large')), record(named('tree/sub/large')) + 1024),
    )
    expect([single.missing, single.extra, single.errors]).toEqual([[], [], ['content tree/sub/large']])
    const entry = single.entries.find((one) => path(one) === 'tree/sub/large')
    expect(entry).toMatchObject({ size: 3_000_000, extents: null })
    await expect(contentsOf(ntfs, image, volume, entry === undefined ? [] : [entry])).rejects.toThrow(
      'only zeros are there',
    )
    const linked = await after((bytes) =>
      bytes.fill(0, record(named('tree/a.txt')), record(named('tree/a.txt')) + 1024),
    )
    expect(linked.errors.toSorted()).toEqual([
      'content tree/a.txt',
      'content tree/sub/empty/linked too',
      'content tree/sub/linked',
    ])
    expect(linked.missing).toHaveLength(3)
    expect(linked.missing.every((one) => one.endsWith(':stream'))).toBe(true)
  })

  test('a block of an index is gone, or is another one: the names in it are found by the file table', async () => {
    for (const change of [
      (bytes: Buffer) => bytes.fill(0, block('tree/many'), block('tree/many') + 512),
      (bytes: Buffer) => bytes.copy(bytes, block('tree/many'), block('tree'), block('tree') + 4096),
    ]) {
      const { missing, extra, errors } = await after(change)
      expect([missing, extra, [...new Set(errors)]]).toEqual([[], [], ['unreadable-directory tree/many']])
    }
    const { missing, extra, errors } = await after((bytes) =>
      bytes.fill(0, block('tree'), block('tree') + 4096),
    )
    expect([missing, extra, errors]).toEqual([[], [], ['unreadable-directory tree']])
  })

  test('the root is gone: all of it is found by the file table', async () => {
    const { missing, extra, errors } = await after((bytes) =>
      bytes.fill(0, record(named('')), record(named('')) + 1024),
    )
    expect([missing, extra, errors]).toEqual([[], [], ['unreadable-directory ']])
  })

  test('the first records of the file table are gone: their copy is used', async () => {
    const { missing, extra, errors } = await after((bytes) => {
      const table = sound.readUInt32LE(0x30) * 4096
      bytes.fill(0, table, table + 1024)
    })
    expect([missing, extra, errors]).toEqual([[], [], []])
    await expect(
      after((bytes) => {
        bytes.fill(0, sound.readUInt32LE(0x30) * 4096, sound.readUInt32LE(0x30) * 4096 + 1024)
        bytes.fill(0, sound.readUInt32LE(0x38) * 4096, sound.readUInt32LE(0x38) * 4096 + 1024)
      }),
    ).rejects.toThrow('the file table cannot be read')
  })

  test('free space and the content of a file hit no name; a name of a file that is another by now is told', async () => {
    const { start, end } = named('tree/sub/large').extents?.[0] ?? { start: 0, end: 0 }
    expect((await after((bytes) => bytes.fill(0, start, end))).errors).toEqual([])
    const reused = await after((bytes) => bytes.writeUInt16LE(77, record(named('tree/sub/large')) + 0x10))
    expect(reused.messages).toContain('it is another file by now')
    // The file itself is still there, in no directory.
    expect(reused.world.lines.join()).toContain('names are those of the file table')
  })

  test('two files in one place, and a volume that was not unmounted, are told', async () => {
    const crossed = await after((bytes) => {
      const [from, to] = [record(named('tree/sub/large')), record(named('tree/bytes 1465'))]
      const runs = (at: number) => attribute(bytes, at, 0x80) + 0x40
      bytes.copy(bytes, runs(to), runs(from), runs(from) + 8)
    })
    expect(crossed.messages).toContain('where another file lies')
    const dirty = await after((bytes) => {
      const at = sound.readUInt32LE(0x30) * 4096 + 3 * 1024
      const flags = attribute(bytes, at, 0x70) + 0x18 + 10
      bytes.writeUInt16LE(1, flags)
    })
    expect(dirty.world.lines.join()).toContain('it was not unmounted')
    expect([dirty.missing, dirty.errors]).toEqual([[], []])
  })

  test('a directory that is named in itself ends with an error', async () => {
    const { errors, missing, messages } = await after((bytes) => {
      const name = bytes.indexOf(Buffer.from('sub', 'utf16le'), block('tree'))
      const tree = record(named('tree'))
      bytes.writeUInt32LE(Number(named('tree').ino), name - 66 - 16)
      bytes.writeUInt16LE(bytes.readUInt16LE(tree + 0x10), name - 66 - 10)
    })
    expect(errors).toEqual(['bad-name tree/sub', 'unreadable-directory tree/sub'])
    expect(messages).toContain('directories run in a circle')
    // The directory that lost its name is found by the file table.
    expect(missing).toEqual([])
  })

  test('an encrypted file is told, and its content is not had', async () => {
    const { errors, entries } = await after((bytes) => {
      const at = record(named('tree/sub/large'))
      const data = attribute(bytes, at, 0x80)
      bytes.writeUInt16LE(0x4000, data + 0x0c)
    })
    expect(errors).toEqual(['content tree/sub/large'])
    const entry = entries.filter((one) => path(one) === 'tree/sub/large')
    await expect(contentsOf(ntfs, image, volume, entry)).rejects.toThrow('encrypted')
  })

  test('an image that was cut is read as far as it goes, and each loss is told', async () => {
    writeFileSync(image, sound)
    truncateSync(image, record(named('tree/many/a name of some length 150')))
    const { errors } = await listAll(ntfs, image, volume)
    expect(errors.length).toBeGreaterThan(20)
    const others = errors
      .map(({ message }) => message)
      .filter((one) => !one.includes('past the end of the image'))
    expect(others.every((one) => /^records \d+ to \d+ of the file table cannot be read/.test(one))).toBe(true)
  })

  test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
    const small = emptyNtfs(join(scratch(), 'image'), 4 << 20)
    await throughNtfs3g(small, 'rw', (mount) => smallTree(`${mount}/tree`))
    const campaign = await loseSectors(ntfs, small, await volumeOf(small), { sectorBytes: 512, most: 150 })
    expect(campaign.faults).toEqual([])
    expect(campaign.refused.length).toBeLessThan(5)
    // Each sector with names hits something, but those of index blocks that are not in use.
    const silent = campaign.named.filter((sector) => !campaign.hits.includes(sector))
    expect(silent.length).toBeLessThan(campaign.named.length / 4)
  })

  test('whatever bytes are changed: it ends, never crashes, and no name is lost without a word', async () => {
    const random = chance(7)
    const table = sound.readUInt32LE(0x30) * 4096
    const told = await toldOf(40, (round) => {
      const changes = Array.from(
        { length: 1 + (round % 8) },
        () => [table + random(460 * 1024), random(256)] as const,
      )
      return after((bytes) => {
        for (const [at, byte] of changes) bytes[at] = byte
        if (round % 5 === 0) bytes.fill(random(256), block('tree/many'), block('tree/many') + random(4096))
      })
    })
    expect(told).toBeGreaterThan(10)
  })
})
