// Bundles src/ into dist/: one entry for the command, one for the worker threads; chunks are loaded when first needed.
import { build } from 'esbuild'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeValidators } from './validators.mjs'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

writeValidators()
rmSync(join(root, 'dist'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: { cli: 'src/cli/main.ts', 'store-worker': 'src/ports/store/worker.ts' },
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
