// The table of media: real images that nobody here made, and made ones of every filesystem; each read whole, and by an independent
// witness: drivers of Linux in an ordinary process, or the tree that it was made of.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { frames, sound } from '../support/cd.ts'
import { chance } from '../support/chance.ts'
import { emptyHfsPlus } from '../support/hfsplus.ts'
import { make, walkTree } from '../support/looking.ts'
import { emptyNtfs, throughNtfs3g } from '../support/ntfs.ts'
import { repository, scratch } from '../support/project.ts'
import { contentsOfTree } from '../support/reading.ts'
import { inUml } from '../support/uml.ts'
import {
  counted,
  difference,
  digestOf,
  lookByUml,
  readAll,
  type Holding,
  type VolumeSeen,
} from '../support/witness.ts'

const isRoot = process.getuid?.() === 0
const nothing = { missing: [], extra: [], wrong: [] }

/** One row of the table for each volume. */
const row = ({ report, holding, errors }: VolumeSeen): string => {
  const { fs, type, outcome, reader } = report
  const by = reader === '' ? '' : ` by ${reader.split(' ')[0]}: ${counted(holding)}`
  return `${fs} ${type ?? '-'} ${outcome}${by}${errors === 0 ? '' : `, ${errors} errors`}`
}

/** A driver of Linux that is asked about a volume. */
interface Witness {
  readonly fs: number
  readonly driver: string
  readonly options?: string
}

interface Subject {
  readonly name: string
  readonly image: string
  readonly witnesses: readonly Witness[]
}

interface Compared {
  readonly volumes: readonly VolumeSeen[]
  /** By the number of the volume, what its driver says. */
  readonly theirs: ReadonlyMap<number, Holding>
}

/** All of them: read by us one by one, and by drivers in one go. */
async function compareAll(
  folder: string,
  subjects: readonly Subject[],
): Promise<ReadonlyMap<string, Compared>> {
  const read = new Map<string, readonly VolumeSeen[]>()
  for (const { name, image } of subjects) read.set(name, await readAll(image))
  const looks = subjects.flatMap(({ name, image, witnesses }, index) =>
    witnesses.map(({ fs, driver, options = 'ro' }) => {
      const report = read.get(name)?.find((one) => one.report.fs === fs)?.report
      return {
        name: `${index}-${fs}`,
        image,
        driver,
        options,
        start: report?.start ?? 0,
        bytes: report?.bytes ?? 0,
      }
    }),
  )
  const told = lookByUml(folder, looks)
  return new Map(
    subjects.map(({ name, witnesses }, index) => {
      const theirs = witnesses.map(({ fs }): [number, Holding] => [
        fs,
        told.get(`${index}-${fs}`) ?? new Map(),
      ])
      return [name, { volumes: read.get(name) ?? [], theirs: new Map(theirs) }]
    }),
  )
}

/** Ours is the driver's, to the last path, size and byte. A driver that did not mount its volume has nothing, not even a root. */
function expectAgreement({ volumes, theirs }: Compared): void {
  for (const [fs, holding] of theirs) {
    const ours = volumes.find(({ report }) => report.fs === fs)?.holding ?? new Map<string, string>()
    expect(holding.get('')).toBe('d')
    expect(difference(holding, ours)).toEqual(nothing)
    expect(digestOf(ours)).toBe(digestOf(holding))
  }
}

test('the comparison sees what is missing, what is extra and what is wrong', () => {
  const one = new Map([
    ['a', 'f 1 x'],
    ['b', 'd'],
  ])
  const other = new Map([
    ['a', 'f 1 y'],
    ['c', 'd'],
  ])
  expect(difference(one, other)).toEqual({ missing: ['b'], extra: ['c'], wrong: ['a: f 1 x // f 1 y'] })
  expect(digestOf(one)).not.toBe(digestOf(other))
})

