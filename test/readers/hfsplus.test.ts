// HFS+ and HFSX: volumes that Linux has filled compared with what Linux reads of them, and every way that one can be broken.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Entry, Volume } from '../../src/model/entry.ts'
import { hfsplus } from '../../src/readers/hfs/plus.ts'
import { listChanged, toldOf } from '../support/breaking.ts'
import { chance } from '../support/chance.ts'
import { loseSectors } from '../support/damage.ts'
import { filled, type Witness } from '../support/filled.ts'
import { emptyHfsPlus } from '../support/hfsplus.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, inUtf8, listAll, volumeOf, type Listed } from '../support/reading.ts'
import { plainTree, smallTree, unicodeTree } from '../support/trees.ts'

const path = ({ path: bytes }: { readonly path: Buffer }): string => bytes.toString('utf8')

const driver = {
  filesystem: 'hfsplus',
  mount: 'mount -t hfsplus -o nls=utf8 $loop /media/m',
  look: 'mount -t hfsplus -o ro,nls=utf8,nodecompose $loop /media/m',
}

const asFound = ({ type, nlink, size, mtimeNs, mode, uid, target, path: bytes }: Entry): string => {
  const seconds = (mtimeNs ?? 0n) / 1_000_000_000n
  const own = type === 'd' ? 'd 1 0' : `${type} ${nlink} ${size}`
  return `${own} ${seconds} ${(mode ?? 0).toString(8)} ${uid} ${target?.toString('utf8') ?? ''} ${bytes.toString('utf8')}`
}
async function agrees(image: string, { lines, sums }: Witness): Promise<Listed> {
  const volume = await volumeOf(image)
  const world = looking()
  const listed = await listAll(hfsplus, image, volume, world)
  expect(listed.errors).toEqual([])
  expect(listed.entries.map(asFound).toSorted()).toEqual(lines)
  const given = await contentsOf(hfsplus, image, volume, listed.entries)
  expect(inUtf8(given)).toEqual(sums)
  // Not a block in use is unaccounted for.
  expect(world.lines).toEqual([])
  return listed
}

test.each([
  ['HFS+', false],
  ['HFSX', true],
])('%s: every name, time, link, owner and byte is what Linux reads', async (_what, isCaseSensitive) => {
  const image = emptyHfsPlus(join(scratch(), 'image'), 48 << 20, isCaseSensitive)
  const tree = unicodeTree(join(scratch(), 'tree'))
  const witness = filled(
    image,
    driver,
    `cp -a ${tree} tree || true; mkfifo tree/pipe; chown 501:20 tree/a.txt; chmod 4711 tree/a.txt`,
  )
  const { entries } = await agrees(image, witness)
  expect(entries.length).toBeGreaterThan(370)
  expect(entries.filter((entry) => path(entry) === 'tree/CASE')).toHaveLength(isCaseSensitive ? 1 : 0)
  expect(entries.find((entry) => path(entry) === 'tree/A\u0308pfel')).toBeDefined()
  const linked = entries.filter((entry) => ['tree/a.txt', 'tree/sub/linked'].includes(path(entry)))
  expect(new Set(linked.map(({ ino }) => ino)).size).toBe(1)
  expect(linked[0]).toMatchObject({ nlink: 3, mode: 0o4711, uid: 501, gid: 20 })
})

test('a folder of 10,500 names, a file in so many pieces that its record does not hold them', async () => {
  const image = emptyHfsPlus(join(scratch(), 'image'), 24 << 20)
  writeFileSync(`${image}.source`, Buffer.alloc(40 << 20, 'all that fits'))
  const witness = filled(
    image,
    driver,
    `
      mkdir many; cd many
      seq -f 'a name of some length %g' 10500 | xargs -d '\\n' touch
      cd ..; mkdir fill
      split -b 16384 -a 4 -d ${image}.source fill/ || true
      rm fill/*[02468]
      cp ${image}.source pieces || true
    `,
  )
  const { entries } = await agrees(image, witness)
  expect(entries.length).toBeGreaterThan(10_500)
  expect(entries.find((entry) => path(entry) === 'pieces')?.extents?.length).toBeGreaterThan(20)
})

