// The walls of the house: who may import whom, and which file may import which package.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { findingCodes } from '../src/model/finding.ts'
import { reasonCodes } from '../src/model/stage.ts'

const source = join(import.meta.dirname, '../src')
const flow = [
  'desired',
  'identify',
  'observe',
  'diff',
  'plan',
  'apply',
  'prove',
  'verify',
  'record',
  'evidence',
  'ledger',
  'sweep',
  'audit',
  'losses',
  'import',
  'config',
]

/** Room to the rooms that it may import, beside itself. A flow file is a room of its own. */
const walls: Record<string, readonly string[]> = {
  model: [],
  diff: ['model'],
  plan: ['model'],
  desired: ['model', 'generated'],
  config: ['model', 'generated'],
  identify: ['model'],
  record: ['model'],
  evidence: ['model', 'record'],
  ledger: ['model'],
  sweep: ['model', 'apply', 'ledger', 'observe', 'verify'],
  observe: ['model'],
  prove: ['model', 'observe'],
  verify: ['model', 'observe', 'prove', 'apply'],
  apply: ['model', 'observe', 'diff', 'plan', 'prove'],
  audit: ['model'],
  losses: ['model'],
  import: ['model'],
  readers: ['model'],
  // A stage reads what differs between kinds as data; kinds know no stage.
  stages: ['model', 'readers', 'kinds'],
  kinds: ['model'],
  ports: ['model', 'config'],
  views: ['model', 'plan'],
  generated: [],
  cli: ['*'],
  index: ['*'],
}

/** Package to the files (or folders) that may import it. `node:` modules are for ports and doors. */
const packages: Record<string, readonly string[]> = {
  execa: ['ports/exec.ts'],
  pg: ['ports/postgres.ts', 'ports/postgres/'],
  'pg-copy-streams': ['ports/postgres.ts', 'ports/postgres/'],
  commander: ['cli/main.ts', 'cli/program.ts'],
  yaml: ['model/yaml.ts'],
  ajv: ['generated/'],
  ignore: ['model/exclusions.ts'],
  ink: ['views/tui/'],
  react: ['views/tui/'],
  koffi: ['ports/'],
  '@napi-rs/blake-hash': ['ports/'],
  'string-width': ['views/'],
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
  .toSorted()

const imports = (file: string): readonly string[] =>
  [
    ...readFileSync(join(source, file), 'utf8').matchAll(
      /(?:^|\s)(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)|^import '([^']+)'/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3] ?? '')

const room = (file: string): string => {
  const [first = ''] = file.split('/')
  return first.replace(/\.tsx?$/, '')
}

test('every file of src belongs to a room of the house', () => {
  const strangers = files.map(room).filter((name) => !(name in walls))
  expect([...new Set(strangers)]).toEqual([])
  expect(flow.every((name) => name in walls)).toBe(true)
})

test('no import runs through a wall', () => {
  const broken = files.flatMap((file) => {
    const here = room(file)
    return imports(file)
      .filter((name) => name.startsWith('.'))
      .map((name) => relative(source, join(source, dirname(file), name)))
      .filter((target) => {
        const there = room(target)
        const may = walls[here] ?? []
        if (here === 'stages' && there === 'stages') {
          // One stage does not know another; the list of all of them does.
          return file !== 'stages/index.ts' && file.split('/')[1] !== target.split('/')[1]
        }
        return there !== here && !may.includes(there) && !may.includes('*')
      })
      .map((target) => `${file} -> ${target}`)
  })
  expect(broken).toEqual([])
})

test('a package is imported only where it belongs', () => {
  const broken = files.flatMap((file) =>
    imports(file)
      .filter((name) => !name.startsWith('.'))
      .filter((name) => {
        if (name.startsWith('node:')) {
          if (['ports', 'cli', 'config'].includes(room(file)) || file.startsWith('views/')) return false
          // Unpacking, like hashing, is arithmetic: it reaches nothing outside. One file has to do it.
          if (file === 'readers/btrfs/content.ts' && name === 'node:zlib') return false
          return name !== 'node:crypto'
        }
        const bare = name.startsWith('@')
          ? name.split('/').slice(0, 2).join('/')
          : (name.split('/')[0] ?? name)
        const allowed = packages[bare]
        return (
          allowed === undefined ||
          !allowed.some((place) => file === place || (place.endsWith('/') && file.startsWith(place)))
        )
      })
      .map((name) => `${file} -> ${name}`),
  )
  expect(broken).toEqual([])
})

test('each file opens with one line that says what it is', () => {
  const silent = files.filter((file) => !/^\/\/ \S.{10,}/.test(readFileSync(join(source, file), 'utf8')))
  expect(silent).toEqual([])
})

test('no file needs itself by way of others', () => {
  const erased = /^(?:import|export) type [^;]*?from '[^']+'$/gm
  const needs = new Map(
    files.map((file) => {
      const text = readFileSync(join(source, file), 'utf8').replace(erased, '')
      const named = [...text.matchAll(/^(?:import|export)\s[^'"]*?from\s+'(\.[^']+)'/gm)]
      return [file, named.map((match) => relative(source, join(source, dirname(file), match[1] ?? '')))]
    }),
  )
  // What needs nothing that is left is in no ring; what remains in the end is in one, or leads to one.
  for (let before = 0; before !== needs.size;) {
    before = needs.size
    for (const [file, others] of needs) if (!others.some((other) => needs.has(other))) needs.delete(file)
  }
  expect([...needs.keys()]).toEqual([])
})

test('no file is so long that it must have a second job', () => {
  const lines = (file: string): number => readFileSync(join(source, file), 'utf8').split('\n').length
  expect(files.filter((file) => lines(file) > 300)).toEqual([])
})

test('no comment sends its reader to a document that is not here', () => {
  const root = join(source, '..')
  const broken = ['src', 'test', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:tsx?|mjs)$/.test(file))
      .flatMap((file) => {
        const comments = readFileSync(join(root, folder, file), 'utf8').match(/^\s*(?:\/[/*]|\*).*$/gm) ?? []
        const named = comments.join('\n').match(/(?:[\w-]+\/)+[\w.-]+\.md\b/g) ?? []
        return named.filter((name) => !existsSync(join(root, name))).map((name) => `${file} -> ${name}`)
      }),
  )
  expect(broken).toEqual([])
})

test('every reason and every finding that is documented is given by somebody', () => {
  const notGiven = (codes: object, home: string): readonly string[] => {
    const others = files
      .filter((file) => file !== home)
      .map((file) => readFileSync(join(source, file), 'utf8'))
    return Object.keys(codes).filter((code) => !others.some((text) => text.includes(`'${code}'`)))
  }
  expect(notGiven(reasonCodes, 'model/stage.ts')).toEqual([])
  expect(notGiven(findingCodes, 'model/finding.ts')).toEqual([])
})
