// ntt validate: what it reads, what it passes over, what it prints and how it ends.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { validate } from '../../src/cli/validate.ts'
import { ObserveError, UsageError } from '../../src/model/errors.ts'
import { documentOf, openOut } from '../support/outs.ts'
import { freshDatabase } from '../support/postgres.ts'
import { sampleProject } from '../support/project.ts'

let project: string
let media: string
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ntt-validate-'))
  media = join(project, 'media.d')
  mkdirSync(media)
})
afterEach(() => rmSync(project, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(media, name), text)
async function run(files: readonly string[] = [], json = false) {
  const out = openOut()
  const code = await validate({ media, project }, { files, folder: project, json }, out)
  return { code, text: out.text }
}

test('good declarations end with 0 and a count', async () => {
  write('a.yaml', 'source: {image: a}')
  write('b.yml', 'source: {image: b}')
  expect(await run()).toEqual({ code: 0, text: '2 media well declared.\n' })
})

test('problems end with 1, each with file, line, column and frame', async () => {
  write('a.yaml', 'lable: x\nsource: {image: a}\n')
  const { code, text } = await run()
  expect(code).toBe(1)
  expect(text).toContain(
    'media.d/a.yaml:1:1 lable: unknown key — did you mean "label"?\n  > 1 | lable: x\n      | ^^^^^\n',
  )
  expect(text).not.toContain('1 problem')
  write('b.yaml', 'source: {image: b}\ntarget: archive\n')
  expect((await run()).text).toContain('\n2 problems in 2 files.\n')
})

test('what declares nothing is passed over, each with its reason', async () => {
  write('a.yaml', 'source: {image: a}')
  for (const name of ['.hidden.yaml', 'README.md', 'a.yaml~']) write(name, 'not: [even yaml')
  mkdirSync(join(media, 'folder'))
  execFileSync('mkfifo', [join(media, 'pipe')])
  const { code, text } = await run()
  expect(code).toBe(0)
  expect(text.split('\n').map((line) => line.replace(/ {2,}/, ' | '))).toEqual([
    'passed over: media.d/.hidden.yaml | hidden',
    'passed over: media.d/README.md | not a .yaml file',
    'passed over: media.d/a.yaml~ | not a .yaml file',
    'passed over: media.d/folder | not a .yaml file',
    'passed over: media.d/pipe | not a .yaml file',
    '1 medium well declared.',
    '',
  ])
})

test('what is named like a declaration and is none is a problem: its medium would be left undone', async () => {
  write('a.yaml', 'source: {image: a}')
  write('B.YAML', 'source: {image: b}')
  mkdirSync(join(media, 'folder.yaml'))
  execFileSync('mkfifo', [join(media, 'pipe.yaml')])
  const { code, text } = await run()
  expect(code).toBe(1)
  expect(text).toContain('media.d/B.YAML: the ending must be .yaml in lower case')
  for (const name of ['folder', 'pipe'])
    expect(text).toContain(`media.d/${name}.yaml: it is named like the declaration of a medium`)
})

test('files and folders can be named; what is not there is a wrong use', async () => {
  write('a.yaml', 'source: {image: a}')
  write('b.yaml', 'sauce: {image: b}')
  expect((await run(['media.d/a.yaml'])).code).toBe(0)
  expect((await run([media])).code).toBe(1)
  await expect(run(['media.d/c.yaml'])).rejects.toThrow(UsageError)
})

test('a declaration that cannot be read is not passed over', async () => {
  symlinkSync('nowhere', join(media, 'a.yaml'))
  await expect(run()).rejects.toThrow(ObserveError)
})

test('--json is one document that its schema describes', async () => {
  write('a.yaml', 'source: {image: a}')
  write('.x', '')
  expect(documentOf('validate', (await run([], true)).text)).toEqual({
    ok: true,
    media: [{ medium: 'a', file: 'media.d/a.yaml' }],
    ignored: [{ file: 'media.d/.x', reason: 'hidden' }],
    problems: [],
  })
  write('a.yaml', 'lable: x')
  expect(documentOf('validate', (await run([], true)).text)).toMatchObject({
    ok: false,
    problems: [{ line: 1 }, { line: 1 }],
  })
})

test('an empty media.d is told how to get its first medium', async () => {
  expect((await run()).text).toBe(
    '0 media well declared.\nTo declare a first one, run:\n    ntt add SOURCE\n',
  )
})

test('a file that is wrong keeps no other medium from what is asked of that one by name, and is told', async () => {
  const made = sampleProject(['floppy.img'], { database: await freshDatabase() })
  made.medium('wrong', 'source: {image: floppy.img}\ntargett: archived\n')
  for (const verb of ['plan', 'apply', 'status', 'losses', 'why', 'verify']) {
    const { code, out, err } = await made.ntt(verb, ...(verb === 'apply' ? ['--yes'] : []), 'floppy')
    expect([verb, code === 1, err], out).toEqual([
      verb,
      false,
      expect.stringMatching(/^media\.d\/wrong\.yaml:2: .*targett.*; its medium is left out$/m),
    ])
    expect(out).not.toContain('declared by no file')
    // Of all, and of the wrong one, nothing is said before it is mended.
    if (verb === 'why') continue
    const all = await made.ntt(verb, ...(verb === 'apply' ? ['--yes'] : []))
    expect([verb, all.code, all.err]).toEqual([verb, 1, expect.stringContaining('targett')])
    expect((await made.ntt(verb, 'wrong')).code).toBe(1)
  }
  // Which of two is right nobody can say.
  made.medium('wrong', 'source: {image: floppy.img}\n')
  const two = await made.ntt('plan', 'floppy')
  expect([two.code, two.err]).toEqual([1, expect.stringContaining('the same source twice')])
})
