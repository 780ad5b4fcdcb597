// What ntt verify says at its end: the worst that is true of each medium, and every path that a bad content has.
import { chmodSync, cpSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { blake3 } from '@napi-rs/blake-hash'
import { expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, sampleImages } from './support/project.ts'

test('a product that is gone shows as what it is, and a flipped content by each of its paths', async () => {
  const database = await freshDatabase()
  const made = project({ database })
  cpSync(`${sampleImages}/floppy.img`, made.path('media.d/floppy.img'))
  made.medium('floppy', 'source: {image: floppy.img}\ntarget: copied\n')
  mkdirSync(made.path('media.d/box/below'), { recursive: true })
  for (const name of ['letter', 'below/the same letter'])
    writeFileSync(made.path('media.d/box', name), 'a letter')
  linkSync(made.path('media.d/box/letter'), made.path('media.d/box/below/linked'))
  writeFileSync(made.path('media.d/box/other'), 'another letter')
  made.medium('box', 'source: {directory: box}\ntarget: copied\n')
  const applied = await made.ntt('apply', '--yes')
  expect([applied.code, applied.err]).toEqual([0, ''])
  const [row] = await ask<{ hash: string }>(
    database,
    "select medium_hash as hash from medium where name = 'floppy'",
  )
  rmSync(made.path('.ntt/raw', `${row?.hash}.raw`))
  const blob = blake3(Buffer.from('a letter')).toString('hex')
  const kept = made.path('.ntt/by-hash', blob.slice(0, 2), blob.slice(2, 4), blob)
  chmodSync(kept, 0o644)
  writeFileSync(kept, 'A letter')
  const { code, out } = await made.ntt('verify', '--depth', 'hash')
  expect(code).toBe(3)
  expect(out).toMatch(/^ {2}! {2}floppy +enumerate +product: expected there/m)
  expect(out).toMatch(/2 failed/)
  expect(out).not.toMatch(/needs? you/)
  const paths = ['letter', 'below/linked', 'below/the same letter']
  const why = await made.ntt('why', 'box', 'copy', '--json')
  for (const path of paths) expect(why.out).toContain(`"${path}: ${blob}"`)
  expect(why.out).not.toContain('other: ')
  const text = (await made.ntt('why', 'box', 'copy')).out
  for (const path of paths) expect(text).toContain(`${path}: `)
})
