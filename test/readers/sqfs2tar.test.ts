// squashfs: a hostile tree packed by mksquashfs comes back through sqfs2tar, without root.
import { truncateSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readersFor } from '../../src/readers/index.ts'
import { kernel } from '../../src/readers/kernel.ts'
import { sqfs2tar } from '../../src/readers/tar/sqfs2tar.ts'
import { looking, make } from '../support/looking.ts'
import { scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf } from '../support/reading.ts'
import { hostileTree } from '../support/trees.ts'

function packed() {
  const folder = scratch()
  const tree = hostileTree(join(folder, 'tree'))
  const image = join(folder, 'image')
  return { folder, tree, image, pack: () => make('mksquashfs', tree, image, '-quiet', '-no-progress') }
}

test('every name, link, owner, time and byte comes back; a further name of a file is a file', async () => {
  const { tree, image, pack } = packed()
  pack()
  const volume = await volumeOf(image)
  expect(readersFor(volume).map(({ name }) => name)).toEqual(['kernel', 'sqfs2tar'])
  expect(await sqfs2tar.version(looking(), volume)).toMatch(/^\d+\.\d+/)
  const { entries, errors } = await listAll(sqfs2tar, image, volume)
  expect(errors).toEqual([])
  const { expected, actual } = sideBySide(tree, entries, { times: 's', links: false })
  expect(actual).toEqual(expected)
  expect(await contentsOf(sqfs2tar, image, volume, entries)).toEqual(contentsOfTree(tree))
})

test.runIf(process.getuid?.() === 0)('the kernel sees the same', async () => {
  const { tree, image, pack } = packed()
  pack()
  const volume = await volumeOf(image)
  if ((await kernel.version(looking(), volume)) === null) return
  const { entries } = await listAll(kernel, image, volume)
  const { expected, actual } = sideBySide(tree, entries, { times: 's' })
  expect(actual).toEqual(expected)
})

test('a socket, which no archive holds, and an image that was cut fail the listing', async () => {
  const { tree, image, pack } = packed()
  pack()
  const whole = await volumeOf(image)
  truncateSync(image, Math.floor(statSync(image).size / 2))
  await expect(listAll(sqfs2tar, image, whole)).rejects.toThrow()
  const socket = createServer()
  socket.listen(join(tree, 'socket'))
  await once(socket, 'listening')
  const other = join(scratch(), 'image')
  make('mksquashfs', tree, other, '-quiet', '-no-progress')
  socket.close()
  await expect(listAll(sqfs2tar, other, await volumeOf(other))).rejects.toThrow('sqfs2tar')
})
