// ISO 9660: discs made with standard tools compared with the tree they hold and with libarchive; and broken ones.
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bsdtar } from '../../src/readers/tar/bsdtar.ts'
import { nameOf, parseRecords, recordTime, rockRidgeOf } from '../../src/readers/iso9660/records.ts'
import { iso9660 } from '../../src/readers/iso9660/index.ts'
import { looking, make, put } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import {
  contentsOf,
  contentsOfTree,
  listAll,
  pathsOf,
  sideBySide,
  startOf,
  volumeOf,
  type Listed,
} from '../support/reading.ts'
import { hostileTree, plainTree } from '../support/trees.ts'

function disc(maker: readonly string[], grow: (folder: string) => string = plainTree) {
  const folder = scratch()
  const tree = grow(join(folder, 'tree'))
  const image = join(folder, 'a.iso')
  const [program = '', ...options] = maker
  make(program, ...options, '-o', image, tree)
  return { tree, image }
}

describe('a disc', () => {
  test.each([
    ['genisoimage, deep directories where they are', ['genisoimage', '-quiet', '-R', '-D']],
    ['genisoimage, deep directories moved', ['genisoimage', '-quiet', '-R']],
  ])(
    'with RockRidge (%s): a hostile tree comes back, names, links, owners, times and bytes',
    async (_how, maker) => {
      const { tree, image } = disc(maker, hostileTree)
      const volume = { ...(await volumeOf(image)), type: 'iso9660' }
      const { entries, errors } = await listAll(iso9660, image, volume)
      expect(errors).toEqual([])
      // genisoimage itself writes no more than two fields of a link's target; its root is another.
      const how = { times: 's', modes: false, links: false, but: ['long', 'rr_moved'] } as const
      const { expected, actual } = sideBySide(tree, entries, how)
      expect(actual).toEqual(expected)
      expect(await contentsOf(iso9660, image, volume, entries)).toEqual(contentsOfTree(tree))
      const hard = entries.filter(({ path }) => /harder$|hard$|^n\nx$/.test(path.toString('latin1')))
      expect(new Set(hard.map(({ ino }) => ino)).size).toBe(1)
      expect(hard.map(({ nlink }) => nlink)).toEqual([3, 3, 3])
      expect(new Set(entries.map(({ ino }) => ino)).size).toBe(entries.length - 2)
      const link = (name: string) =>
        entries.find(({ path }) => path.equals(Buffer.from(name)))?.target?.toString('latin1')
      expect([link('absolute'), link('outside'), link('odd')]).toEqual([
        '/etc/passwd',
        '../../..',
        'n\n\\n\xe9',
      ])
    },
  )

  test.each([['-J'], ['-udf']])(
    'with RockRidge and %s beside it is read by its RockRidge names',
    async (beside) => {
      const { tree, image } = disc(['genisoimage', '-quiet', '-R', beside, '-joliet-long'])
      const volume = { ...(await volumeOf(image)), type: 'iso9660' }
      const world = looking()
      const { entries, errors } = await listAll(iso9660, image, volume, world)
      expect([errors, world.lines]).toEqual([[], []])
      const { expected, actual } = sideBySide(tree, entries, { times: 's', modes: false, links: false })
      expect(actual).toEqual(expected)
      expect(await contentsOf(iso9660, image, volume, entries)).toEqual(contentsOfTree(tree))
    },
  )

  test('with Joliet alone has its names in UTF-8, and no owners', async () => {
    const { tree, image } = disc(
      ['genisoimage', '-quiet', '-J', '-joliet-long', '-input-charset', 'utf-8'],
      (folder) => {
        mkdirSync(folder)
        writeFileSync(join(folder, 'Café 日本 😀.txt'), 'x')
        writeFileSync(join(folder, 'no extension'), 'y')
        writeFileSync(join(folder, 'a;b;1'), 'z')
        return folder
      },
    )
    const volume = await volumeOf(image)
    const { entries } = await listAll(iso9660, image, volume)
    expect(entries.every(({ mode, uid }) => mode === null && uid === null)).toBe(true)
    const given = await contentsOf(iso9660, image, volume, entries)
    expect(given.size).toBe(3)
    expect([...given.keys()]).toContain(Buffer.from('no extension').toString('latin1'))
    expect(new Set(given.values())).toEqual(new Set(contentsOfTree(tree).values()))
    expect(pathsOf(entries)).toEqual(pathsOf((await listAll(bsdtar, image, volume)).entries))
  })

  test('with neither has its names as they are stored, without versions', async () => {
    const { tree, image } = disc(['genisoimage', '-quiet', '-iso-level', '1'], (folder) => {
      mkdirSync(folder)
      mkdirSync(join(folder, 'SUB'))
      for (const name of ['README.TXT', 'NOEXT', 'SUB/DATA.BIN']) writeFileSync(join(folder, name), name)
      return folder
    })
    const volume = await volumeOf(image)
    const { entries } = await listAll(iso9660, image, volume)
    expect(pathsOf(entries)).toEqual(['', 'NOEXT', 'README.TXT', 'SUB', 'SUB/DATA.BIN'])
    expect(await contentsOf(iso9660, image, volume, entries)).toEqual(contentsOfTree(tree))
  })

  test('names, kinds, sizes and times are those that libarchive sees', async () => {
    for (const maker of [
      ['genisoimage', '-quiet', '-R', '-J'],
      ['genisoimage', '-quiet', '-J'],
      ['genisoimage', '-quiet'],
      ['xorriso', '-as', 'mkisofs', '-quiet', '-R', '-J', '-joliet-long', '--hardlinks'],
    ]) {
      const { image } = disc(maker)
      const volume = await volumeOf(image)
      const [ours, theirs] = [await listAll(iso9660, image, volume), await listAll(bsdtar, image, volume)]
      const lines = ({ entries }: Listed): string[] =>
        entries
          .map(({ type, size, mtimeNs, path }) => `${path.toString('latin1')} ${type} ${size} ${mtimeNs}`)
          .toSorted()
      expect(lines(ours)).toEqual(lines(theirs))
    }
  })

  test('a file that was hidden from Unix is listed by its Joliet name, and told', async () => {
    const folder = scratch()
    const tree = plainTree(join(folder, 'tree'))
    const image = join(folder, 'a.iso')
    make('genisoimage', '-quiet', '-R', '-J', '-hide', 'a.txt', '-o', image, tree)
    const world = looking()
    const { entries, errors } = await listAll(iso9660, image, await volumeOf(image), world)
    expect(errors).toEqual([])
    expect(pathsOf(entries)).toContain('a.txt')
    expect(world.lines).toEqual(['1 file is named only on the Joliet side, and listed by that name'])
  })
})

