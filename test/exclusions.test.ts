// Exclusions mean what they mean to git, which is asked the same.
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { excluding, patternFor } from '../src/model/exclusions.ts'
import { patternProblem } from '../src/model/pattern.ts'
import { chance } from './support/chance.ts'
import { scratch } from './support/project.ts'

let repository: string
beforeAll(() => {
  repository = scratch()
  execFileSync('git', ['init', '--quiet', repository])
})

/** Which of these paths git leaves out by these patterns. */
function byGit(patterns: readonly string[], paths: readonly string[]): readonly string[] {
  writeFileSync(join(repository, '.git/info/exclude'), `${patterns.join('\n')}\n`)
  const asked = ['-C', repository, 'check-ignore', '--no-index', '-z', '--stdin']
  const { status, stdout } = spawnSync('git', asked, { input: `${paths.join('\0')}\0`, encoding: 'utf8' })
  // 1: none of them.
  if (status !== 0 && status !== 1) throw new Error(`git ended with ${status}`)
  return stdout.split('\0').filter((path) => path !== '')
}

function byUs(patterns: readonly string[], paths: readonly string[]): readonly string[] {
  const exclude = excluding(patterns)
  return paths.filter((path) => exclude(Buffer.from(path)) !== null)
}

const names = ['a?b', 'axb', 'a*b', 'ab', 'a[b', 'a!b', 'a^b', 'a\\b', 'a-b', 'a]b', 'aéb', '#f', '!f', 'f ']
const paths = [...names, 'x?', 'x*', '[x]', 'x', 'a.txt', 'b.txt', 'dir/a.txt', 'dir/axb/deep', 'A.TXT', 'é']

const sound = [
  '[!a]*.txt',
  '[^a]*.txt',
  'a[!x]b',
  'a[^x]b',
  'a[!?]b',
  'a[x-z]b',
  'a[[]b',
  'a[]]b',
  'a[]-]b',
  'a\\?b',
  'x\\?',
  'a[?]b',
  'a[*]b',
  'a[\\?]b',
  'x[?*]',
  '\\[x\\]',
  '[[:alpha:]]',
  'a[[:punct:]]b',
  '\\#f',
  '\\!f',
  'f\\ ',
  'a\\\\b',
  '*\\**',
  '**/a?b',
  'dir/*',
  '/a?b',
  'dir/',
  '*.txt',
  'a??b',
  'é',
]

test.each(sound)('%s', (pattern) => {
  expect(patternProblem(pattern)).toBe(null)
  expect(byUs([pattern], paths)).toEqual(byGit([pattern], paths))
})

test('what is taken back in, and what lies in a folder that is left out', () => {
  for (const patterns of [
    ['*.txt', '!a.txt'],
    ['dir/', '!dir/a.txt'],
    ['*', '!a?b'],
    ['[!a]*', '!dir', 'dir/axb'],
  ])
    expect(byUs(patterns, paths)).toEqual(byGit(patterns, paths))
})

test('patterns of chance', () => {
  const below = chance(7)
  const pieces = [
    'a',
    'b',
    'x',
    '.',
    '?',
    '*',
    '**',
    '/',
    '[!a]',
    '[^x]',
    '[ab]',
    '[a-c]',
    '\\?',
    '\\*',
    '[?]',
    '-',
  ]
  const made = (most: number, of: readonly string[]): string =>
    Array.from({ length: 1 + below(most) }, () => of[below(of.length)] ?? '').join('')
  const some = Array.from({ length: 300 }, () =>
    made(6, ['a', 'b', 'x', '.', '?', '*', '-', 'c', '/']),
  ).filter((path) => !/^\/|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/.test(path))
  for (let count = 0; count < 400; count += 1) {
    const pattern = made(5, pieces)
    if (patternProblem(pattern) !== null) continue
    expect([pattern, byUs([pattern], some)]).toEqual([pattern, byGit([pattern], some)])
  }
})

test('the pattern that is told for a folder leaves out that folder alone', () => {
  for (const path of ['a?b', 'a*b', 'a[b', 'a\\b', '!f', '#f']) {
    const inside = names.map((name) => `${name}/file`)
    expect(byUs([patternFor(path)], inside)).toEqual([`${path}/file`])
  }
})
