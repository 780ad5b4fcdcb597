// What the store has that is none of ours: a folder or a file where another thing belongs, and names that somebody may write to.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { blake3 } from '@napi-rs/blake-hash'
import { beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { project, sampleImages, type Project } from '../support/project.ts'

let made: Project

beforeAll(async () => {
  made = project({ database: await freshDatabase() })
  // A name that a shell would trip over, as the command that audit gives is typed into one.
  made.write('ntt.yaml', `roots: { by-hash: "the store's" }\n`)
  for (const name of ['one', 'two']) {
    cpSync(join(sampleImages, 'box7'), made.path('media.d', name), { recursive: true })
    made.medium(name, `label: ${name}\nsource:\n  directory: ${name}\ntarget: copied\n`)
  }
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
})

const store = (): string => made.path("the store's")
const placeOf = (blob: string): string => join(store(), blob.slice(0, 2), blob.slice(2, 4), blob)

/** A content that the store has, of some size. */
function someBlob(): string {
  const names = readdirSync(store(), { recursive: true, encoding: 'utf8' })
  const found = names.find(
    (name) => /\/[0-9a-f]{64}$/.test(name) && statSync(join(store(), name)).size > 1000,
  )
  return basename(found ?? '')
}

describe.each([
  ['folder', 'a folder lies in its place', (place: string) => mkdirSync(place)],
  ['link', 'a link lies in its place', (place: string) => symlinkSync('/etc/passwd', place)],
] as const)('a %s in the place of a content', (_, told, make) => {
  test('is told as that by every verb, moved aside, and the content comes back', async () => {
    const blob = someBlob()
    rmSync(placeOf(blob))
    make(placeOf(blob))
    const audited = await made.ntt('audit')
    expect([audited.code, audited.out]).toEqual([3, expect.stringContaining(`${blob} (${told})`)])
    const verified = await made.ntt('verify', '--depth', 'hash')
    expect([verified.code, verified.out]).toEqual([
      3,
      expect.stringContaining(`${blob} is not in the store: ${told} (of `),
    ])
    // It is one thing that is wrong with it, and told once.
    expect(verified.out).toContain('contents not in the store: expected 0, found 1')
    expect(verified.out).not.toContain('contents not what their name says')
    expect((await made.ntt('why', 'one', 'copy')).out).toContain(`${blob}: ${told}`)
    const applied = await made.ntt('apply', '--yes')
    expect([applied.code, applied.out]).toEqual([0, expect.stringContaining(`${blob}.aside-failed-proof-`)])
    expect(statSync(placeOf(blob)).isFile()).toBe(true)
    expect((await made.ntt('audit')).code).toBe(0)
  })
})

describe('something in the way of a content that is new', () => {
  let blob = ''
  const declare = (content: string): void => {
    blob = blake3(content).toString('hex')
    mkdirSync(made.path('media.d', content), { recursive: true })
    writeFileSync(made.path('media.d', content, 'file'), content)
    made.medium(content, `label: x\nsource:\n  directory: ${content}\ntarget: copied\n`)
  }

  test.each([
    [
      'three',
      'a folder lies under the name of a content',
      () => placeOf(blob),
      (place: string) => mkdirSync(place, { recursive: true }),
    ],
    [
      'four',
      'a file lies where a folder of the store belongs',
      () => dirname(placeOf(blob)),
      (place: string) => {
        mkdirSync(dirname(place), { recursive: true })
        writeFileSync(place, '')
      },
    ],
  ] as const)(
    '%s: %s; the medium fails with what to do, and converges when it was done',
    async (name, told, place, make) => {
      declare(name)
      make(place())
      const { code, out } = await made.ntt('apply', '--yes')
      expect([code, out]).toEqual([4, expect.stringContaining(told)])
      expect(out).toContain('move it away')
      rmSync(place(), { recursive: true })
      expect((await made.ntt('apply', '--yes')).code).toBe(0)
    },
  )
})

test('what lies between the folders of the store is told, at each level; what a mount point has of itself is not', async () => {
  const store = made.path("the store's")
  const above = join(store, someBlob().slice(0, 2))
  for (const place of [join(store, 'lost+found'), join(store, 'zz'), join(above, 'zz')]) mkdirSync(place)
  writeFileSync(join(store, 'notes'), '')
  const { code, out } = await made.ntt('audit')
  for (const place of [join(store, 'lost+found'), join(store, 'zz'), join(above, 'zz'), join(store, 'notes')])
    rmSync(place, { recursive: true })
  expect([code, out]).toEqual([2, expect.stringContaining('3 contents of the store are not known')])
  expect(out).toMatch(/^ {6}notes\n {6}zz\n {6}[0-9a-f]{2}\/zz\n/m)
  expect((await made.ntt('audit')).code).toBe(0)
})

test('a content or a folder that somebody may write to is told, with the command that mends it', async () => {
  expect((await made.ntt('audit')).code).toBe(0)
  const blob = someBlob()
  chmodSync(placeOf(blob), 0o644)
  chmodSync(dirname(dirname(placeOf(blob))), 0o775)
  const { code, out } = await made.ntt('audit')
  expect([code, out]).toEqual([2, expect.stringContaining('2 names of the store can be written to')])
  expect(out).toContain(`      ${blob}\n`)
  expect(out).toContain(`      ${blob.slice(0, 2)}/\n`)
  const [, command = ''] = /puts it right: (chmod .*)\n/.exec(out) ?? []
  execFileSync('sh', ['-c', command])
  expect((await made.ntt('audit')).code).toBe(0)
  expect((await made.ntt('verify')).code).toBe(0)
})
