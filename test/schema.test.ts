// The published schemas are what the code means, and every document of ours is what they say.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readDesired } from '../src/desired.ts'
import { medium, ntt } from '../src/generated/validators.js'
import { kinds } from '../src/kinds/index.ts'
import { findingCodes } from '../src/model/finding.ts'
import { kindNames, targets } from '../src/model/medium.ts'
import { reasonCodes } from '../src/model/stage.ts'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'schemas')
const files = readdirSync(folder).filter((file) => file.endsWith('.schema.json'))

interface Schema {
  readonly title?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly $defs?: Readonly<Record<string, Schema>>
}
const schemaOf = (file: string): Schema => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Schema

/** Every schema of a property, with its dotted path. */
function* properties(schema: Schema, path: string): Generator<[string, Schema]> {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${name}`, property]
    yield* properties(property, `${path}.${name}`)
  }
  if (schema.items !== undefined) yield* properties(schema.items, `${path}[]`)
}

const ajv = () =>
  new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, validateFormats: false })

test.each(files)('%s is valid JSON Schema 2020-12 without a keyword that nobody knows', (file) => {
  const all = ajv()
  // One may speak of another by its $id.
  for (const other of files.filter((name) => name !== file)) all.addSchema(schemaOf(other), other)
  expect(() => all.compile(schemaOf(file))).not.toThrow()
})

const validators = { medium, ntt }

describe('documents that people write', () => {
  test.each(['medium.schema.json', 'ntt.schema.json'])('%s: a problem can name what it wants', (file) => {
    const silent = [...properties(schemaOf(file), '')].filter(([, { title }]) => title === undefined)
    expect(silent).toEqual([])
  })

  test.each(['medium.schema.json', 'ntt.schema.json'])('%s: every example is an example', (file) => {
    for (const [path, property] of properties(schemaOf(file), '')) {
      const validate = ajv().compile(property)
      for (const example of property.examples ?? [])
        expect(validate(example), `${path}: ${JSON.stringify(example)}`).toBe(true)
    }
  })

  test('kinds and targets are those of the model', () => {
    const { properties: medium = {} } = schemaOf('medium.schema.json')
    expect(medium['kind']?.enum).toEqual([...kindNames])
    expect(medium['target']?.enum).toEqual(Object.keys(targets))
  })

  test.each(['medium', 'ntt'] as const)('the compiled validator of %s judges as its schema does', (name) => {
    const validate = ajv().compile(schemaOf(`${name}.schema.json`))
    const probes: readonly unknown[] = [
      null,
      {},
      [],
      'x',
      { source: { image: 'a' } },
      { source: { image: 'a', device: 'b' } },
      { source: { image: 'a' }, kind: 'directory' },
      {
        source: { directory: 'a' },
        kind: 'directory',
        policy: { rescued: '99.9%', partitions: { 3: 'skip' } },
      },
      { jobs: 2 },
      { jobs: 0 },
      { roots: { image: '/a', 'by-hash': 'b' } },
      { roots: { image: '~/a' } },
      { database: 'postgres:///x' },
      { database: 'mysql://x' },
    ]
    expect(probes.map((probe) => validators[name](probe))).toEqual(probes.map((probe) => validate(probe)))
  })
})

test.each(Object.values(kinds))(
  'the schema allows a $name the sources that it has, and no others',
  ({ name, sources }) => {
    const allowed = (['image', 'device', 'directory'] as const).filter((type) =>
      medium({ kind: name, source: { [type]: 'x' } }),
    )
    expect(allowed.toSorted()).toEqual([...sources].toSorted())
  },
)

test('the findings of an audit are those of the model', () => {
  const { items } = schemaOf('audit.schema.json')
  expect(items?.properties?.['code']?.enum).toEqual(Object.keys(findingCodes))
})

test('the reasons of events are those of the model', () => {
  expect(schemaOf('event.schema.json').$defs?.['reasonCode']?.enum?.toSorted()).toEqual(
    Object.keys(reasonCodes).toSorted(),
  )
})

test('media.d of this repository is as declared', () => {
  const media = join(root, 'media.d')
  const documents = readdirSync(media)
    .filter((file) => /\.ya?ml$/.test(file))
    .map((file) => ({ file: `media.d/${file}`, text: readFileSync(join(media, file)) }))
  expect(() => readDesired(documents, root)).not.toThrow()
})
