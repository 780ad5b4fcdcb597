// The README says what the code says: exit codes, reasons, verbs, roots; and its tour works as typed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { variables } from '../src/config.ts'
import { exitCodes, seriousness } from '../src/model/errors.ts'
import { reasonCodes } from '../src/model/stage.ts'
import { repository } from './support/project.ts'

const readme = readFileSync(join(repository, 'README.md'), 'utf8')

/** The rows of the table below a heading, cells trimmed, without its head. */
function table(heading: string): readonly (readonly string[])[] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .replaceAll(String.raw`\|`, '\0')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('\0', '|').trim()),
    )
}

test('the table of exit codes is the one of the code', () => {
  expect(table('Exit codes')).toEqual(
    Object.entries(exitCodes)
      .map(([code, meaning]) => [code, meaning])
      .toSorted(([a], [b]) => Number(a) - Number(b)),
  )
})

test('which exit code wins is told in the order of the code', () => {
  expect(readme).toContain(`the most serious is returned: ${seriousness.filter(Boolean).join(', ')}.`)
})

test('the table of reasons is the closed list', () => {
  expect(table('Reasons')).toEqual(
    Object.entries(reasonCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
  )
})

test('the table of keys has every key that a medium may have', () => {
  interface Part {
    readonly properties?: Readonly<Record<string, Part>>
  }
  const schema: Part = JSON.parse(readFileSync(join(repository, 'schemas/medium.schema.json'), 'utf8'))
  const keys = Object.entries(schema.properties ?? {}).flatMap(([key, { properties }]) =>
    key === 'policy' ? Object.keys(properties ?? {}).map((one) => `policy.${one}`) : [key],
  )
  const rows = table("Every key of a medium's file")
  expect(new Set(rows.map(([key]) => key?.replaceAll('`', '')))).toEqual(new Set(keys))
  const told = rows.map(([, what]) => what).join()
  for (const key of ['source', 'expect'])
    for (const one of Object.keys(schema.properties?.[key]?.properties ?? {})) expect(told).toContain(one)
})

test('every variable that the README names is read, and every root has its own', () => {
  const named = [...readme.matchAll(/`(NTT_[A-Z_]+)`/g)].map((match) => match[1] ?? '')
  expect(named.length).toBeGreaterThan(4)
  expect(named.filter((name) => !(name in variables))).toEqual([])
})
