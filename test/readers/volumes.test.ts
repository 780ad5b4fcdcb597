// Volumes: what blkid and partx really print, and every kind of medium made with standard tools.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parseBlkid, parsePartx, unescapeHex } from '../../src/readers/volumes/probe.ts'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import { fillOf } from '../../src/readers/volumes/judging.ts'
import { looking, make, sized } from '../support/looking.ts'
import { scratch } from '../support/project.ts'

const put = (into: string, from: string, at: number): void => {
  const file = openSync(into, 'r+')
  writeSync(file, readFileSync(from), 0, null, at)
  closeSync(file)
}
const table = (image: string, script: string): void =>
  void execFileSync('sfdisk', ['-q', image], { input: script, stdio: ['pipe', 'ignore', 'ignore'] })

const found = async (image: string): Promise<readonly string[]> => {
  const { size } = (await import('node:fs')).statSync(image)
  const volumes = await findVolumes(image, size, looking())
  return volumes.map(
    ({ fs, scheme, type, verdict }) =>
      `${fs} ${scheme} ${type ?? '-'}: ${verdict === null ? 'to be read' : `${verdict.outcome}, ${verdict.reason}`}`,
  )
}

describe('what the programs print', () => {
  test('a label keeps its bytes, Latin-1 and backslash and spaces included', () => {
    const text = Buffer.from(
      'ID_FS_LABEL=l\\___a\nID_FS_LABEL_ENC=l\\x5c\\x20\\xe9\\x20a\nID_FS_TYPE=ext2\nID_FS_USAGE=filesystem\n',
    )
    const probe = parseBlkid(text)
    expect(probe.label).toEqual(Buffer.from('l\\ \xe9 a', 'latin1'))
    expect(probe).toMatchObject({ type: 'ext2', usage: 'filesystem', candidates: [], table: null })
  })

  test('two filesystems in one place are both told', () => {
    const probe = parseBlkid(
      Buffer.from('ID_FS_AMBIVALENT=filesystem:vfat:FAT12 filesystem:iso9660:Joliet\\x20Extension\n'),
    )
    expect(probe.candidates).toEqual(['vfat', 'iso9660'])
  })

  test('nothing found is null, not an empty word', () => {
    expect(parseBlkid(Buffer.alloc(0))).toMatchObject({ type: null, table: null, usage: '' })
  })

  test('a partition table line becomes bytes', () => {
    expect(
      parsePartx(Buffer.from('NR="5" START="36864" SECTORS="16384" TYPE="0x83" SCHEME="dos"\n')),
    ).toEqual([{ number: 5, start: 18_874_368, bytes: 8_388_608, type: '0x83', scheme: 'dos' }])
  })

  test('a line without its numbers is not taken for partition 0', () => {
    expect(() => parsePartx(Buffer.from('NR="" START="1"\n'))).toThrow('partx said what it never says')
  })

  test('only whole escapes are escapes', () => {
    expect(unescapeHex('a\\x0Ab\\xg0\\x5C')).toEqual(Buffer.from('a\nb\\xg0\\'))
  })
})

