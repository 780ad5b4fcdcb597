// fiwalk: its report parsed, and volumes of FAT made with standard tools, compared with the tree they hold.
import { closeSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseDfxml, textBytes, type DfxmlFound } from '../../src/readers/fiwalk/dfxml.ts'
import { extentsOf, fiwalk, timeOf } from '../../src/readers/fiwalk/index.ts'
import { looking, make, sized } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf } from '../support/reading.ts'
import { plainTree } from '../support/trees.ts'

const parsed = async (...chunks: readonly string[]): Promise<readonly DfxmlFound[]> => {
  async function* bytes(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1')
  }
  const found: DfxmlFound[] = []
  for await (const batch of parseDfxml(bytes())) found.push(...batch)
  return found
}

describe('the report', () => {
  const object = (fields: string): string =>
    `<fileobject>\n<parent_object>\n<inode>2</inode>\n</parent_object>\n${fields}\n</fileobject>\n`
  const plain =
    '<filename>a\\x0A&amp;</filename>\n<name_type>r</name_type>\n<filesize>6</filesize>\n<alloc>1</alloc>\n<inode>12</inode>\n' +
    '<mode>420</mode>\n<nlink>2</nlink>\n<uid>0</uid>\n<gid>0</gid>\n<mtime prec="2">2026-11-23T21:06:58</mtime>\n' +
    "<byte_runs>\n <byte_run file_offset='0' fs_offset='9' img_offset='1656832' len='6'/>\n</byte_runs>"

  test('a file object keeps its own inode, its bytes and its runs, wherever the chunks are cut', async () => {
    const report = `<volume offset='512'>\n<ftype_str>ext4</ftype_str>\n${object(plain)}</volume>\n</dfxml>\n`
    const whole = await parsed(report)
    expect(await parsed(...report.split(/(?=.)/s))).toEqual(whole)
    expect(whole[1]).toMatchObject({
      volume: 512,
      type: 'ext4',
      file: { name: Buffer.from('a\n&'), ino: 12n, size: 6, nlink: 2, mode: 0o644 },
    })
    expect(whole[1]?.file?.runs).toEqual([{ file: 0, image: 1_656_832, bytes: 6, type: '' }])
    expect(whole[1]?.file?.mtime).toBe('2026-11-23T21:06:58')
  })

  test('a report that stops before its end is refused, even between two files', async () => {
    await expect(parsed(`<volume offset='0'>\n${object(plain)}`)).rejects.toThrow('stops before its end')
  })

  test('a file without a size is refused, not taken for an empty one', async () => {
    const without = plain.replace('<filesize>6</filesize>\n', '')
    await expect(parsed(`<volume offset='0'>\n${object(without)}</dfxml>\n`)).rejects.toThrow('no filesize')
  })

  test('a deleted file is no entry', async () => {
    const deleted = plain.replace('<alloc>1</alloc>', '<unalloc>1</unalloc>')
    expect(await parsed(`<volume offset='0'>\n${object(deleted)}</dfxml>\n`)).toEqual([])
  })

  test('an escaped backslash is one backslash, and what follows it is no escape', () => {
    expect(textBytes('\\x5Cx41&amp;lt;')).toEqual(Buffer.from('\\x41&lt;'))
  })

  test('times without a zone are kept as the wall showed them', () => {
    expect(timeOf('1999-12-31T23:59:58')).toBe(946_684_798_000_000_000n)
    expect(timeOf('')).toBeNull()
    expect(() => timeOf('yesterday')).toThrow('a time that is none')
  })

  test('holes are made where the format has them, and never where it has none', () => {
    const run = (file: number, image: number | null, bytes: number, type = '') => ({
      file,
      image,
      bytes,
      type,
    })
    expect(extentsOf([run(10, 500, 10)], 25, true)).toEqual([
      { start: -1, end: 10 },
      { start: 500, end: 510 },
      { start: -1, end: 5 },
    ])
    expect(extentsOf([run(0, 500, 10)], 25, false)).toEqual([{ start: 500, end: 510 }])
    expect(extentsOf([run(0, 500, 10), run(10, 510, 512)], 25, false)).toEqual([{ start: 500, end: 525 }])
    expect(extentsOf([run(0, 500, 10, 'resident')], 10, true)).toBeNull()
    expect(extentsOf([], 0, true)).toEqual([])
  })
})

describe.each([
  [12, 1_474_560],
  [16, 16 << 20],
  [32, 40 << 20],
])('FAT%i', (bits, bytes) => {
  test('every name, time and byte comes back; the label and the tables are no files', async () => {
    const folder = scratch()
    const tree = plainTree(join(folder, 'tree'))
    const image = sized(join(folder, 'image'), bytes)
    make('mkfs.vfat', `-F${bits}`, '-n', 'A LABEL', image)
    make('mcopy', '-s', '-m', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
    make('mattrib', '+r', '+h', '+s', '-i', image, '::/a.txt')
    const volume = await volumeOf(image)
    const { entries, errors } = await listAll(fiwalk, image, volume)
    const { expected, actual } = sideBySide(tree, entries, { modes: false, links: false, times: 's' })
    const files = (lines: Record<string, string>) =>
      Object.entries(lines).map(([path, line]) => (line.startsWith('d') ? `${path} d` : `${path} ${line}`))
    expect(errors).toEqual([])
    expect(files(actual)).toEqual(files(expected))
    expect(await contentsOf(fiwalk, image, volume, entries)).toEqual(contentsOfTree(tree))
  })
})

describe('what is broken', () => {
  test('a FAT directory whose cluster was zeroed is an error record, not an empty directory', async () => {
    const folder = scratch()
    const tree = plainTree(join(folder, 'tree'))
    const image = sized(join(folder, 'image'), 16 << 20)
    make('mkfs.vfat', '-F16', image)
    make('mcopy', '-s', '-m', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
    const volume = await volumeOf(image)
    const before = await listAll(fiwalk, image, volume)
    const sub = before.entries.find(({ path }) => path.equals(Buffer.from('sub')))
    const [range] = sub?.extents ?? []
    expect(range).toBeDefined()
    const file = openSync(image, 'r+')
    writeSync(file, Buffer.alloc(2048), 0, 2048, range?.start ?? 0)
    closeSync(file)
    const after = await listAll(fiwalk, image, volume)
    expect(before.errors).toEqual([])
    expect(after.errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.from('sub') }])
  })

  test('a volume that fiwalk does not see fails the listing', async () => {
    const image = sized(join(scratch(), 'image'), 8 << 20)
    make('mkfs.vfat', image)
    const volume = await volumeOf(image)
    await expect(listAll(fiwalk, image, { ...volume, start: 512 })).rejects.toThrow(
      'no filesystem at byte 512',
    )
  })

  test('where it is not installed it has no version', async () => {
    expect(await fiwalk.version(looking('/nowhere'), await aVolume())).toBeNull()
    expect(await fiwalk.version(looking(), await aVolume())).toMatch(/^4\.\d+/)
  })
})

async function aVolume() {
  const image = sized(join(scratch(), 'image'), 8 << 20)
  make('mkfs.vfat', image)
  expect(statSync(image).size).toBe(8 << 20)
  return volumeOf(image)
}