/** The partition of a hybrid disc as xorriso makes it. */
function byXorriso(tree: string): string {
  const folder = scratch()
  make(
    'xorriso',
    '-as',
    'mkisofs',
    '-R',
    '-hfsplus',
    '-apm-block-size',
    '2048',
    '-o',
    join(folder, 'iso'),
    tree,
  )
  const table = make('partx', '-P', '-o', 'START,SECTORS,TYPE', join(folder, 'iso'))
  const [, start, sectors] = /START="(\d+)" SECTORS="(\d+)" TYPE="Apple_HFS"/.exec(table) ?? []
  const image = join(folder, 'image')
  const from = Number(start) * 512
  writeFileSync(image, readFileSync(join(folder, 'iso')).subarray(from, from + Number(sectors) * 512))
  return image
}

test('a volume made by xorriso holds the tree that it was made of', async () => {
  const tree = plainTree(join(scratch(), 'tree'))
  const image = byXorriso(tree)
  const volume = await volumeOf(image)
  const { entries, errors } = await listAll(hfsplus, image, volume)
  expect(errors).toEqual([])
  const composed = new Map(
    [...(await contentsOf(hfsplus, image, volume, entries))].map(([name, digest]) => [
      Buffer.from(Buffer.from(name, 'latin1').toString('utf8').normalize('NFC')).toString('latin1'),
      digest,
    ]),
  )
  expect(composed).toEqual(contentsOfTree(tree))
})

const nodeBytes = 4096
const catalogAt = (bytes: Buffer): number => bytes.readUInt32BE(1024 + 0x110 + 16) * 4096

/** Numbers of the nodes of the catalog of a kind: -1 leaves, 0 indexes. */
function nodes(bytes: Buffer, kind: number): number[] {
  const count = bytes.readUInt32BE(catalogAt(bytes) + 14 + 22)
  return Array.from({ length: count }, (_none, index) => index).filter((index) => {
    const at = catalogAt(bytes) + index * nodeBytes
    return index > 0 && bytes.readUInt16BE(at + 10) > 0 && bytes.readInt8(at + 8) === kind
  })
}

/** Where the catalog's record of a file or folder begins, behind its key. */
function recordOf(bytes: Buffer, name: string): number {
  const units = Buffer.from(name, 'utf16le').swap16()
  for (const node of nodes(bytes, -1)) {
    const end = catalogAt(bytes) + (node + 1) * nodeBytes
    for (let index = 1; index <= bytes.readUInt16BE(end - nodeBytes + 10); index += 1) {
      const at = end - nodeBytes + bytes.readUInt16BE(end - 2 * index)
      const value = at + 8 + units.length
      if (bytes.subarray(at + 8, value).equals(units) && [1, 2].includes(bytes.readInt16BE(value)))
        return value
    }
  }
  throw new Error(`${name} is not in the catalog`)
}

test('a file that Mac OS compressed has its true length, and is unpacked', async () => {
  const image = emptyHfsPlus(join(scratch(), 'image'), 4 << 20)
  const content = 'compressed by Mac OS, '.repeat(100)
  const head = Buffer.alloc(16)
  head.write('fpmc', 0, 'latin1')
  head.writeUInt32LE(3, 4)
  head.writeUInt32LE(content.length, 8)
  const value = Buffer.concat([head, deflateSync(content)])
  filled(
    image,
    driver,
    `touch packed; setfattr -n osx.com.apple.decmpfs -v 0x${value.toString('hex')} packed`,
  )
  const bytes = readFileSync(image)
  bytes.writeUInt8(0x20, recordOf(bytes, 'packed') + 41)
  writeFileSync(image, bytes)
  const volume = await volumeOf(image)
  const world = looking()
  const { entries, errors } = await listAll(hfsplus, image, volume, world)
  expect(errors).toEqual([])
  expect(entries.at(-1)).toMatchObject({ size: content.length, extents: null })
  const given = await contentsOf(hfsplus, image, volume, entries)
  expect(given.get('packed')).toBe(createHash('sha256').update(content).digest('hex').slice(0, 16))
  expect(world.lines).toEqual(['1 extended attributes are not told'])
})