describe('a medium made with standard tools', () => {
  test('a floppy is one whole filesystem', async () => {
    const image = sized(join(scratch(), 'a.img'), 1_474_560)
    make('mkfs.vfat', '-F12', image)
    expect(await found(image)).toEqual(['0 whole vfat: to be read'])
  })

  test('an MBR with logical partitions: each one ends somewhere, the container and swap with a reason', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'disk.img'), 64 << 20)
    table(
      image,
      [
        'label: dos',
        'start=2048,size=16384,type=83',
        'start=18432,size=16384,type=82',
        'start=34816,size=90000,type=5',
        'start=36864,size=16384,type=83',
        'start=57344,size=16384,type=83',
      ].join('\n'),
    )
    const ext = sized(join(folder, 'ext'), 8 << 20)
    make('mkfs.ext2', '-q', ext)
    put(image, ext, 2048 * 512)
    const swap = sized(join(folder, 'swap'), 8 << 20)
    make('mkswap', swap)
    put(image, swap, 18432 * 512)
    writeFileSync(ext, 'not a filesystem')
    put(image, ext, 36864 * 512)
    expect(await found(image)).toEqual([
      '1 dos ext2: to be read',
      '2 dos swap: waived, swap space',
      '3 dos -: waived, an extended partition: it only holds others',
      '5 dos -: unreadable, nothing that is known to blkid (partition type 0x83), and it is not blank',
      '6 dos -: empty, blank: each of its 8388608 bytes is 0x00',
    ])
  })

  test('a GPT is read from its backup when the primary is destroyed', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'disk.img'), 32 << 20)
    table(image, 'label: gpt\nstart=2048,size=16384\n')
    const fat = sized(join(folder, 'fat'), 8 << 20)
    make('mkfs.vfat', fat)
    put(image, fat, 2048 * 512)
    writeFileSync(fat, Buffer.alloc(512))
    put(image, fat, 512)
    expect(await found(image)).toEqual(['1 gpt vfat: to be read'])
  })

  test('a GPT of a disk with sectors of 4096 bytes is found', async () => {
    const image = sized(join(scratch(), 'disk.img'), 32 << 20)
    // The same table as in sectors of 512, every number of it in larger units.
    const head = Buffer.alloc(92)
    head.write('EFI PART', 0, 'latin1')
    head.writeUInt32LE(0x10000, 8)
    head.writeUInt32LE(92, 12)
    for (const [at, value] of [
      [24, 1],
      [32, 8191],
      [40, 6],
      [48, 8185],
      [72, 2],
    ] as const)
      head.writeBigUInt64LE(BigInt(value), at)
    head.writeUInt32LE(128, 80)
    head.writeUInt32LE(128, 84)
    const entries = Buffer.alloc(16_384)
    Buffer.from('af3dc60f838472478e793d69d8477de4', 'hex').copy(entries, 0)
    entries.write('unique', 16)
    entries.writeBigUInt64LE(256n, 32)
    entries.writeBigUInt64LE(2303n, 40)
    head.writeUInt32LE(crc32(entries), 88)
    head.writeUInt32LE(crc32(head), 16)
    const protective = Buffer.alloc(512)
    protective.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0x1f, 0, 0], 446)
    protective.writeUInt16LE(0xaa55, 510)
    const file = openSync(image, 'r+')
    writeSync(file, protective, 0, 512, 0)
    writeSync(file, head, 0, 92, 4096)
    writeSync(file, entries, 0, entries.length, 8192)
    closeSync(file)
    expect(await found(image)).toEqual(['1 gpt -: empty, blank: each of its 8388608 bytes is 0x00'])
  })

  test('a partx that tells of half the table is not believed', async () => {
    const folder = scratch()
    for (const [label, image] of [
      ['dos', sized(join(folder, 'dos.img'), 64 << 20)],
      ['gpt', sized(join(folder, 'gpt.img'), 64 << 20)],
    ] as const) {
      const parts = ['start=2048,size=16384', 'start=18432,size=16384']
      table(
        image,
        [
          `label: ${label}`,
          ...parts,
          ...(label === 'dos' ? ['start=36864,size=65536,type=5', 'start=38912,size=2048'] : []),
        ].join('\n'),
      )
      const real = execFileSync('which', ['partx'], { encoding: 'utf8' }).trim()
      expect(await found(image)).toHaveLength(label === 'dos' ? 4 : 2)
      for (const lie of ['head -n 1', "sed '$d'"]) {
        writeFileSync(join(folder, 'partx'), `#!/bin/sh\n${real} "$@" | ${lie}\n`, { mode: 0o755 })
        const world = looking(`${folder}:${process.env['PATH'] ?? ''}`)
        await expect(findVolumes(image, 64 << 20, world)).rejects.toThrow(
          'partx does not tell of the partition',
        )
      }
    }
  })

  test('a disc for Macintosh as well has two sides', async () => {
    const folder = scratch()
    writeFileSync(join(folder, 'a.txt'), 'hello')
    const image = join(folder, 'a.iso')
    make('genisoimage', '-quiet', '-hfs', '-R', '-o', image, join(folder, 'a.txt'))
    expect(await found(image)).toEqual(['0 whole iso9660: to be read', '1000 hybrid hfs: to be read'])
    // The same with a map of its own, which partx does not see beside an empty table of DOS.
    make('genisoimage', '-quiet', '-hfs', '-part', '-R', '-o', image, join(folder, 'a.txt'))
    expect(await found(image)).toEqual([
      '0 whole iso9660: to be read',
      '1 mac -: waived, the partition map itself',
      '2 mac hfs: to be read',
    ])
  })

  test('a partition that begins past the end of the image is told by geometry, one that ends there is still read', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'disk.img'), 64 << 20)
    table(image, 'label: dos\nstart=2048,size=65536,type=83\nstart=100000,size=20000,type=83\n')
    const ext = sized(join(folder, 'ext'), 32 << 20)
    make('mkfs.ext2', '-q', ext)
    put(image, ext, 2048 * 512)
    truncateSync(image, 20 << 20)
    const volumes = await findVolumes(image, 20 << 20, looking())
    expect(volumes.map(({ fs, type, verdict }) => [fs, type, verdict?.outcome])).toEqual([
      [1, 'ext2', undefined],
      [2, null, 'unreadable'],
    ])
    expect(volumes[0]?.bytes).toBe(65536 * 512)
    expect(volumes[1]?.verdict?.reason).toContain('past the end of the image (20971520 bytes)')
  })

  test('a chain of tables that goes on past the end of the image ends there, and partitions may be missing', async () => {
    const image = sized(join(scratch(), 'disk.img'), 64 << 20)
    table(image, 'label: dos\nstart=2048,size=120000,type=5\nstart=4096,size=8192\nstart=90000,size=8192\n')
    truncateSync(image, 20 << 20)
    const volumes = await findVolumes(image, 20 << 20, looking())
    expect(volumes.map(({ fs, verdict }) => [fs, verdict?.outcome])).toEqual([
      [1, 'partial'],
      [5, 'empty'],
    ])
    expect(volumes[0]?.verdict?.reason).toContain('are past the end of the image: partitions may be missing')
  })

  test('members of arrays and volume groups are not called read', async () => {
    const image = sized(join(scratch(), 'pv'), 4 << 20)
    // An LVM2 label in sector 1, as pvcreate writes it, with its checksum.
    const label = Buffer.alloc(512)
    label.write('LABELONE', 0, 'latin1')
    label.writeBigUInt64LE(1n, 8)
    label.writeUInt32LE(32, 20)
    label.write('LVM2 001', 24, 'latin1')
    label.write('0123456789abcdefghijklmnopqrstuv', 32, 'latin1')
    label.writeUInt32LE(lvmChecksum(label.subarray(20)), 16)
    const file = openSync(image, 'r+')
    writeSync(file, label, 0, 512, 512)
    closeSync(file)
    const [line] = await found(image)
    expect(line).toMatch(/^0 whole LVM2_member: unreadable, .*does not assemble/)
  })

  test('a Zip disk whose table is gone is found at byte 16384', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'zip.img'), 12 << 20)
    const fat = sized(join(folder, 'fat'), 8 << 20)
    make('mkfs.vfat', fat)
    put(image, fat, 16_384)
    writeFileSync(fat, 'garbage in the first sector')
    put(image, fat, 0)
    const volumes = await findVolumes(image, 12 << 20, looking())
    expect(volumes).toMatchObject([{ fs: 0, scheme: 'offset', start: 16_384, type: 'vfat', verdict: null }])
  })

  test('the bogus partition of a hybrid disc is waived, a true filesystem beside the disc is read', async () => {
    const folder = scratch()
    writeFileSync(join(folder, 'a.txt'), 'hello')
    const iso = join(folder, 'a.iso')
    make('genisoimage', '-quiet', '-R', '-o', iso, join(folder, 'a.txt'))
    const fat = sized(join(folder, 'fat'), 1 << 20)
    make('mkfs.vfat', fat)
    const end = readFileSync(iso).length
    truncateSync(iso, end + (1 << 20))
    put(iso, fat, end)
    table(iso, `label: dos\nstart=1,size=60,type=cd\nstart=${end / 512},size=2048,type=ef\n`)
    expect(await found(iso)).toEqual([
      '0 whole iso9660: to be read',
      '1 dos -: waived, no filesystem in it; the medium is a hybrid, and is read as iso9660',
      '2 dos vfat: to be read',
    ])
  })

  test('where two filesystems claim one place both are kept as candidates', async () => {
    const folder = scratch()
    const image = sized(join(folder, 'both.img'), 8 << 20)
    make('mkfs.vfat', image)
    const iso = join(folder, 'a.iso')
    writeFileSync(join(folder, 'a.txt'), 'hello')
    make('genisoimage', '-quiet', '-V', 'TWO_FACES', '-o', iso, join(folder, 'a.txt'))
    const file = openSync(image, 'r+')
    writeSync(file, readFileSync(iso), 32_768, 20_480, 32_768)
    closeSync(file)
    expect(await findVolumes(image, 8 << 20, looking())).toMatchObject([
      { type: 'vfat', alsoTypes: ['iso9660'], verdict: null },
    ])
  })
})

