// The size that a filesystem states: an image that is shorter was cut off, whatever is in it.
import { copyFileSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import { cutOff } from '../../src/readers/volumes/stated.ts'
import { emptyHfsPlus } from '../support/hfsplus.ts'
import { looking, make, sized } from '../support/looking.ts'
import { scratch } from '../support/project.ts'

const mebibyte = 1 << 20

const makers: Readonly<Record<string, (image: string) => void>> = {
  'FAT of a floppy': (image) => (truncateSync(image, 1_474_560), make('mkfs.vfat', image)),
  FAT32: (image) => make('mkfs.vfat', '-F', '32', image),
  exFAT: (image) => make('mkfs.exfat', image),
  NTFS: (image) => make('mkfs.ntfs', '-q', '-f', '-F', image),
  ext2: (image) => make('mke2fs', '-q', '-F', '-t', 'ext2', image),
  ext4: (image) => make('mke2fs', '-q', '-F', '-t', 'ext4', '-O', '64bit', image),
  XFS: (image) => make('mkfs.xfs', '-q', '-f', image),
  btrfs: (image) => make('mkfs.btrfs', '-q', '-f', image),
  HFS: (image) => (truncateSync(image, 8 * mebibyte), make('hformat', '-f', image)),
  'HFS Plus': (image) => void emptyHfsPlus(image, 8 * mebibyte),
  'UDF beside ISO 9660': (image) => {
    const tree = join(scratch(), 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'one.bin'), Buffer.alloc(mebibyte, 7))
    make('genisoimage', '-quiet', '-udf', '-o', image, tree)
  },
  'ISO 9660': (image) => {
    const tree = join(scratch(), 'tree')
    mkdirSync(tree)
    writeFileSync(join(tree, 'one.bin'), Buffer.alloc(mebibyte, 7))
    make('xorrisofs', '-quiet', '-o', image, tree)
  },
}

test('HFS Plus that is wrapped in HFS is as large as what it is wrapped in, whatever that is called', async () => {
  const image = sized(join(scratch(), 'wrapped.img'), mebibyte)
  const head = Buffer.alloc(512)
  head.write('BD', 'latin1')
  head.writeUInt16BE(2040, 18)
  head.writeUInt32BE(512, 20)
  head.writeUInt16BE(4, 28)
  // Its name stands where HFS Plus has its counts.
  head.write('\x0bA long name', 36, 'latin1')
  const bytes = readFileSync(image)
  head.copy(bytes, 1024)
  writeFileSync(image, bytes)
  const stated = (end: number) => cutOff(image, { start: 0, end }, 'hfsplus', looking())
  expect(await stated(mebibyte)).toBeNull()
  expect(await stated(mebibyte - 4096)).toContain('states a size of 1046528 bytes')
})

test.each(Object.entries(makers))('%s: whole there is no doubt; cut off there is', async (_name, maker) => {
  const image = sized(join(scratch(), 'whole.img'), 340 * mebibyte)
  maker(image)
  const { size } = statSync(image)
  const [whole] = await findVolumes(image, size, looking())
  expect(whole).toMatchObject({ verdict: null })
  expect(whole?.doubt).toBeUndefined()

  const short = join(scratch(), 'short.img')
  copyFileSync(image, short)
  truncateSync(short, size - 400 * 1024)
  const [cut] = await findVolumes(short, size - 400 * 1024, looking())
  expect(cut?.type).toBe(whole?.type)
  expect(cut?.doubt).toMatch(/^it states a size of \d+ bytes, and \d+ are there/)
})
