// Before all tests: what they run is built and present; after them, their database server is gone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { shareServer } from './shared-server.ts'

export default function setup(): () => Promise<void> {
  const bundle = join(import.meta.dirname, '../../dist/cli.mjs')
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing: npm run build`)
  return shareServer()
}
