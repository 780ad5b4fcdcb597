// exFAT: volumes that another driver has filled compared with what it reads of them, and every way that one can be broken.
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Entry, Volume } from '../../src/model/entry.ts'
import type { Range } from '../../src/model/world.ts'
import { piecesOf } from '../../src/readers/ranges.ts'
import { exfat } from '../../src/readers/exfat/index.ts'
import { fiwalk } from '../../src/readers/fiwalk/index.ts'
import { listChanged, toldOf } from '../support/breaking.ts'
import { chance } from '../support/chance.ts'
import { loseSectors } from '../support/damage.ts'
import { filled, type Witness } from '../support/filled.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, inUtf8, listAll, volumeOf, type Listed } from '../support/reading.ts'
import { plainTree, unicodeTree } from '../support/trees.ts'

const driver = {
  filesystem: 'exfat',
  mount: 'mknod /dev/fuse c 10 229 2>/dev/null || true; mount.exfat-fuse $loop /media/m',
  look: 'mount.exfat-fuse -o ro $loop /media/m',
}
const path = ({ path: bytes }: { readonly path: Buffer }): string => bytes.toString('utf8')

function empty(bytes: number, ...options: readonly string[]): string {
  const image = join(scratch(), 'image')
  writeFileSync(image, '')
  truncateSync(image, bytes)
  make('mkfs.exfat', ...options, image)
  return image
}

/** Type, size, time and path; there is no root's time, and no owners. */
const asLine = ({ type, size, mtimeNs, path: bytes }: Entry): string =>
  `${type} ${size} ${bytes.length === 0 ? 0 : (mtimeNs ?? 0n) / 1_000_000_000n} ${bytes.toString('utf8')}`
const lineOf = (line: string): string => {
  const [, type, size, seconds, name = ''] = /^(\w) \d+ (\d+) (-?\d+) \d+ \d+ {2}([^]*)$/.exec(line) ?? []
  return `${type} ${size} ${name === '' ? 0 : seconds} ${name}`
}

async function agrees(image: string, { lines, sums }: Witness): Promise<Listed> {
  const volume = await volumeOf(image)
  const world = looking()
  const listed = await listAll(exfat, image, volume, world)
  expect(listed.errors).toEqual([])
  expect(listed.entries.map(asLine).toSorted()).toEqual(lines.map(lineOf).toSorted())
  const given = await contentsOf(exfat, image, volume, listed.entries)
  expect(inUtf8(given)).toEqual(sums)
  return listed
}

test.each([
  ['as they are made', []],
  ['of 512 bytes', ['-c', '512']],
])(
  'every name, time and byte is what exfat-fuse reads, and lies where sleuthkit says; clusters %s',
  async (_what, options) => {
    const image = empty(32 << 20, ...options)
    const tree = unicodeTree(join(scratch(), 'tree'), false)
    const witness = filled(
      image,
      driver,
      `cp -r --preserve=timestamps ${tree} tree; echo gone > gone; rm gone`,
    )
    const { entries } = await agrees(image, witness)
    expect(entries.length).toBeGreaterThan(360)
    const volume = await volumeOf(image)
    const where = (found: readonly Entry[]): string[] =>
      found
        .filter(({ type }) => type === 'f')
        .map((one) => `${path(one)} ${JSON.stringify(one.extents)}`)
        .toSorted()
    expect(where(entries)).toEqual(where((await listAll(fiwalk, image, volume)).entries))
    expect(new Set(entries.map(({ ino }) => ino)).size).toBe(entries.length)
  },
)

test('a directory of 700 names, and a file in pieces', async () => {
  const image = empty(4 << 20, '-c', '512')
  writeFileSync(`${image}.source`, Buffer.alloc(5 << 20, 'all that fits'))
  const witness = filled(
    image,
    driver,
    `
      mkdir many; cd many
      seq -f 'a name of some length %g' 700 | xargs -d '\\n' touch
      cd ..; mkdir fill
      split -b 8192 -a 4 -d ${image}.source fill/ || true
      rm fill/*[02468]
      cp ${image}.source pieces || true
    `,
  )
  const { entries } = await agrees(image, witness)
  expect(entries.length).toBeGreaterThan(700)
  expect(entries.find((entry) => path(entry) === 'pieces')?.extents?.length).toBeGreaterThan(20)
})