describe('what is broken', () => {
  const image = join(scratch(), 'image')
  let sound: Buffer
  let whole: Listed
  let volume: Volume

  beforeAll(async () => {
    emptyHfsPlus(image, 8 << 20)
    const tree = unicodeTree(join(scratch(), 'tree'), false)
    filled(image, driver, `cp -a ${tree} tree; ln tree/a.txt tree/linked; ln -s a.txt tree/pointing`)
    sound = readFileSync(image)
    volume = await volumeOf(image)
    whole = await listAll(hfsplus, image, volume)
  }, 120_000)

  const after = (change: (bytes: Buffer) => void) =>
    listChanged(hfsplus, { image, bytes: sound, volume, whole }, change)

  test('a leaf of the catalog is gone: what can be known is listed, and the rest is told', async () => {
    const leaves = nodes(sound, -1)
    expect(leaves.length).toBeGreaterThan(10)
    for (const node of leaves) {
      const at = catalogAt(sound) + node * nodeBytes
      const { missing, extra, errors } = await after((bytes) => bytes.fill(0, at, at + nodeBytes))
      expect(errors.length).toBeGreaterThan(0)
      // Who has lost its folder, and all that could tell of it, is told to have.
      expect(extra.filter((name) => !name.startsWith('$Orphans/'))).toEqual([])
      const told = errors.filter((one) => one.startsWith('unreadable-directory')).map((one) => one.slice(21))
      const silent = missing.filter((name) => !told.some((above) => above === '' || name.startsWith(above)))
      expect(silent).toEqual([])
    }
  })

  test('an index of the catalog is gone: every leaf is found nevertheless', async () => {
    for (const node of nodes(sound, 0)) {
      const at = catalogAt(sound) + node * nodeBytes
      const { missing, extra, errors } = await after((bytes) => bytes.fill(0, at, at + nodeBytes))
      expect(missing).toEqual([])
      // A file with two names is found, but not that it is the one that these are links to.
      expect(extra.filter((name) => !name.startsWith('$Orphans/iNode'))).toEqual([])
      expect(errors.length).toBeGreaterThan(0)
    }
  })

  test('a resource fork stands beside its file', async () => {
    const before = await contentsOf(hfsplus, image, volume, whole.entries)
    const { missing, extra, entries, errors } = await after((bytes) => {
      const at = recordOf(sound, 'large')
      bytes.copy(bytes, at + 168, at + 88, at + 168)
      bytes.fill(0, at + 88, at + 168)
    })
    expect([missing, extra, errors]).toEqual([[], ['tree/sub/large:rsrc'], []])
    const now = await contentsOf(hfsplus, image, volume, entries)
    expect(now.get('tree/sub/large:rsrc')).toBe(before.get('tree/sub/large'))
    expect(entries.find((entry) => path(entry) === 'tree/sub/large')).toMatchObject({ size: 0, extents: [] })
  })

  test('a folder in itself, two files in one place, a link to nothing, an open journal are told', async () => {
    const circle = await after((bytes) => {
      const tree = bytes.readUInt32BE(recordOf(sound, 'tree') + 8)
      bytes.writeUInt32BE(tree, recordOf(sound, 'deep') + 8)
    })
    expect(circle.messages).toContain('directories run in a circle')
    const crossed = await after((bytes) => {
      const [from, to] = [recordOf(sound, 'large'), recordOf(sound, 'bytes 550')]
      bytes.copy(bytes, to + 88 + 16, from + 88 + 16, from + 88 + 24)
    })
    expect(crossed.messages).toContain('where another file lies')
    const lost = await after((bytes) => bytes.writeUInt32BE(4711, recordOf(sound, 'linked') + 44))
    expect(lost.messages).toContain('the file iNode4711 that it is a link to cannot be read')
    const open = await after((bytes) => bytes.writeUInt32BE(0, 1024 + 4))
    expect(open.world.lines.join()).toContain('it was not unmounted')
    expect([open.missing, open.errors]).toEqual([[], []])
  })

  test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
    const small = emptyHfsPlus(join(scratch(), 'image'), 2 << 20)
    filled(small, driver, `cp -a ${smallTree(join(scratch(), 'tree'))} tree`)
    const campaign = await loseSectors(hfsplus, small, await volumeOf(small), { sectorBytes: 512, most: 230 })
    expect(campaign.faults).toEqual([])
    expect(campaign.refused.length).toBeLessThan(5)
    expect(campaign.hits.length).toBeGreaterThan(10)
  })

  test('whatever bytes are changed: it ends, never crashes, and no name is lost without a word', async () => {
    const random = chance(11)
    const size = sound.readUInt32BE(1024 + 0x110 + 4)
    const told = await toldOf(60, (round) => {
      const changes = Array.from({ length: 1 + (round % 6) }, () => [random(size), random(256)] as const)
      return after((bytes) => {
        for (const [at, byte] of changes) bytes[catalogAt(sound) + at] = byte
      })
    })
    expect(told).toBeGreaterThan(5)
  })
})
