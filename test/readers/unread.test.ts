// Damage as a reader sees it: single sectors that were never read, in lists of names, tables, inodes, contents and free space.
import { writeFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UnreadError, rangesText, withReadErrors } from '../../src/model/unread.ts'
import { ext } from '../../src/readers/ext/index.ts'
import { fat } from '../../src/readers/fat/index.ts'
import { iso9660 } from '../../src/readers/iso9660/index.ts'
import { Pages } from '../../src/readers/pages.ts'
import type { FsReader } from '../../src/readers/reader.ts'
import { loseSectors } from '../support/damage.ts'
import { looking, make, sized } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { volumeOf } from '../support/reading.ts'
import { plainTree } from '../support/trees.ts'

function fatImage(...options: readonly string[]): string {
  const folder = scratch()
  const tree = plainTree(join(folder, 'tree'))
  const image = sized(join(folder, 'image'), options.includes('-F32') ? 40 << 20 : 1_474_560)
  make('mkfs.vfat', ...options, image)
  make('mcopy', '-s', '-m', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
  return image
}
function extImage(...options: readonly string[]): string {
  const folder = scratch()
  const image = sized(join(folder, 'image'), 4 << 20)
  make('mke2fs', '-q', '-F', ...options, '-d', plainTree(join(folder, 'tree')), image)
  return image
}
function isoImage(...options: readonly string[]): string {
  const folder = scratch()
  const image = join(folder, 'image')
  make('genisoimage', '-quiet', ...options, '-o', image, plainTree(join(folder, 'tree')))
  return image
}

const cases: readonly (readonly [string, FsReader, () => string, number])[] = [
  ['FAT12', fat, () => fatImage('-F12'), 512],
  ['FAT32', fat, () => fatImage('-F32', '-s1'), 512],
  ['FAT12 with one table', fat, () => fatImage('-F12', '-f1'), 512],
  ['FAT32 with one table', fat, () => fatImage('-F32', '-s1', '-f1'), 512],
  ['ext2', ext, () => extImage('-t', 'ext2', '-b', '1024'), 512],
  ['ext4', ext, () => extImage('-t', 'ext4', '-b', '1024', '-O', 'inline_data,^resize_inode'), 512],
  ['RockRidge', iso9660, () => isoImage('-R'), 2048],
  ['Joliet and RockRidge', iso9660, () => isoImage('-R', '-J'), 2048],
  ['plain ISO 9660', iso9660, () => isoImage('-iso-level', '3'), 2048],
]

/** Of these only directories are needed to know all names and places. */
const only = ['FAT12', 'FAT32', 'plain ISO 9660']

describe.each(cases)('of %s', (what, reader, makeImage, sectorBytes) => {
  test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
    const image = makeImage()
    const campaign = await loseSectors(reader, image, await volumeOf(image), { sectorBytes, most: 130 })
    const { faults, hits, named, refused } = campaign
    expect(faults).toEqual([])
    // Nothing can be said of a volume whose head is gone. What holds names hits something, each sector of it.
    expect(refused.length).toBeLessThan(5)
    expect(named.filter((sector) => !hits.includes(sector) && !refused.includes(sector))).toEqual([])
    // Where nothing but lists of names counts (of tables there is a copy), nothing else hits anything.
    if (only.includes(what)) expect(hits.filter((sector) => !named.includes(sector))).toEqual([])
    else expect(hits.length).toBeGreaterThan(named.length)
    expect(campaign.lost).toBeGreaterThan(hits.length + refused.length)
  })
})

describe('bytes that were never read', () => {
  const read = async (bytes: AsyncIterable<Buffer>): Promise<string> => {
    let text = ''
    try {
      for await (const chunk of bytes) text += chunk.toString()
      return text
    } catch (error) {
      if (!(error instanceof UnreadError)) throw error
      return `${text}!${error.range.start}-${error.range.end}`
    }
  }
  const file = (): string => {
    const path = join(scratch(), 'file')
    writeFileSync(path, '0123456789')
    return path
  }

  test('are errors for whoever reads there, and for nobody else', async () => {
    const [path, other] = [file(), file()]
    const world = withReadErrors(looking(), path, [
      { start: 2, end: 4 },
      { start: 7, end: 8 },
    ])
    expect(await read(world.read(path))).toBe('01!2-4')
    expect(await read(world.read(path, { start: 4, end: 7 }))).toBe('456')
    expect(await read(world.read(path, { start: 3, end: 9 }))).toBe('!3-4')
    expect(await read(world.read(path, { start: 8, end: 99 }))).toBe('89')
    expect(await read(world.read(other))).toBe('0123456789')
  })

  test('are left out of pages, and told', async () => {
    const path = file()
    const unread = [
      { start: 2, end: 4 },
      { start: 7, end: 8 },
    ]
    const pages = new Pages(path, 1, withReadErrors(looking(), path, unread))
    expect((await pages.bytes(3, 3)).toString()).toBe('456')
    await expect(pages.bytes(0, 4)).rejects.toMatchObject({ tag: 'unread', range: { start: 2, end: 4 } })
    const { bytes, unread: told } = await pages.readable(
      [
        { start: 6, end: 10 },
        { start: 3, end: 5 },
      ],
      0x2d,
    )
    expect(bytes.toString()).toBe('6-89-4')
    expect(told).toEqual([
      { start: 7, end: 8 },
      { start: 3, end: 4 },
    ])
    await expect(pages.readable([{ start: 5, end: 11 }])).rejects.toThrow('past the end')
    expect(rangesText(told)).toBe('2 bytes at 7-8, 3-4')
  })
})
