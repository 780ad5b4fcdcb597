// ntt why HASH: one content from its storing on, through being read back, altered, mended and lost.
import { chmodSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { documentOf } from '../support/outs.ts'
import { freshDatabase } from '../support/postgres.ts'
import { sampleProject } from '../support/project.ts'

test('a content is told by the beginning of its hash: where it is, whose it is, and when it was last read back', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const path =
    readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' })
      .map((name) => made.path('.ntt/by-hash', name))
      .find((name) => /[0-9a-f]{64}$/.test(name) && statSync(name).size > 10) ?? ''
  const blob = basename(path)
  const why = (): Promise<{ code: number; out: string; err: string }> => made.ntt('why', blob.slice(0, 8))
  const stored = await why()
  expect(stored.code).toBe(0)
  expect(stored.out).toMatch(
    new RegExp(
      `^content ${blob}\\n[^]*store +${path}\\n[^]*read back +never since it was stored\\n[^]*held by +\\d+ files? of 1 medium\\n +floppy: \\S`,
    ),
  )
  expect((await made.ntt('verify', '--budget', '1GB', '--max-age', '0s')).code).toBe(0)
  const [last] = made.events().slice(-1)
  expect((await why()).out).toMatch(
    new RegExp(`read back .* UTC \\(just now\\), run ${String(last?.['run'])}\\n`),
  )
  const bytes = readFileSync(path)
  bytes[3] = (bytes[3] ?? 0) ^ 1
  chmodSync(path, 0o644)
  writeFileSync(path, bytes)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(3)
  const bad = await why()
  expect([bad.code, bad.out]).toEqual([
    3,
    expect.stringMatching(/bad +a proof of floppy failed .*ntt apply floppy\n/),
  ])
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await why()).code).toBe(0)
  rmSync(path)
  const gone = await why()
  expect([gone.code, gone.out]).toEqual([3, expect.stringContaining(`not there: ${path}`)])
  const { out } = await made.ntt('why', blob, '--json')
  expect(documentOf('content', out)).toMatchObject({ blob, found: null, bad: [], media: 1 })
  const none = await made.ntt('why', '0123456789')
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('knows no content of that hash')])
})
