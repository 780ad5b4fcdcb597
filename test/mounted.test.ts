// A filesystem that is mounted inside a directory medium: never left out in silence, and left out by a person's word alone.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { excludingMount, patternFor } from '../src/model/exclusions.ts'
import { freshDatabase } from './support/postgres.ts'
import { project, type Project } from './support/project.ts'

const root = process.getuid?.() === 0

/** `box` has a file, and another filesystem with a file at each of these paths. */
async function mounted(...paths: readonly string[]): Promise<Project> {
  const made = project({ database: await freshDatabase() })
  mkdirSync(made.path('box'))
  made.write('box/a.txt', 'a\n')
  for (const path of paths) {
    const place = made.path('box', path)
    mkdirSync(place, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'ntt-test', place])
    onTestFinished(() => void execFileSync('sh', ['-c', 'umount "$0" 2>/dev/null || :', place]))
    writeFileSync(`${place}/hidden.txt`, 'hidden\n')
  }
  return made
}
const declare = (made: Project, more = ''): void => made.medium('box', `source: {directory: ../box}\n${more}`)

test.runIf(root)('what is mounted inside is told by its path, and opens no gate', async () => {
  const made = await mounted('sub/mnt')
  declare(made)
  const applied = await made.ntt('apply', '--yes')
  expect([applied.code, applied.out]).toEqual([4, expect.stringContaining('mounted there: "sub/mnt"')])
  const { code, out } = await made.ntt('plan')
  expect([code, out]).toEqual([2, expect.stringMatching(/ x +enumerate +.*exclude: \["\/sub\/mnt\/"\]/)])
  expect(out).toContain('load, copy, archive wait for enumerate')
  expect((await made.ntt('losses')).code).toBe(2)
  expect((await made.ntt('status')).code).toBe(2)
})

test.runIf(root)('unmounted, it is read whole when the enumeration is made again', async () => {
  const made = await mounted('sub/mnt')
  declare(made)
  expect((await made.ntt('apply', '--yes')).code).toBe(4)
  execFileSync('umount', [made.path('box/sub/mnt')])
  expect((await made.ntt('apply', '--yes', '--redo', 'box/enumerate')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
})

test.runIf(root)('accepted by policy it goes on, and is a loss still', async () => {
  const made = await mounted('sub/mnt')
  declare(made, 'policy: {partitions: {0: accept}}\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  const { code, out } = await made.ntt('losses')
  expect([code, out]).toEqual([2, expect.stringContaining('sub/mnt')])
})

test.runIf(root)('excluded by its very folder it is left out, for as long as its file says so', async () => {
  const made = await mounted('sub/mnt', 'other [1]')
  declare(made, 'exclude: [/sub/]\n')
  expect((await made.ntt('apply', '--yes')).code).toBe(4)
  const half = await made.ntt('plan')
  expect(half.out).toContain(String.raw`exclude: ["/other \\[1]/"]`)
  declare(made, String.raw`exclude: [/sub/, "/other \\[1]/"]`)
  expect((await made.ntt('apply', '--yes')).code).toBe(0)
  expect((await made.ntt('plan')).code).toBe(0)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
  const { code, out } = await made.ntt('losses')
  expect([code, out]).toEqual([0, expect.stringMatching(/"sub\/mnt" is left out, by \/sub\//)])
  declare(made, 'exclude: [/sub/]\n')
  expect((await made.ntt('plan')).out).toMatch(/ x +enumerate +.*mounted there/)
})

test('the pattern that is told leaves out that folder, whatever its name, and not its neighbour', () => {
  for (const path of [
    'sub/mnt',
    'a b /c ',
    '!x',
    '#x',
    '*',
    'a?',
    '[a]',
    'back\\slash',
    'line\nfeed',
    '\xff\xfe',
    'gr\xc3\xbc\xc3\x9f',
  ]) {
    const exclude = excludingMount([patternFor(path)])
    expect([path, exclude(path)]).toEqual([path, expect.any(String)])
    expect(exclude(`${path}y`)).toBeNull()
    expect(exclude(`deeper/${path}`)).toBeNull()
  }
})
