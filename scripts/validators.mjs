// Compiles the schemas of documents into src/generated/, so that no run of ntt pays for compiling them.
import { Ajv2020 } from 'ajv/dist/2020.js'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { buildSync } from 'esbuild'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export function writeValidators() {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    code: { source: true, esm: true, lines: true },
  })
  const names = ['medium', 'ntt', 'plan']
  for (const name of names)
    ajv.addSchema(JSON.parse(readFileSync(join(root, `schemas/${name}.schema.json`), 'utf8')), name)
  const code = standaloneCode.default(ajv, Object.fromEntries(names.map((name) => [name, name])))
  // Bundled by itself: ajv writes `require` for its runtime even into modules, which neither Node nor vitest has there.
  buildSync({
    stdin: { contents: code, resolveDir: root },
    outfile: join(root, 'src/generated/validators.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: { js: '// Written by scripts/validators.mjs.' },
    logLevel: 'warning',
  })
}
