// bsdtar: discs of ISO 9660 made with standard tools, compared with the tree they hold.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bsdtar } from '../../src/readers/tar/bsdtar.ts'
import { make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf } from '../support/reading.ts'
import { hostileTree } from '../support/trees.ts'

test('a hostile tree on a RockRidge disc comes back, names, links and bytes', async () => {
  const folder = scratch()
  const tree = hostileTree(join(folder, 'tree'))
  const image = join(folder, 'a.iso')
  make('genisoimage', '-quiet', '-R', '-D', '-o', image, tree)
  const volume = await volumeOf(image)
  const { entries, errors } = await listAll(bsdtar, image, volume)
  // Of a link's target that goes on in a second field libarchive gives only the first part.
  const how = { times: 's', links: false, modes: false, but: ['long'] } as const
  const { expected, actual } = sideBySide(tree, entries, how)
  expect(errors).toEqual([])
  expect(actual).toEqual(expected)
  const once = entries.filter(
    ({ ino, type }, index) => type === 'f' && entries.findIndex((other) => other.ino === ino) === index,
  )
  const given = await contentsOf(bsdtar, image, volume, once)
  const all = contentsOfTree(tree)
  for (const [path, digest] of given) expect(digest).toBe(all.get(path))
  expect(given.size).toBe(once.length)
  const hard = entries.filter(({ path }) => /harder$|hard$|^n\nx$/.test(path.toString('latin1')))
  expect(new Set(hard.map(({ ino }) => ino)).size).toBe(1)
  expect(hard.map(({ nlink }) => nlink)).toEqual([3, 3, 3])
})

test('on what is no disc it lists nothing, not even a root', async () => {
  const folder = scratch()
  const image = join(folder, 'zeros')
  writeFileSync(image, Buffer.alloc(1 << 20))
  mkdirSync(join(folder, 'tree'))
  const iso = join(folder, 'a.iso')
  make('genisoimage', '-quiet', '-R', '-o', iso, join(folder, 'tree'))
  const volume = await volumeOf(iso)
  expect(await listAll(bsdtar, image, volume)).toEqual({ entries: [], errors: [] })
})
