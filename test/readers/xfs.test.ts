// xfs: volumes made by mkfs.xfs and filled by Linux, compared with what its driver says of them; and damaged ones.
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { withReadErrors } from '../../src/model/unread.ts'
import { crc32cWithout } from '../../src/readers/crc32c.ts'
import { xfs } from '../../src/readers/xfs/index.ts'
import { orRefused } from '../support/breaking.ts'
import { chance } from '../support/chance.ts'
import { loseSectors } from '../support/damage.ts'
import { looking } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, listAll, volumeOf, type Listed } from '../support/reading.ts'
import { hostileTree, smallTree } from '../support/trees.ts'
import { emptyFile, emptyXfs, fillXfs, toldBy, type Filling, type Told } from '../support/xfs.ts'

const mebi = 1 << 20
const path = ({ path: bytes }: { readonly path: Buffer }): string => bytes.toString('latin1')

/** Every form of content and of directory; `many` names in the largest one. */
const everything = (folder: string, many: number): string =>
  [
    `cp -a '${folder}/tree' .`,
    `mkdir many blocks few; cd many`,
    `seq ${many} | sed 's/^/a name of some length /' | tr '\\n' '\\0' | xargs -0 touch`,
    // Room becomes free in the middle, and whole blocks of names go.
    `seq 100 ${Math.floor(many / 4)} | sed 's/^/a name of some length /' | tr '\\n' '\\0' | xargs -0 rm; cd ..`,
    'cd blocks; seq 40 | xargs touch; cd ..; echo 1 > few/one; echo 2 > few/two',
    `xfs_io -f pieces < '${folder}/pieces' > /dev/null`,
    "xfs_io -f -c 'falloc 0 300k' -c 'pwrite -q 100k 10k' -c 'truncate 2m' unwritten",
    'mknod block b 8 300; mknod character c 4 64',
    // Of 900 bytes, in one block or two; and of 300, in the inode if that is large.
    "ln -s $(seq -s / 1 247) 'far'; ln -s $(seq -s / 1 95) near",
    'touch -h -d 1902-01-02 far; touch -d @1000000000.123456789 few/one; touch -d 2037-12-31 few/two',
    'chown 70000:80000 few/two; chmod 6751 few/two',
  ].join('\n')

const kinds: readonly (readonly [name: string, bytes: number, options: readonly string[], many: number])[] = [
  ['plain', 96 * mebi, [], 20_000],
  ['small-blocks', 64 * mebi, ['-b', 'size=1024', '-n', 'size=8192', '-i', 'nrext64=1'], 3000],
  ['old', 64 * mebi, ['-m', 'crc=0', '-n', 'ftype=0', '-b', 'size=1024'], 3000],
  ['old-with-kinds', 64 * mebi, ['-m', 'crc=0', '-n', 'ftype=1,size=65536', '-i', 'size=256'], 3000],
  // Inodes of its third group have numbers of more than 32 bits.
  ['large', 2 ** 42, ['-d', 'agcount=5', '-l', 'size=16m'], 500],
  [
    'no-big-times',
    64 * mebi,
    ['-m', 'bigtime=0,reflink=0,finobt=0', '-s', 'size=4096', '-i', 'size=2048'],
    500,
  ],
]

/** What is damaged here, with checksums and without. */
const small: readonly (readonly [name: string, options: readonly string[]])[] = [
  ['small', ['-b', 'size=1024']],
  ['small-old', ['-b', 'size=1024', '-m', 'crc=0']],
]

const folder = scratch()
let told: ReadonlyMap<string, Told> = new Map()

