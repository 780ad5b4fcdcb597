// Bundles src/ into dist/: one entry for the command, one for the worker threads; chunks are loaded when first needed.
import { build } from 'esbuild'
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeValidators } from './validators.mjs'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

writeValidators()
const { outputFiles } = await build({
  write: false,
  absWorkingDir: root,
  entryPoints: {
    cli: 'src/cli/main.ts',
    'store-worker': 'src/ports/store/worker.ts',
    'walk-thread': 'src/ports/walk/thread.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  jsx: 'automatic',
  sourcemap: 'linked',
  sourcesContent: false,
  outExtension: { '.js': '.mjs' },
  define: {
    'process.env.NODE_ENV': '"production"',
    'process.env.DEV': '"false"',
    __NTT_VERSION__: JSON.stringify(version),
  },
  // Native addons find their binaries beside themselves; the others are never loaded.
  external: ['@napi-rs/blake-hash', 'koffi', 'react-devtools-core', 'pg-native', 'pg-cloudflare'],
  banner: { js: "import{createRequire as __ntt}from'node:module';const require=__ntt(import.meta.url);" },
  logLevel: 'warning',
})

// A command that runs meanwhile may still load what it was built with: files come whole, the entries last, and the old chunks stay for a day.
const dist = join(root, 'dist')
const isEntry = ({ path }) => /\/(cli|store-worker|walk-thread)\.mjs$/.test(path)
mkdirSync(dist, { recursive: true })
// What the engine kept of the old code.
rmSync(join(dist, 'compiled'), { recursive: true, force: true })
for (const file of outputFiles.toSorted((a, b) => isEntry(a) - isEntry(b))) {
  writeFileSync(`${file.path}.part`, file.contents)
  renameSync(`${file.path}.part`, file.path)
}
const fresh = new Set(outputFiles.map(({ path }) => path))
for (const name of readdirSync(dist)) {
  const path = join(dist, name)
  if (!fresh.has(path) && Date.now() - statSync(path).mtimeMs > 86_400_000) rmSync(path)
}