describe('what a tree may not show', () => {
  test('a boot image that is no file is told; one that is a file is listed like any other', async () => {
    const bootable = (...hide: readonly string[]) =>
      disc(['genisoimage', '-quiet', '-R', '-b', 'boot.img', '-c', 'boot.cat', ...hide], (folder) => {
        plainTree(folder)
        writeFileSync(join(folder, 'boot.img'), Buffer.alloc(1_474_560, 'boot'))
        return folder
      }).image
    for (const [image, lines] of [
      [bootable(), []],
      [
        bootable('-hide', 'boot.img'),
        [/^a boot image of 1474560 bytes or more at byte \d+ is no file of it$/],
      ],
    ] as const) {
      const world = looking()
      const { errors } = await listAll(iso9660, image, await volumeOf(image), world)
      expect(errors).toEqual([])
      expect(world.lines).toEqual(lines.map((line) => expect.stringMatching(line) as string))
    }
  })

  test('a file in two extents, told by two records, is one file', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-iso-level', '1'], (folder) => {
      mkdirSync(folder)
      writeFileSync(join(folder, 'A.BIN'), Buffer.alloc(4096, 'first'))
      writeFileSync(join(folder, 'B.BIN'), 'and the rest')
      return folder
    })
    const volume = await volumeOf(image)
    const bytes = readFileSync(image)
    const [first, second] = ['A.BIN;1', 'B.BIN;1'].map((name) => bytes.indexOf(name) - 33) as [number, number]
    // No maker splits a file below 4 GiB, so the two are made one.
    bytes[first + 25] = 0x80
    bytes.write('A.BIN;1', second + 33, 'latin1')
    writeFileSync(image, bytes)
    const { entries, errors } = await listAll(iso9660, image, volume)
    expect(errors).toEqual([])
    expect(entries.map(({ path, size }) => `${path.toString()} ${size}`)).toEqual([' 0', 'A.BIN 4108'])
    const given = await contentsOf(iso9660, image, volume, entries)
    const theirs = await listAll(bsdtar, image, volume)
    expect(given).toEqual(await contentsOf(bsdtar, image, volume, theirs.entries))
  })
})