beforeAll(() => {
  hostileTree(join(folder, 'tree'))
  smallTree(join(folder, 'small-tree'))
  const shorts = small.map(([name, options]): Filling => {
    emptyXfs(join(folder, name), 16 * mebi, ...options)
    return { name, script: `cp -a '${folder}/small-tree/.' .; ln -s $(seq -s / 1 247) one/far` }
  })
  const pieces = Array.from(
    { length: 1500 },
    (_none, index) => `pwrite -q -S ${index % 251} ${index * 8}k 4k`,
  )
  writeFileSync(join(folder, 'pieces'), `${pieces.join('\n')}\n`)
  const fillings = kinds.map(([name, bytes, options, many]): Filling => {
    emptyXfs(join(folder, name), bytes, ...options)
    return { name, script: everything(folder, many) }
  })
  emptyXfs(join(folder, 'dirty'), 32 * mebi)
  fillings.push({
    name: 'dirty',
    script: 'mkdir sub; echo early > sub/early; sync; sleep 1; echo late > sub/late',
    end: "xfs_io -x -c 'shutdown -f' /media/m; umount /media/m",
  })
  emptyXfs(join(folder, 'realtime'), 32 * mebi, '-r', `rtdev=${emptyFile(join(folder, 'rt'), 32 * mebi)}`)
  fillings.push({
    name: 'realtime',
    options: `rw,rtdev=$(attach '${folder}/rt')`,
    script: "echo 1 > here; xfs_io -f -c 'chattr +r' -c 'pwrite -q 0 100k' there",
  })
  told = fillXfs(folder, [...fillings, ...shorts])
}, 300_000)

describe('what Linux filled', () => {
  test.each(kinds)('%s: every name, link, time, owner, hole and byte is the driver’s', async (name) => {
    const image = join(folder, name)
    const volume = await volumeOf(image)
    const world = looking()
    const { entries, errors } = await listAll(xfs, image, volume, world)
    expect(errors).toEqual([])
    expect(toldBy(entries, await contentsOf(xfs, image, volume, entries, world))).toEqual(told.get(name))
    expect(world.lines).toEqual([])
    const of = (one: string) => entries.find((entry) => path(entry) === one)
    expect(of('block')?.rdev).toBe((8n << 32n) + 300n)
    expect(of('character')?.rdev).toBe((4n << 32n) + 64n)
    expect(of('pieces')?.extents?.length).toBe(2999)
    expect(of('unwritten')?.extents).toHaveLength(3)
    if (name === 'large') expect(entries.some(({ ino }) => ino > 2n ** 32n)).toBe(true)
  })

  test('a log that was not replayed is told, and what is there is what the driver sees without it', async () => {
    const image = join(folder, 'dirty')
    const world = looking()
    const { entries, errors } = await listAll(xfs, image, await volumeOf(image), world)
    expect(world.lines).toEqual(['its log was not replayed: it is read as it stands'])
    expect(errors).toEqual([])
    expect(entries.map(path).toSorted()).toEqual(Object.keys(told.get('dirty') ?? {}).toSorted())
  })

  test('a file on the realtime device is named, and its content is told as not to be had', async () => {
    const image = join(folder, 'realtime')
    const { entries, errors } = await listAll(xfs, image, await volumeOf(image))
    expect(entries.map(path).toSorted()).toEqual(['', 'here', 'there'])
    expect(errors).toMatchObject([
      { error: 'content', path: Buffer.from('there'), message: expect.stringContaining('realtime device') },
    ])
  })
})