describe('what is broken', () => {
  let image: string
  let sound: Buffer
  let whole: Listed
  let volume: Volume

  beforeAll(async () => {
    image = empty(4 << 20, '-c', '512')
    filled(image, driver, `cp -r ${plainTree(join(scratch(), 'tree'))} tree`)
    sound = readFileSync(image)
    volume = await volumeOf(image)
    whole = await listAll(exfat, image, volume)
  }, 120_000)

  const extents = (name: string): readonly Range[] =>
    whole.entries.find((entry) => path(entry) === name)?.extents ?? []
  /** Where the part of an entry with its place begins. */
  const streamOf = (name: string): number => {
    const units = Buffer.from(name.slice(0, 15), 'utf16le')
    return sound.indexOf(units) - 2 - 32
  }

  const after = (change: (bytes: Buffer) => void) =>
    listChanged(exfat, { image, bytes: sound, volume, whole }, change)

  test('a sector of a directory that was wiped is no end: it is told, and what comes behind is listed', async () => {
    const [sector] = piecesOf(extents('tree/sub'), 512).drop(3)
    const [{ start } = { start: 0 }] = sector ?? []
    const { missing, errors, messages, entries } = await after((bytes) => bytes.fill(0, start, start + 512))
    expect(errors).toEqual(['unreadable-directory tree/sub'])
    expect(messages).toBe('there are zeros in the midst of it: names below it may be missing')
    expect(missing.length).toBeGreaterThan(0)
    expect(missing.length).toBeLessThan(12)
    expect(entries.some((entry) => path(entry) === 'tree/sub/f99')).toBe(true)
  })

  test('a wiped root, and an entry with a changed letter, are told', async () => {
    const [{ start, end } = { start: 0, end: 0 }] = extents('')
    const root = await after((bytes) => bytes.fill(0, start, end))
    expect(root.messages).toContain('it does not name the map of clusters')
    const letter = await after((bytes) => (bytes[streamOf('a.txt') + 34] = 0x62))
    expect(letter.errors).toContain('unreadable-directory tree')
    expect(letter.messages).toContain('an entry of it makes no sense')
    expect(letter.missing).toEqual(['tree/a.txt'])
  })

  test('a directory in itself and two files in one place are told', async () => {
    const sum = (bytes: Buffer, at: number): void => {
      let own = 0
      const set = bytes.subarray(at, at + 32 * ((bytes[at + 1] ?? 0) + 1))
      for (const [index, byte] of set.entries())
        if (index !== 2 && index !== 3) own = (((own & 1) << 15) + (own >>> 1) + byte) & 0xffff
      bytes.writeUInt16LE(own, at + 2)
    }
    const moved = (name: string, to: string) =>
      after((bytes) => {
        const [from, at] = [streamOf(to), streamOf(name)]
        bytes.copy(bytes, at + 20, from + 20, from + 24)
        sum(bytes, at - 32)
      })
    const circle = await moved('sub', 'tree')
    expect(circle.messages).toContain('directories run in a circle')
    const crossed = await moved('A long name, with a comma & more.jpeg', 'b.bin')
    expect(crossed.messages).toContain('where another file lies')
  })

  test('one sector that was not read makes nothing up, and leaves nothing out in silence', async () => {
    writeFileSync(image, sound)
    const campaign = await loseSectors(exfat, image, volume, { sectorBytes: 512, most: 200 })
    expect(campaign.faults).toEqual([])
    expect(campaign.refused.length).toBeLessThan(5)
    expect(campaign.named.filter((sector) => !campaign.hits.includes(sector))).toEqual([])
  })

  test('whatever bytes are changed: it ends, never crashes, and no name is lost without a word', async () => {
    const random = chance(5)
    const sectors = ['', 'tree', 'tree/sub', 'tree/sub/deeper'].flatMap(extents)
    const place = (): number => {
      const { start, end } = sectors[random(sectors.length)] ?? { start: 0, end: 1 }
      return start + random(end - start)
    }
    const told = await toldOf(60, (round) =>
      after((bytes) => {
        for (let change = 0; change <= round % 6; change += 1) bytes[place()] = random(256)
      }),
    )
    expect(told).toBeGreaterThan(10)
  })
})