describe('real images', () => {
  const cache = execFileSync('sh', [join(repository, 'scripts/test-media.sh')], { encoding: 'utf8' }).trim()
  /** The four that hold the same files, and in ext an empty `lost+found` beside them. */
  const same = 'the samples of forensics'
  const digests = new Map<string, Set<string>>()
  const real: readonly (readonly [string, readonly string[], readonly Witness[], string?])[] = [
    [
      'grub-rescue-cdrom.iso',
      ['0 iso9660 read by iso9660: 290 files, 7 directories, 0 others', '1 - waived'],
      [{ fs: 0, driver: 'iso9660' }],
    ],
    [
      'grub-rescue-floppy.img',
      ['0 iso9660 read by iso9660: 289 files, 7 directories, 0 others', '1 - waived'],
      [{ fs: 0, driver: 'iso9660' }],
    ],
    [
      'grub-rescue-usb.img',
      ['0 iso9660 read by iso9660: 290 files, 7 directories, 0 others', '1 - waived'],
      [{ fs: 0, driver: 'iso9660' }],
    ],
    [
      'ipxe.iso',
      ['0 iso9660 read by iso9660: 6 files, 1 directories, 0 others', '1 iso9660 waived'],
      [{ fs: 0, driver: 'iso9660' }],
    ],
    [
      'memtest86+x64.iso',
      [
        '0 iso9660 read by iso9660: 3 files, 4 directories, 0 others',
        '1 iso9660 waived',
        '2 vfat read by fat: 1 files, 3 directories, 0 others',
      ],
      [
        { fs: 0, driver: 'iso9660' },
        { fs: 2, driver: 'vfat' },
      ],
    ],
    ['fs.ext2', ['1 ext2 read by ext: 18 files, 6 directories, 0 others'], [{ fs: 1, driver: 'ext2' }], same],
    [
      'fs.ext4',
      ['1 ext4 read by ext: 18 files, 6 directories, 0 others'],
      [{ fs: 1, driver: 'ext4', options: 'ro,noload' }],
      same,
    ],
    ['fs.vfat', ['1 vfat read by fat: 18 files, 5 directories, 0 others'], [{ fs: 1, driver: 'vfat' }], same],
    // No driver here knows these two; their files are those of the others.
    [
      'fs.exfat',
      [expect.stringMatching(/^1 exfat read by \w+: 18 files, 5 directories, 0 others$/) as string],
      [],
      same,
    ],
    ['fs.ntfs', ['1 ntfs read by ntfs: 18 files, 5 directories, 0 others'], [], same],
    [
      'fs.btrfs',
      ['1 btrfs read by btrfs: 18 files, 5 directories, 0 others'],
      [{ fs: 1, driver: 'btrfs' }],
      same,
    ],
    [
      'fs.multiple',
      [
        // Three partitions are shorter than what is in them, and no driver takes the first; the files lie in what is there.
        '1 btrfs partial by btrfs: 2 files, 1 directories, 0 others',
        '2 ext4 partial by ext: 2 files, 2 directories, 0 others',
        expect.stringMatching(/^3 exfat partial by \w+: 2 files, 1 directories, 0 others$/) as string,
        '4 ntfs read by ntfs: 2 files, 1 directories, 0 others',
      ],
      [],
    ],
  ]

  const isThere = ([name]: (typeof real)[number]): boolean => existsSync(join(cache, name))
  let compared: ReadonlyMap<string, Compared> = new Map()

  beforeAll(async () => {
    const missing = real.filter((one) => !isThere(one)).map(([name]) => name)
    if (missing.length > 0)
      process.stderr.write(`NOT COMPARED, as no package registry gave them: ${missing.join(', ')}\n`)
    const subjects = real
      .filter(isThere)
      .map(([name, , witnesses]) => ({ name, image: join(cache, name), witnesses }))
    compared = await compareAll(scratch(), subjects)
  }, 600_000)

  for (const [name, rows, , group] of real)
    test.runIf(existsSync(join(cache, name)))(name, () => {
      const own = compared.get(name)
      if (own === undefined) throw new Error(`${name} was not compared`)
      expectAgreement(own)
      expect(own.volumes.map(row)).toEqual(rows)
      if (group === undefined) return
      const [first] = own.volumes
      const holding = new Map([...(first?.holding ?? [])].filter(([path]) => path !== 'lost+found'))
      const known = digests.get(group) ?? new Set()
      digests.set(group, known.add(digestOf(holding)))
      expect([...known]).toHaveLength(1)
    })
})

/** Three hundred files of 0 to 60,000 bytes in thirty directories, always the same. */
function tableTree(folder: string): string {
  const random = chance(1)
  for (let index = 0; index < 300; index += 1) {
    const depth = index % 30
    const place = join(folder, `directory ${depth % 6}`, ...(depth < 6 ? [] : [`below-${depth}`]))
    mkdirSync(place, { recursive: true })
    const size = index % 12 === 0 ? 0 : random(60_000)
    writeFileSync(join(place, `file ${index}.bin`), Buffer.alloc(size, `${index}:${random(1_000_000)};`))
  }
  return folder
}

/** The same for what has names of eight and three. */
function shortTree(folder: string): string {
  for (let index = 0; index < 100; index += 1) {
    const place = join(folder, `DIR${index % 7}`)
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, `FILE${index}.BIN`), Buffer.alloc(index * 371, `${index},`))
  }
  return folder
}

const holdingOfTree = (tree: string): Holding => {
  const digests = contentsOfTree(tree)
  return new Map(
    walkTree(tree).map(({ path, type, size }) => {
      const name = path.toString('latin1')
      return [name, type === 'f' ? `f ${size} ${digests.get(name) ?? ''}` : type]
    }),
  )
}