describe.each(small)('%s, damaged', (name) => {
  const image = join(folder, `${name}.copy`)
  const isSealed = name === 'small'
  const change = (edit: (bytes: Buffer) => void): void => {
    const bytes = readFileSync(join(folder, name))
    edit(bytes)
    writeFileSync(image, bytes)
  }
  const after = async (edit: (bytes: Buffer) => void): Promise<Listed> => {
    change(edit)
    return listAll(xfs, image, await volumeOf(join(folder, name)))
  }
  /** Where an inode begins in the image. */
  const placeOf = (bytes: Buffer, ino: bigint): number => {
    const bits = bytes.readUInt8(123) + bytes.readUInt8(124)
    const within = Number(BigInt.asUintN(bits, ino)) * bytes.readUInt16BE(104)
    return Number(ino >> BigInt(bits)) * bytes.readUInt32BE(84) * bytes.readUInt32BE(4) + within
  }
  const inodeOf = async (wanted: string): Promise<number> => {
    const { entries } = await after(() => undefined)
    const ino = entries.find((entry) => path(entry) === wanted)?.ino ?? -1n
    return placeOf(readFileSync(image), ino)
  }

  test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
    const whole = join(folder, name)
    const campaign = await loseSectors(xfs, whole, await volumeOf(whole), { sectorBytes: 512, most: 130 })
    const { faults, hits, named, refused, lost } = campaign
    expect(faults).toEqual([])
    // The superblock, and the inode of the root.
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(3)
    expect(named.filter((sector) => !hits.includes(sector) && !refused.includes(sector))).toEqual([])
    expect(hits.length).toBeGreaterThan(10)
    expect(lost).toBeGreaterThan(hits.length + refused.length)
  }, 120_000)

  test('of an inode that was not read all names are told', async () => {
    const { entries } = await after(() => undefined)
    const at = await inodeOf('one/name 4')
    const [start, end] = [at - (at % 512), at - (at % 512) + 512]
    const volume = await volumeOf(join(folder, name))
    const listed = await listAll(xfs, image, volume, withReadErrors(looking(), image, [{ start, end }]))
    const gone = listed.errors.map(path)
    expect(gone).toContain('one/name 4')
    expect(listed.errors.map(({ error }) => error)).toEqual(gone.map(() => 'EIO'))
    expect([...listed.entries.map(path), ...gone].toSorted()).toEqual(entries.map(path).toSorted())
  })

  test('whatever bytes are changed: it ends, never crashes, and no name is lost without a word', async () => {
    const volume = await volumeOf(join(folder, name))
    const whole = await listAll(xfs, join(folder, name), volume)
    const sound = readFileSync(join(folder, name))
    // What names lie in, the inodes, and the heads of the groups.
    const ranges = whole.entries.flatMap(({ ino, type, extents }) => {
      const at = placeOf(sound, ino)
      const inode = { start: at, end: at + 176 }
      return type === 'd' ? [inode, ...(extents ?? [])] : [inode]
    })
    ranges.push({ start: 0, end: 2048 })
    const random = chance(7)
    copyFileSync(join(folder, name), image)
    const file = openSync(image, 'r+')
    const known = JSON.stringify(toldBy(whole.entries, new Map()))
    let damaged = 0
    for (let round = 0; round < 300; round += 1) {
      const places = Array.from({ length: 1 + (round % 8) }, () => {
        const { start, end } = ranges[random(ranges.length)] ?? { start: 0, end: 1 }
        return start + random(end - start)
      })
      for (const at of places) writeSync(file, Buffer.from([random(256)]), 0, 1, at)
      const listed = await listAll(xfs, image, volume).catch(orRefused)
      if (listed === null || listed.errors.length > 0) damaged += 1
      else if (isSealed) expect(JSON.stringify(toldBy(listed.entries, new Map()))).toBe(known)
      // Without checksums a name may be another one, but none is gone.
      else expect(listed.entries).toHaveLength(whole.entries.length)
      for (const at of places) writeSync(file, sound, at, 1, at)
    }
    closeSync(file)
    expect(damaged).toBeGreaterThan(isSealed ? 290 : 100)
  }, 120_000)

  test('a directory that is named in itself, and a file that is named for another, end with errors', async () => {
    const { entries } = await after(() => undefined)
    const of = (wanted: string) => entries.find((entry) => path(entry) === wanted)
    const point = (bytes: Buffer, above: string, wanted: string, to: string): void => {
      const [place] = of(above)?.extents ?? []
      const from = bytes.indexOf(
        Buffer.from(`${String.fromCharCode(wanted.length)}${wanted}`),
        place?.start ?? 0,
      )
      bytes.writeBigUInt64BE(of(to)?.ino ?? 0n, from - 8)
    }
    const circle = await after((bytes) => point(bytes, 'one/two', 'three', 'one'))
    expect(circle.errors.map(({ path: at }) => at.toString())).toContain('one/two/three')
    expect(circle.errors.map(({ message }) => message).join()).toContain('directories run in a circle')
    const crossed = await after((bytes) => point(bytes, 'one', 'name 2', 'one/name 4'))
    expect(crossed.errors.map(({ message }) => message).join()).toContain('has another name, and counts one')
  })

  test('a superblock that makes no sense is refused, and an image that was cut is told', async () => {
    await expect(after((bytes) => bytes.fill(0, 0, 4))).rejects.toThrow('there is no xfs superblock')
    const wrong = isSealed ? 'checksum of the xfs superblock' : 'superblock makes no sense'
    await expect(after((bytes) => bytes.writeUInt8(13, 120))).rejects.toThrow(wrong)
    const start = await inodeOf('one/two/three')
    writeFileSync(image, readFileSync(join(folder, name)).subarray(0, start))
    const { errors } = await listAll(xfs, image, await volumeOf(join(folder, name)))
    expect(errors.length).toBeGreaterThan(0)
    expect(errors.every(({ message }) => message.includes('past the end of the image'))).toBe(true)
  })

  test.runIf(isSealed)(
    'where the checksum of an inode is wrong, a file is not had, and of a directory its names',
    async () => {
      const [directory, file] = [await inodeOf('one'), await inodeOf('one/name 4')]
      const broken = await after((bytes) =>
        bytes.writeUInt8(bytes.readUInt8(directory + 35) ^ 1, directory + 35),
      )
      expect(broken.errors).toMatchObject([{ error: 'unreadable-directory', path: Buffer.from('one') }])
      expect(broken.entries).toHaveLength(Object.keys(told.get(name) ?? {}).length)
      const gone = await after((bytes) => bytes.writeUInt8(bytes.readUInt8(file + 35) ^ 1, file + 35))
      expect(gone.errors).toMatchObject([{ error: 'EUCLEAN', path: Buffer.from('one/name 4') }])
      expect(gone.entries).toHaveLength(broken.entries.length - 1)
    },
  )

  test('a name that was changed is told by the checksum of its block; a map that was cut, by its own count', async () => {
    const { entries } = await after(() => undefined)
    const [place] = entries.find((entry) => path(entry) === 'one')?.extents ?? []
    const renamed = await after((bytes) => {
      const at = bytes.indexOf('name 10', place?.start ?? 0)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    })
    // Without checksums nothing tells that it was another name.
    expect(renamed.errors.map(({ message }) => message).join()).toBe(
      isSealed ? 'the checksum of a block of it is wrong: names below it may be missing' : '',
    )
    const last = await inodeOf('one/two/three/last')
    const cut = await after((bytes) => bytes.writeUInt32BE(0, last + (isSealed ? 80 : 76)))
    const word = isSealed ? 'EUCLEAN' : 'content'
    expect(cut.errors).toMatchObject([{ error: word, path: Buffer.from('one/two/three/last') }])
  })
})

test('a log on another device is told', async () => {
  const log = emptyFile(join(folder, 'log'), 32 * mebi)
  const image = emptyXfs(join(folder, 'without-log'), 32 * mebi, '-l', `logdev=${log},size=16m`)
  const world = looking()
  expect(await listAll(xfs, image, await volumeOf(image), world)).toMatchObject({
    entries: [{ type: 'd' }],
    errors: [],
  })
  expect(world.lines).toEqual(['its log is on another device: it is read as it stands'])
})

test('the checksum is that of the standard', () => {
  const zeros = Buffer.from([0x31, 0, 0, 0, 0, 0x37])
  expect(crc32cWithout(Buffer.from('1abcd7'), 1)).toBe(crc32cWithout(zeros, zeros.length))
  expect(crc32cWithout(Buffer.from('12\0\0\0\x007'), 2)).toBe(crc32cWithout(Buffer.from('123456' + '7'), 2))
})
