// Pipes, folders and links where files should lie: nobody waits for a pipe, and nothing that is no file is taken for one.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'
import { sampleProject, type Project } from './support/project.ts'

const pipe = (path: string): void => {
  rmSync(path, { force: true })
  execFileSync('mkfifo', [path])
}

const converged = async (): Promise<Project> => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  return made
}

/** The names of contents in the store, the largest first. */
const blobs = (made: Project): readonly string[] =>
  readdirSync(made.path('.ntt/by-hash'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/[0-9a-f]{64}$/.test(name))
    .map((name) => made.path('.ntt/by-hash', name))
    .toSorted((one, other) => readFileSync(other).length - readFileSync(one).length)

describe('in the store', () => {
  test.each([
    ['a pipe', pipe],
    ['a folder', (path: string) => mkdirSync(path)],
    ['a device without an end', (path: string) => symlinkSync('/dev/zero', path)],
  ])('%s in the place of a content is moved aside, and the content comes back', async (_what, lay) => {
    const made = await converged()
    const [blob = ''] = blobs(made)
    renameSync(blob, made.path('content'))
    lay(blob)
    const { code, out } = await made.ntt('verify')
    expect([code, out]).toEqual([3, expect.stringContaining('contents not in the store')])
    expect((await made.ntt('apply', '--yes')).code).toBe(0)
    expect(readFileSync(blob)).toEqual(readFileSync(made.path('content')))
    const beside = readdirSync(dirname(blob)).filter((name) => name.includes('.aside-failed-proof'))
    expect(beside).toHaveLength(1)
    expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  })

  test('a pipe in the place of its marker: nobody knows which store it is', async () => {
    const made = await converged()
    pipe(made.path('.ntt/by-hash/.ntt-store'))
    for (const verb of [['plan'], ['audit'], ['doctor'], ['verify', '--budget', '1GB']]) {
      const { code, out, err } = await made.ntt(...verb)
      expect([verb, code, out + err]).toEqual([verb, 5, expect.stringContaining('neither a file')])
    }
  })
})

test.each(['raw', 'archive'])(
  'a pipe in the place of a product (%s) is unknown, and not waited for',
  async (root) => {
    const made = await converged()
    const folder = made.path('.ntt', root)
    const [product = ''] = readdirSync(folder).filter((name) => name !== '.ntt-store')
    pipe(join(folder, product))
    for (const verb of [['plan'], ['verify', '--depth', 'hash'], ['audit'], ['apply', '--yes']]) {
      const { code, out, err } = await made.ntt(...verb)
      expect([verb, code, out + err]).toEqual([verb, 5, expect.stringContaining('neither a file')])
    }
  },
)

test('pipes in the place of an image, of the settings and of the log', async () => {
  const made = await converged()
  const image = made.path('media.d/floppy.img')
  cpSync(image, made.path('image'))
  pipe(image)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(5)
  pipe(made.path('media.d/other.img'))
  made.medium('other', 'source: {image: other.img}\n')
  expect((await made.ntt('apply', '--yes', 'other')).code).toBe(5)
  rmSync(made.path('media.d/other.yaml'))
  cpSync(made.path('image'), image, { force: true })

  pipe(made.path('ntt.yaml'))
  const { code, err } = await made.ntt('plan')
  expect([code, err]).toEqual([5, expect.stringContaining('ntt.yaml is a pipe')])
  rmSync(made.path('ntt.yaml'))

  pipe(made.path('.ntt/log/events.jsonl'))
  const codes = []
  for (const verb of [['verify'], ['verify', '--log'], ['log']]) codes.push((await made.ntt(...verb)).code)
  // Without a log nothing is begun.
  expect(codes).toEqual([4, 5, 5])
})