describe('nothing to be recognised', () => {
  test.each([0x00, 0x55, 0xf6, 0xff])('a medium filled with %i is blank, with its count', async (fill) => {
    const image = join(scratch(), 'blank.img')
    writeFileSync(image, Buffer.alloc(1_474_560, fill))
    const hex = fill.toString(16).toUpperCase().padStart(2, '0')
    expect(await found(image)).toEqual([
      `0 whole -: unreadable, blank: each of its 1474560 bytes is 0x${hex}; wiped, or never read (if it is known to hold nothing: partitions: {0: skip})`,
    ])
  })

  test('one other byte at the very end, and it is not blank', async () => {
    const image = join(scratch(), 'almost.img')
    writeFileSync(image, Buffer.concat([Buffer.alloc(1_000_000, 0xf6), Buffer.from('x')]))
    expect(await found(image)).toEqual([
      '0 whole -: unreadable, nothing that is known to blkid, and it is not blank',
    ])
  })

  test('an image of no bytes is neither blank nor empty', async () => {
    const image = sized(join(scratch(), 'none.img'), 0)
    await expect(findVolumes(image, 0, looking())).rejects.toThrow('the image has 0 bytes')
  })

  test('a table without partitions is not an empty disc', async () => {
    const image = sized(join(scratch(), 'table.img'), 4 << 20)
    table(image, 'label: dos\n')
    expect(await found(image)).toEqual([
      '0 whole -: unreadable, a partition table (dos) without partitions, and it is not blank',
    ])
  })

  test('an image that cannot be opened is unknown', async () => {
    await expect(findVolumes('/nowhere/at/all.img', 512, looking())).rejects.toThrow()
  })

  test('the fill is that of all chunks, not of each', async () => {
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(10, 0)
      yield Buffer.alloc(10, 1)
    }
    expect(await fillOf(chunks())).toBeNull()
  })
})

/** CRC-32 as LVM2 counts it: reflected polynomial, its own seed, no final inversion. */
function lvmChecksum(bytes: Buffer): number {
  let crc = 0xf597a6cf
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return crc >>> 0
}
