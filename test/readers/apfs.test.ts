// APFS: a volume whose records were put into what mkapfs made, compared with what 7-Zip reads of it; and damaged ones.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Volume } from '../../src/model/entry.ts'
import { RunError } from '../../src/model/errors.ts'
import { withReadErrors } from '../../src/model/unread.ts'
import { apfs } from '../../src/readers/apfs/index.ts'
import { Pages } from '../../src/readers/pages.ts'
import { apfsWith, sealed, type ApfsFile } from '../support/apfs.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, volumeOf, type Listed } from '../support/reading.ts'

const large = Buffer.alloc(300_000, 'a large file ')
const files: readonly ApfsFile[] = [
  { name: 'a.txt', parent: -1, kind: 'file', content: Buffer.from('hello') },
  { name: 'empty', parent: -1, kind: 'file' },
  { name: 'sub', parent: -1, kind: 'folder' },
  { name: 'Äpfel 🎹', parent: 2, kind: 'file', content: large },
  { name: 'linked', parent: 2, kind: 'file', sameAs: 0 },
  { name: 'deeper', parent: 2, kind: 'folder' },
  { name: 'around', parent: 5, kind: 'link', content: Buffer.from('../../a.txt') },
  { name: 'holes', parent: 5, kind: 'file', content: Buffer.from('behind'), hole: 20 },
  {
    name: 'both',
    parent: -1,
    kind: 'file',
    content: Buffer.from('data'),
    resource: Buffer.alloc(5000, 'resource '),
  },
]

const path = ({ path: bytes }: { readonly path: Buffer }): string => bytes.toString('utf8')

describe('a volume with files', () => {
  const image = join(scratch(), 'image')
  let whole: Listed
  let volume: Volume

  beforeAll(async () => {
    apfsWith(image, files)
    volume = await volumeOf(image)
    whole = await listAll(apfs, image, volume)
  }, 60_000)

  test('has every name, size, link, hole and byte that 7-Zip reads', async () => {
    const { entries, errors } = whole
    expect(errors).toEqual([])
    const out = join(scratch(), 'out')
    make('7zz', 'x', '-y', '-sns-', '-snld', `-o${out}`, image)
    const given = await contentsOf(apfs, image, volume, entries)
    const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    const theirs = new Map(contentsOfTree(out))
    // 7-Zip 26.02 gives the container's first blocks for a hole.
    theirs.set('sub/deeper/holes', sha(Buffer.concat([Buffer.alloc(20 * 4096), Buffer.from('behind')])))
    theirs.set('both:rsrc', sha(Buffer.alloc(5000, 'resource ')))
    expect(new Map(given)).toEqual(theirs)
    const names = readdirSync(out, { recursive: true, encoding: 'utf8' })
    expect(
      entries
        .map(path)
        .filter((name) => name !== '' && name !== 'both:rsrc')
        .toSorted(),
    ).toEqual(names.toSorted())
    const of = (name: string) => entries.find((entry) => path(entry) === name)
    expect(of('sub/linked')).toMatchObject({
      ino: of('a.txt')?.ino,
      nlink: 2,
      uid: 501,
      gid: 20,
      mode: 0o644,
    })
    expect(of('a.txt')?.mtimeNs).toBe(1_600_000_000_123_456_789n)
    expect(of('sub/deeper/around')).toMatchObject({ type: 'l', target: Buffer.from('../../a.txt') })
    expect(of('sub/deeper/holes')?.extents).toMatchObject([{ start: -1, end: 20 * 4096 }, {}])
  })

  /** Where mkapfs puts what leads to names. */
  const blocks = [...Array(70).keys(), ...Array.from({ length: 10 }, (_none, index) => 20_000 + index)]

  test.each([
    ['was not read', true],
    ['has a changed bit', false],
  ])('a block that %s: nothing is made up, and nothing is left out in silence', async (_what, isUnread) => {
    let told = 0
    const file = openSync(image, 'r+')
    for (const block of blocks) {
      const byte = Buffer.alloc(1)
      const at = block * 4096 + 100
      readSync(file, byte, 0, 1, at)
      writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 4]), 0, 1, at)
      const range = { start: block * 4096, end: (block + 1) * 4096 }
      const world = isUnread ? withReadErrors(looking(), image, [range]) : looking()
      try {
        const { entries, errors } = await listAll(apfs, image, volume, world)
        const known = new Set(whole.entries.map(path))
        expect(entries.map(path).filter((name) => !known.has(name))).toEqual([])
        if (errors.length > 0) told += 1
        else expect(entries).toHaveLength(known.size)
      } catch (error) {
        if (!(error instanceof RunError)) throw error
        told += 1
      }
      writeSync(file, byte, 0, 1, at)
    }
    closeSync(file)
    // Without the maps, the head of the volume or its tree there are no names at all.
    expect(told).toBeGreaterThanOrEqual(6)
    expect(told).toBeLessThan(12)
  })
})

test('files that the volume counts and no folder names are missing, and that is told', async () => {
  const image = join(scratch(), 'image')
  apfsWith(image, [{ name: 'lost', parent: 77, kind: 'file', content: Buffer.from('x') }])
  const { errors } = await listAll(apfs, image, await volumeOf(image))
  expect(errors.map(({ message }) => message).join()).toContain(
    '1 files and folders that the volume counts have no name',
  )
})

test('a place beyond all counting is an error, and no search without end', async () => {
  const image = join(scratch(), 'image')
  apfsWith(image, [])
  const file = openSync(image, 'r+')
  const map = Buffer.alloc(4096)
  // The map of the container: its one value ends before the last 40 bytes of its tree.
  readSync(file, map, 0, 4096, 20_001 * 4096)
  map.writeUInt32LE(0x1000_0000, 4096 - 40 - 4)
  writeSync(file, sealed(map), 0, 4096, 20_001 * 4096)
  closeSync(file)
  await expect(listAll(apfs, image, await volumeOf(image))).rejects.toThrow('outside of the container')
  const pages = new Pages(image, 0, looking())
  await expect(pages.bytes(2 ** 60, 16)).rejects.toThrow('past the end of any image')
})
