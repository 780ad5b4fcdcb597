// Media that break programs: every partition that a disk can have, an image of ten thousand errors, a loop, four kinds of nothing.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { iso9660 } from '../../src/readers/iso9660/index.ts'
import { make, put } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { listAll, volumeOf } from '../support/reading.ts'
import { readAll } from '../support/witness.ts'

const sized = (path: string, mebibytes: number): string => {
  writeFileSync(path, '')
  truncateSync(path, mebibytes << 20)
  return path
}
const told = async (image: string): Promise<readonly string[]> =>
  (await readAll(image)).map(
    ({ report: { fs, type, outcome, reason } }) =>
      `${fs} ${type ?? '-'} ${outcome}${reason === '' ? '' : `: ${reason}`}`,
  )

/** A superblock of Linux software RAID, version 1.2, as it stands 4096 bytes behind the beginning of a member. */
function raidMember(): Buffer {
  const block = Buffer.alloc(256)
  block.writeUInt32LE(0xa92b4efc, 0)
  block.writeUInt32LE(1, 4)
  block.write('0123456789abcdef', 16)
  block.write('host:0', 32)
  block.writeUInt32LE(1, 72)
  block.writeBigUInt64LE(8n, 144)
  let sum = 0
  for (let at = 0; at < block.length; at += 4) sum += block.readUInt32LE(at)
  block.writeUInt32LE(((sum & 0xffffffff) + Math.floor(sum / 2 ** 32)) >>> 0, 216)
  return block
}

test('every partition of a full disk has an outcome and its reason', async () => {
  const folder = scratch()
  const disk = sized(join(folder, 'disk'), 80)
  const mebibyte = 2048
  const part = (start: number, size: number, type: string): string =>
    `start=${start * mebibyte},size=${size * mebibyte},type=${type}`
  const script = [
    'label: dos',
    part(1, 8, '83'),
    part(9, 70, '5'),
    part(10, 8, 'c'),
    part(20, 8, '82'),
    part(30, 8, 'fd'),
    part(40, 8, '83'),
    part(50, 8, '99'),
    part(60, 8, '83'),
  ].join('\n')
  execFileSync('sfdisk', ['-q', disk], { input: script, stdio: ['pipe', 'ignore', 'ignore'] })
  const into = (maker: string, at: number, ...options: readonly string[]): void => {
    make(maker, ...options, sized(join(folder, 'part'), 8))
    put(disk, readFileSync(join(folder, 'part')), at << 20)
  }
  mkdirSync(join(folder, 'tree'))
  writeFileSync(join(folder, 'tree/file'), 'x')
  into('mkfs.ext2', 1, '-q', '-d', join(folder, 'tree'))
  into('mkfs.vfat', 10)
  into('mkswap', 20, '-q')
  put(disk, raidMember(), (30 << 20) + 4096)
  into('mkfs.ext2', 40, '-q')
  // The root's inode, the second of the table, is gone.
  const table = Number(/Inode table at (\d+)/.exec(make('dumpe2fs', join(folder, 'part')))?.[1])
  put(disk, Buffer.alloc(256), (40 << 20) + table * 1024 + 256)
  put(disk, Buffer.from('something that nobody knows'), (50 << 20) + 5000)
  const lines = await told(disk)
  expect(lines).toEqual([
    '1 ext2 read',
    '2 - waived: an extended partition: it only holds others',
    '5 vfat empty: a vfat without a file in it',
    '6 swap waived: swap space',
    '7 linux_raid_member unreadable: linux_raid_member: a part of something larger, which ntt does not assemble',
    expect.stringMatching(/^8 ext2 (unreadable|partial): /),
    '9 - unreadable: nothing that is known to blkid (partition type 0x99), and it is not blank',
    '10 - empty: blank: each of its 8388608 bytes is 0x00',
  ])
})

/** A disc of so many small files, and the records of one of its directories. */
async function disc(files: number) {
  const folder = scratch()
  const tree = join(folder, 'tree')
  mkdirSync(join(tree, 'many'), { recursive: true })
  for (let index = 0; index < files; index += 1) writeFileSync(join(tree, 'many', `f${index}`), `${index}`)
  const image = join(folder, 'image')
  make('genisoimage', '-quiet', '-R', '-o', image, tree)
  const { entries } = await listAll(iso9660, image, await volumeOf(image))
  const place = entries.find(({ path }) => path.toString() === 'many')?.extents?.[0] ?? { start: 0, end: 0 }
  return { image, place, bytes: readFileSync(image) }
}

test('an image of more than 10,000 errors is given up after as many, and that is told', async () => {
  const { image, place, bytes } = await disc(10_500)
  for (let at = place.start; at < place.end;) {
    const length = bytes[at] ?? 0
    // Each file says that it is interleaved with others.
    if (length > 0) bytes[at + 26] = 1
    at = length > 0 ? at + length : (Math.floor(at / 2048) + 1) * 2048
  }
  writeFileSync(image, bytes)
  const [seen] = await readAll(image)
  expect(seen?.report).toMatchObject({ outcome: 'partial', reason: 'given up after 10000 errors' })
  expect(seen?.errors).toBeLessThan(10_000 + 600)
  expect(seen?.holding.size).toBeGreaterThan(9_000)
})

test('directories that run in a circle end, with what they hold once', async () => {
  const { image, place, bytes } = await disc(50)
  // The first file becomes a directory: the one that it stands in.
  let at = place.start
  for (let skipped = 0; skipped < 2; skipped += 1) at += bytes[at] ?? 0
  bytes.writeUInt32LE(place.start / 2048, at + 2)
  bytes.writeUInt32LE(place.end - place.start, at + 10)
  bytes[at + 25] = 2
  writeFileSync(image, bytes)
  const [seen] = await readAll(image)
  expect(seen?.report.outcome).toBe('partial')
  expect(seen?.report.reason).toContain('directories run in a circle')
  expect([...(seen?.holding.values() ?? [])].filter((what) => what.startsWith('f'))).toHaveLength(49)
})

test('formatted and empty, wiped, with a root that is gone, and of no bytes: four outcomes', async () => {
  const folder = scratch()
  const empty = sized(join(folder, 'empty'), 4)
  make('mkfs.vfat', '-F12', empty)
  expect(await told(empty)).toEqual(['0 vfat empty: a vfat without a file in it'])
  const wiped = join(folder, 'wiped')
  writeFileSync(wiped, Buffer.alloc(1_474_560, 0xf6))
  expect(await told(wiped)).toEqual([
    expect.stringMatching(/^0 - unreadable: blank: each of its 1474560 bytes is 0xF6/),
  ])
  const { image, bytes } = await disc(3)
  const root = bytes.readUInt32LE(16 * 2048 + 158) * 2048
  put(image, Buffer.alloc(2048), root)
  expect(await told(image)).toEqual([
    expect.stringMatching(
      /^0 iso9660 unreadable: no reader left: iso9660 2: the root directory cannot be read; bsdtar /,
    ),
  ])
  const none = sized(join(folder, 'none'), 0)
  await expect(readAll(none)).rejects.toThrow('the image has 0 bytes')
})
