// ntt find and ntt cat: every file is found by its bytes, and no content is handed over that is not what its name says.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { typedPath, typedPattern } from '../../src/model/typed-path.ts'
import { documentOf } from '../support/outs.ts'
import { ask, freshDatabase } from '../support/postgres.ts'
import { project, repository, type Project } from '../support/project.ts'

let made: Project
let database: string
const content = Buffer.from(Array.from({ length: 300_000 }, (_none, at) => (at * 7) % 251))

beforeAll(async () => {
  database = await freshDatabase()
  made = project({ database })
  const put = (path: string, bytes: Buffer | string): void => {
    const whole = Buffer.concat([Buffer.from(`${made.path('box')}/`), Buffer.from(path, 'latin1')])
    mkdirSync(whole.subarray(0, whole.lastIndexOf('/')), { recursive: true })
    writeFileSync(whole, bytes)
  }
  put('letters/first.doc', content)
  put('letters/deep/second.doc', 'second')
  put('letters/notes.txt', 'notes')
  put('caf\xe9 \\ [1].doc', 'not UTF-8')
  put(Buffer.from('größe.doc').toString('latin1'), 'UTF-8')
  put('empty.doc', '')
  put('left.tmp', 'left out')
  symlinkSync('first.doc', made.path('box/letters/link.doc'))
  made.medium('box', 'source: {directory: ../box}\ntarget: copied\nexclude: ["*.tmp"]\n')
  const { code, out, err } = await made.ntt('apply', '--yes')
  if (code !== 0) throw new Error(out + err)
  made.medium('later', 'source: {directory: ../box/letters}\ntarget: copied\n')
})

const paths = async (...words: readonly string[]): Promise<readonly string[]> => {
  const { out } = await made.ntt('find', ...words, '--json')
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => (documentOf('find', `${line}\n`) as { path: string }).path)
}

test('names and paths are found as a shell would, whatever bytes they have', async () => {
  expect(await paths('*.doc', 'box')).toEqual([
    'caf\xe9 \\ [1].doc',
    'empty.doc',
    Buffer.from('größe.doc').toString('latin1'),
    'letters/deep/second.doc',
    'letters/first.doc',
    'letters/link.doc',
  ])
  expect(await paths('letters/*.doc')).toEqual(['letters/first.doc', 'letters/link.doc'])
  expect(await paths('letters/**.doc')).toHaveLength(3)
  expect(await paths('gr??e.doc')).toHaveLength(1)
  expect(await paths(String.raw`caf\xe9*`)).toEqual(['caf\xe9 \\ [1].doc'])
  expect(await paths(String.raw`caf? \\ \[1].doc`)).toHaveLength(1)
  expect(await paths('[ef]*.doc')).toEqual(['empty.doc', 'letters/first.doc'])
  expect(await paths('[!a-z]*')).toEqual([])
  expect(await paths("'; drop table medium --")).toEqual([])
})

test('a line tells what became of a file; media without rows are told, and unknown', async () => {
  const named = await made.ntt('find', '*.t*', 'box')
  expect([named.code, named.out]).toEqual([
    0,
    expect.stringMatching(
      /^f +8 {2}excluded +box {2}left\.tmp\nf +5 {2}[0-9a-f]{8} +box {2}letters\/notes\.txt\n$/,
    ),
  ])
  const all = await made.ntt('find', 'nothing')
  expect([all.code, all.out, all.err]).toEqual([
    5,
    '',
    'Nothing that was searched matches.\nNot searched, because not loaded: 1 medium (later).\n',
  ])
  expect((await made.ntt('find', '*', 'bix')).err).toContain('Did you mean box?')
  expect((await made.ntt('find', '[a')).err).toContain('has no end')
})

const cat = (...words: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(
    `${repository}/bin/ntt`,
    ['-C', made.folder, 'cat', ...words],
    {
      env: { ...process.env, NTT_DB_URL: database },
      maxBuffer: 1 << 30,
    },
  )
  return { code: status, bytes: stdout, told: stderr.toString() }
}

test('a content comes out byte for byte, by the path as it is shown', () => {
  expect(cat('box', 'letters/first.doc')).toMatchObject({ code: 0, bytes: content })
  expect(cat('box', String.raw`caf\xe9 \\ [1].doc`)).toMatchObject({
    code: 0,
    bytes: Buffer.from('not UTF-8'),
  })
  expect(cat('box/0', '/größe.doc')).toMatchObject({ code: 0, bytes: Buffer.from('UTF-8') })
  expect(cat('box', 'empty.doc')).toMatchObject({ code: 0, bytes: Buffer.alloc(0) })
})

test('what is no content is told, and nothing is written', () => {
  for (const [path, code, said] of [
    ['left.tmp', 2, 'left out, by the pattern: *.tmp'],
    ['letters', 1, 'is no file'],
    ['letters/link.doc', 1, 'is a link to first.doc'],
    ['letters/third.doc', 1, 'box has no letters/third.doc'],
  ] as const)
    expect(cat('box', path)).toMatchObject({
      code,
      bytes: Buffer.alloc(0),
      told: expect.stringContaining(said),
    })
})

test('a content that has rotted in the store is not handed over: 3, and not a byte', async () => {
  const store = made.path('.ntt/by-hash')
  const [blob = ''] = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(store, name)
    return /[0-9a-f]{64}$/.test(name) && statSync(path).size === content.length
  })
  const rotten = Buffer.from(content)
  rotten[200_000] = 0
  chmodSync(join(store, blob), 0o644)
  writeFileSync(join(store, blob), rotten)
  expect(cat('box', 'letters/first.doc')).toMatchObject({
    code: 3,
    bytes: Buffer.alloc(0),
    told: expect.stringMatching(/is not what its name\s+says/),
  })
  expect((await made.ntt('apply', '--yes', '--redo', 'box/copy', 'box')).code).toBe(0)
  expect(cat('box', 'letters/first.doc')).toMatchObject({ code: 0, bytes: content })
})

test('media of which rows were taken away are not searched, and that is said', async () => {
  const [table] = await ask<{ name: string }>(
    database,
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'inode'::regclass",
  )
  await ask(database, `drop table ${table?.name}`)
  const { code, out, err } = await made.ntt('find', '*.doc', 'box')
  expect([code, out, err]).toEqual([
    5,
    '',
    expect.stringContaining('Not searched, because not loaded: 1 medium (box)'),
  ])
  expect(cat('box', 'letters/first.doc')).toMatchObject({ code: 5, bytes: Buffer.alloc(0) })
})

test('what a person types is bytes', () => {
  expect(typedPath(String.raw`/a\xe4\\\n\u{202e}/`)).toEqual(
    Buffer.concat([Buffer.from('a'), Buffer.from([0xe4]), Buffer.from('\\\n\u202e')]),
  )
  expect(typedPattern('*.c')).toEqual({ regex: String.raw`^[^/]*\.c$`, of: 'name' })
  expect(typedPattern('/a[!b]c/')).toEqual({ regex: '^a[^/b]c$', of: 'path' })
  expect(() => typedPattern('[[:alpha:]]')).toThrow('single bytes of ASCII')
})