describe('records', () => {
  const record = (
    id: string,
    parts: { flags?: number; block?: number; bytes?: number; use?: Buffer } = {},
  ): Buffer => {
    const use = parts.use ?? Buffer.alloc(0)
    const base = 33 + id.length + (id.length % 2 === 0 ? 1 : 0)
    const bytes = Buffer.alloc(base + use.length)
    bytes[0] = bytes.length
    bytes.writeUInt32LE(parts.block ?? 0, 2)
    bytes.writeUInt32LE(parts.bytes ?? 0, 10)
    bytes[25] = parts.flags ?? 0
    bytes[32] = id.length
    bytes.write(id, 33, 'latin1')
    use.copy(bytes, base)
    return bytes
  }

  test('a record that states a longer name than it has room for is refused', () => {
    const bytes = record('ABC')
    bytes[32] = 200
    expect(() => parseRecords(bytes)).toThrow('no directory record at byte 0')
    expect(() => parseRecords(record('ABC').subarray(0, 20))).toThrow('no directory record')
  })

  test('records go on in the next sector', () => {
    const bytes = Buffer.alloc(4096)
    record('A').copy(bytes, 0)
    record('B').copy(bytes, 2048)
    expect(parseRecords(bytes).map(({ id, at }) => `${id.toString('latin1')} ${at}`)).toEqual([
      'A 0',
      'B 2048',
    ])
  })

  test('times are told in UTC, whatever zone they were written in', () => {
    expect(recordTime(Buffer.from([99, 12, 31, 23, 59, 58, 4]))).toBe(
      BigInt(Date.UTC(1999, 11, 31, 22, 59, 58)) * 1_000_000n,
    )
    expect(recordTime(Buffer.from([99, 12, 31, 23, 59, 58, 0xec]))).toBe(
      BigInt(Date.UTC(2000, 0, 1, 4, 59, 58)) * 1_000_000n,
    )
    expect(recordTime(Buffer.alloc(7))).toBeNull()
  })

  test('a link’s target is put together from components that go on', () => {
    const part = (flags: number, text: string) =>
      Buffer.concat([Buffer.from([flags, text.length]), Buffer.from(text)])
    const field = (continues: number, ...parts: readonly Buffer[]) => ({
      sign: 'SL',
      data: Buffer.concat([Buffer.from([continues]), ...parts]),
    })
    const target = (...fields: readonly ReturnType<typeof field>[]) => rockRidgeOf(fields).target?.toString()
    expect(target(field(0, part(8, ''), part(0, 'etc'), part(0, 'x')))).toBe('/etc/x')
    expect(target(field(1, part(4, ''), part(1, 'long')), field(0, part(0, 'name'), part(0, 'b')))).toBe(
      '../longname/b',
    )
    expect(target(field(1, part(0, 'a')), field(0, part(2, ''), part(0, 'b')))).toBe('a/./b')
  })

  test('a version is cut off, a semicolon in a name is not', () => {
    expect(nameOf(Buffer.from('A.TXT;1'), 'plain').toString()).toBe('A.TXT')
    expect(nameOf(Buffer.from('A.;1'), 'plain').toString()).toBe('A')
    expect(nameOf(Buffer.from('A;B'), 'plain').toString()).toBe('A;B')
  })
})

describe('what is broken', () => {
  test('a zeroed directory is told, and Joliet names its files all the same', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-R', '-J', '-joliet-long'])
    const volume = await volumeOf(image)
    const whole = await listAll(iso9660, image, volume)
    put(image, Buffer.alloc(2048), startOf(whole, 'sub'))
    const { entries, errors } = await listAll(iso9660, image, volume)
    expect(errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.from('sub') }])
    expect(pathsOf(entries).filter((path) => path.startsWith('sub/f'))).toHaveLength(100)
    // libarchive says nothing at all.
    const theirs = await listAll(bsdtar, image, volume)
    expect(theirs.errors).toEqual([])
    expect(theirs.entries.length).toBeLessThan(whole.entries.length)
  })

  test('a hole in a directory is told', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-R'])
    const volume = await volumeOf(image)
    const whole = await listAll(iso9660, image, volume)
    put(image, Buffer.alloc(2048), startOf(whole, 'sub') + 2048)
    const { errors } = await listAll(iso9660, image, volume)
    expect(errors).toMatchObject([{ message: 'a part of it is empty: names below it are missing' }])
  })

  test('a directory that leads back to the root ends with an error', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-R'])
    const volume = await volumeOf(image)
    const whole = await listAll(iso9660, image, volume)
    const bytes = readFileSync(image)
    const root = startOf(whole, '')
    const block = Buffer.alloc(4)
    block.writeUInt32LE(startOf(whole, 'sub') / 2048)
    const at = bytes.indexOf(block, root + 136)
    const rootBlock = Buffer.alloc(4)
    rootBlock.writeUInt32LE(root / 2048)
    put(image, rootBlock, at)
    const { errors } = await listAll(iso9660, image, volume)
    expect(errors).toMatchObject([{ path: Buffer.from('sub') }])
  })

  test('a root that cannot be read fails the listing', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-R'])
    const volume = await volumeOf(image)
    put(image, Buffer.alloc(2048), startOf(await listAll(iso9660, image, volume), ''))
    await expect(listAll(iso9660, image, volume)).rejects.toThrow('the root directory cannot be read')
  })

  test('a disc that was cut is listed, and what lies behind the cut is told or cannot be read', async () => {
    const { image } = disc(['genisoimage', '-quiet', '-R'])
    const volume = await volumeOf(image)
    const whole = await listAll(iso9660, image, volume)
    truncateSync(image, Math.floor(statSync(image).size / 2))
    const cut = await listAll(iso9660, image, volume)
    expect(pathsOf(cut.entries)).toEqual(pathsOf(whole.entries))
    await expect(contentsOf(iso9660, image, volume, cut.entries)).rejects.toThrow('past the end')
  })

  test('what is no disc is refused', async () => {
    const image = join(scratch(), 'zeros')
    writeFileSync(image, Buffer.alloc(1 << 20))
    const { image: good } = disc(['genisoimage', '-quiet', '-R'])
    await expect(listAll(iso9660, image, await volumeOf(good))).rejects.toThrow('no volume descriptor')
  })
})
