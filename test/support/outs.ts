// Where a verb writes in a test, and whether its document is what its schema says.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Out } from '../../src/cli/out.ts'
import { plainManner } from '../../src/views/paint.ts'

export interface Written extends Out {
  readonly text: string
}

export function openOut(): Written {
  let text = ''
  return {
    manner: plainManner,
    write: (more) => {
      text += more
    },
    get text() {
      return text
    },
  }
}

const schemas = join(import.meta.dirname, '../../schemas')

/** The one document of `--json`; throws where it is not what schemas/<name>.schema.json says. */
export function documentOf(name: string, text: string): unknown {
  const schemaOf = (of: string): object =>
    JSON.parse(readFileSync(join(schemas, `${of}.schema.json`), 'utf8')) as object
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true })
  if (name !== 'plan') ajv.addSchema(schemaOf('plan'))
  if (!text.endsWith('\n') || text.slice(0, -1).includes('\n')) throw new Error('not one line')
  const document: unknown = JSON.parse(text)
  if (!ajv.validate(schemaOf(name), document)) throw new Error(ajv.errorsText())
  return document
}
