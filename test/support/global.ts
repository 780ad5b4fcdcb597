// Before all tests: what they run is built and present.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export default function setup(): void {
  const bundle = join(import.meta.dirname, '../../dist/cli.mjs')
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: npm run build`)
}
