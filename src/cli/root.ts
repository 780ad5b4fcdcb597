// Where ntt itself lies, and which version it is.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of ntt's package.json: above dist/ when bundled, above src/cli when run from source. */
export const packageRoot = ((): string => {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'schemas')) && existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) throw new Error(`no package.json above ${import.meta.dirname}`)
  }
})()

declare const __NTT_VERSION__: string
export const version: string =
  typeof __NTT_VERSION__ === 'string'
    ? __NTT_VERSION__
    : String(JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version)