describe('made images', () => {
  let folder = ''
  let tree = ''
  let short = ''
  const at = (name: string): string => join(folder, name)
  const sized = (name: string, mebibytes: number): string => {
    writeFileSync(at(name), '')
    truncateSync(at(name), mebibytes << 20)
    return at(name)
  }
  const fat = (bits: number, mebibytes: number): string => {
    const image = sized(`fat${bits}`, mebibytes)
    make('mkfs.vfat', `-F${bits}`, image)
    const from = bits === 12 ? short : tree
    make('mcopy', '-s', '-Q', '-i', image, ...readdirSync(from).map((name) => join(from, name)), '::/')
    return image
  }
  const extOf = (version: number): string => {
    const image = sized(`ext${version}`, 32)
    make(`mkfs.ext${version}`, '-q', '-F', '-d', tree, image)
    return image
  }
  const iso = (name: string, from: string, ...options: readonly string[]): string => {
    const [program, ...rest] = options
    make(program ?? '', ...rest, '-o', at(name), from)
    return at(name)
  }
  const genisoimage = ['genisoimage', '-quiet', '-input-charset', 'utf-8'] as const

  interface Made {
    readonly what: string
    readonly image: () => string | Promise<string>
    readonly rows: readonly string[]
    /** Of the volume that holds the tree. */
    readonly fs: number
    readonly from?: 'short'
    readonly witness?: Witness
    /** What the filesystem adds by itself. */
    readonly but?: readonly string[]
  }
  const long = '300 files, 31 directories, 0 others'
  /** A medium without partitions, with the long tree in it. */
  const whole = (
    what: string,
    type: string,
    reader: string,
    image: Made['image'],
    more: Partial<Made> = {},
  ): Made => ({ what, image, rows: [`0 ${type} read by ${reader}: ${long}`], fs: 0, ...more })
  const by = (driver: string, options = 'ro'): Pick<Made, 'witness'> => ({
    witness: { fs: 0, driver, options },
  })
  const made: readonly Made[] = [
    {
      what: 'ISO 9660 with names of eight and three',
      image: () => iso('plain.iso', short, ...genisoimage, '-iso-level', '1'),
      rows: ['0 iso9660 read by iso9660: 100 files, 8 directories, 0 others'],
      fs: 0,
      from: 'short',
    },
    whole(
      'ISO 9660 with RockRidge and Joliet',
      'iso9660',
      'iso9660',
      () => iso('both.iso', tree, ...genisoimage, '-R', '-J'),
      by('iso9660'),
    ),
    whole(
      'ISO 9660 with Joliet alone',
      'iso9660',
      'iso9660',
      () => iso('joliet.iso', tree, ...genisoimage, '-J'),
      by('iso9660'),
    ),
    whole(
      'ISO 9660 with compressed files, by xorriso',
      'iso9660',
      'bsdtar',
      () => {
        make(
          'xorriso',
          '-outdev',
          `stdio:${at('z.iso')}`,
          '-map',
          tree,
          '/',
          '-set_filter_r',
          '--zisofs',
          '/',
          '--',
        )
        return at('z.iso')
      },
      by('iso9660'),
    ),
    whole(
      'a bridge of UDF and ISO 9660',
      'udf',
      'udf',
      () => iso('bridge.iso', tree, ...genisoimage, '-udf', '-J'),
      by('udf'),
    ),
    whole('UDF 2.01', 'udf', 'udf', () => at('udf'), { ...by('udf'), but: ['lost+found'] }),
    {
      what: 'a raw CD of mode 2 with sound behind it',
      image: () => {
        const plain = readFileSync(iso('raw.iso', tree, ...genisoimage, '-R'))
        writeFileSync(at('raw.bin'), Buffer.concat([frames(plain, 2), sound(10)]))
        return at('raw.bin')
      },
      rows: [`1 iso9660 read by cd-iso9660: ${long}`, '2 - waived'],
      fs: 1,
    },
    {
      what: 'FAT12',
      image: () => fat(12, 4),
      rows: ['0 vfat read by fat: 100 files, 8 directories, 0 others'],
      fs: 0,
      from: 'short',
      witness: { fs: 0, driver: 'vfat' },
    },
    whole('FAT16', 'vfat', 'fat', () => fat(16, 32), by('vfat')),
    whole('FAT32', 'vfat', 'fat', () => fat(32, 64), by('vfat')),
    whole('NTFS', 'ntfs', 'ntfs', async () => {
      const image = emptyNtfs(at('ntfs'), 64 << 20)
      await throughNtfs3g(image, 'rw', (mount) => make('cp', '-r', `${tree}/.`, mount))
      return image
    }),
    whole('exFAT', 'exfat', 'exfat', () => at('exfat')),
    whole('HFS', 'hfs', 'hfs', () => at('hfs'), by('hfs')),
    whole('HFS+', 'hfsplus', 'hfsplus', () => at('hfsplus'), by('hfsplus', 'ro,nls=utf8,nodecompose')),
    {
      what: 'a bridge of HFS and ISO 9660',
      image: () => iso('hybrid.iso', tree, 'genisoimage', '-quiet', '-hfs', '-R', '-J'),
      rows: [
        `0 iso9660 read by iso9660: ${long}`,
        '1000 hfs read by hfs: 302 files, 31 directories, 0 others',
      ],
      fs: 1000,
      witness: { fs: 1000, driver: 'hfs' },
      but: ['Desktop DB', 'Desktop DF'],
    },
    ...[2, 3, 4].map((version): Made => ({
      what: `ext${version}`,
      image: () => extOf(version),
      rows: [`0 ext${version} read by ext: 300 files, 32 directories, 0 others`],
      fs: 0,
      witness: { fs: 0, driver: `ext${version}`, options: version === 2 ? 'ro' : 'ro,noload' },
      but: ['lost+found'],
    })),
    whole(
      'squashfs',
      'squashfs',
      isRoot ? 'kernel' : 'sqfs2tar',
      () => {
        make('mksquashfs', tree, at('squashfs'), '-quiet', '-no-progress')
        return at('squashfs')
      },
      by('squashfs'),
    ),
    whole(
      'btrfs',
      'btrfs',
      'btrfs',
      () => {
        make('mkfs.btrfs', '-q', '-r', tree, sized('btrfs', 128))
        return at('btrfs')
      },
      by('btrfs'),
    ),
    whole('xfs', 'xfs', 'xfs', () => at('xfs'), by('xfs', 'ro,norecovery')),
    {
      what: 'a disk with a GPT, ext4 in its second partition',
      image: () => {
        const image = sized('gpt', 64)
        const script = 'label: gpt\nstart=2048,size=8192\nstart=16384,size=65536\n'
        execFileSync('sfdisk', ['-q', image], { input: script, stdio: ['pipe', 'ignore', 'ignore'] })
        make('dd', `if=${extOf(4)}`, `of=${image}`, 'bs=1M', 'seek=8', 'conv=notrunc', 'status=none')
        return image
      },
      rows: ['1 - empty', '2 ext4 read by ext: 300 files, 32 directories, 0 others'],
      fs: 2,
      witness: { fs: 2, driver: 'ext4', options: 'ro,noload' },
      but: ['lost+found'],
    },
  ]

  let compared: ReadonlyMap<string, Compared> = new Map()

  beforeAll(async () => {
    folder = scratch()
    tree = tableTree(at('tree'))
    short = shortTree(at('short'))
    make('mkudffs', '-m', 'hd', '-b', '2048', '-r', '2.01', sized('udf', 32))
    make('mkfs.xfs', '-q', sized('xfs', 320))
    make('hformat', sized('hfs', 32))
    make('mkfs.exfat', sized('exfat', 32))
    emptyHfsPlus(at('hfsplus'), 32 << 20)
    const fill = (type: string, name: string): string =>
      `mount -t ${type} $(attach ${name}) /media/m; cp -r tree/. /media/m/; umount /media/m || true`
    const script = [
      fill('udf -o bs=2048', 'udf'),
      fill('xfs', 'xfs'),
      fill('hfs', 'hfs'),
      fill('hfsplus -o nls=utf8', 'hfsplus'),
      'mknod /dev/fuse c 10 229 2>/dev/null || true',
      'mount.exfat-fuse $(attach exfat) /media/m; cp -r tree/. /media/m/; umount /media/m || true',
    ]
    inUml(folder, ['udf', 'hfs', 'hfsplus', 'exfat'], script.join('\n'))
    const subjects: Subject[] = []
    for (const { what, image, witness } of made)
      subjects.push({ name: what, image: await image(), witnesses: witness === undefined ? [] : [witness] })
    compared = await compareAll(folder, subjects)
  }, 600_000)

  test.each(made)('$what', ({ what, rows, fs, from, but = [] }) => {
    const own = compared.get(what)
    if (own === undefined) throw new Error(`${what} was not compared`)
    expectAgreement(own)
    const holding = own.volumes.find(({ report }) => report.fs === fs)?.holding ?? []
    const ours = new Map([...holding].filter(([path]) => !but.includes(path)))
    expect(difference(holdingOfTree(from === 'short' ? short : tree), ours)).toEqual(nothing)
    expect(own.volumes.map(row)).toEqual(rows)
  })
})
