// Shell completion: the real shells are asked what they would offer.
import { Command, Option } from 'commander'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { completion, completionNames } from '../../src/cli/completion.ts'
import { UsageError } from '../../src/model/errors.ts'
import { openOut } from '../support/outs.ts'
import { scratch } from '../support/project.ts'

const has = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)))

/** A command with everything that completion has to tell apart. */
function script(shell: string): string {
  const program = new Command('ntt')
    .option('-C <dir>', 'the project')
    .option('--no-color', "don't use [colours]: none")
  program
    .command('plan')
    .argument('[media...]')
    .description('look, and show what apply would do')
    .addOption(new Option('--target <stage>', 'stop at').choices(['imaged', 'copied']))
    .addOption(new Option('--only <medium>', 'this one'))
    .option('--out <file>', 'save the plan')
  program.command('why').argument('<medium>').argument('[stage]').description('the facts')
  program.command('doctor').description('tools, and roots')
  const out = openOut()
  expect(completion(program, shell, out)).toBe(0)
  return out.text
}

/** A folder with the script of a shell, some files, and an `ntt` that knows two media. */
function place(shell: string): string {
  const folder = scratch()
  mkdirSync(join(folder, 'bin'))
  mkdirSync(join(folder, 'some folder'))
  writeFileSync(join(folder, 'some file.plan'), '')
  writeFileSync(join(folder, 'bin/ntt'), '#!/bin/sh\necho ceh-report; echo box7\n', { mode: 0o755 })
  writeFileSync(join(folder, `ntt.${shell}`), script(shell))
  return folder
}

const run = (folder: string, program: string, text: string): readonly string[] =>
  execFileSync(program, ['-c', text], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`, HOME: folder, LC_ALL: 'C.UTF-8' },
  })
    .split('\n')
    .filter((line) => line !== '')

/** What is offered for the last word. */
const offers: readonly (readonly [words: string, offered: readonly string[]])[] = [
  ['ntt pl', ['plan']],
  ['ntt plan ', ['box7', 'ceh-report']],
  ['ntt plan box7 ceh', ['ceh-report']],
  ['ntt plan --target ', ['copied', 'imaged']],
  ['ntt plan --only b', ['box7']],
  ['ntt plan --out some', ['some file.plan', 'some folder']],
  ['ntt -C some', ['some folder']],
  ['ntt -C x why ', ['box7', 'ceh-report']],
  ['ntt why box7 ', ['archive', 'copy', 'enumerate', 'image', 'load']],
]

test.each(offers)('bash offers for `%s` %j', (words, offered) => {
  const folder = place('bash')
  const [...line] = words.split(' ')
  const ask = `source ntt.bash; compopt() { :; }; COMP_WORDS=(${line.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${line.length - 1}; _ntt; printf '%s\\n' "\${COMPREPLY[@]}"`
  expect(run(folder, 'bash', ask).toSorted()).toEqual([...offered])
})

test('bash offers flags of the verb and of all verbs', () => {
  const ask = `source ntt.bash; COMP_WORDS=(ntt plan --); COMP_CWORD=2; _ntt; printf '%s\\n' "\${COMPREPLY[@]}"`
  expect(run(place('bash'), 'bash', ask).toSorted()).toEqual(['--no-color', '--only', '--out', '--target'])
})

test.skipIf(!has('fish')).each(offers.slice(0, 5))('fish offers for `%s` %j', (words, offered) => {
  const lines = run(place('fish'), 'fish', `source ntt.fish; complete --do-complete '${words}'`)
  expect(lines.map((line) => line.split('\t')[0] ?? '').toSorted()).toEqual([...offered])
})

test.skipIf(!has('zsh'))('zsh reads the script, and its function stands', () => {
  const folder = place('zsh')
  execFileSync('zsh', ['-n', join(folder, 'ntt.zsh')])
  const ask = 'autoload -U compinit; compinit -u -D; sed "\\$d" ntt.zsh > f; source ./f; whence -w _ntt'
  expect(run(folder, 'zsh', ask)).toEqual(['_ntt: function'])
})

test('a shell that is none is a wrong use', () => {
  expect(() => script('tcsh')).toThrow(UsageError)
})

test('names are offered only where no shell would read more into them', async () => {
  const media = join(scratch(), 'media.d')
  mkdirSync(media)
  for (const name of ['cd-1.yaml', '$(reboot).yaml', 'a b.yaml', '`id`.yml', '.hidden.yaml', "it's.yaml"])
    writeFileSync(join(media, name), 'not even: [yaml')
  const out = openOut()
  expect(await completionNames({ media, project: join(media, '..') }, out)).toBe(0)
  expect(out.text).toBe('cd-1\n')
})
