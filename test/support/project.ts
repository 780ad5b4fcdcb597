// A throw-away project and the real command over it.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export const repository = realpathSync(join(import.meta.dirname, '../..'))
export const sampleImages = join(repository, 'test/images')

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly pid: number
  readonly ended: Promise<Ran>
  kill(signal: NodeJS.Signals): void
  /** Resolves when this text has been printed, on either stream. */
  printed(text: string | RegExp): Promise<void>
}

export interface Project {
  readonly folder: string
  /** Runs `ntt` to its end. */
  ntt(...args: readonly string[]): Promise<Ran>
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running
  /** Environment of every later run. */
  env(name: string, value: string): void
  /** Programs in this folder come first on PATH from now on. */
  programs(folder: string): void
  write(file: string, text: string): string
  medium(name: string, yaml: string): void
  path(...parts: readonly string[]): string
  /** The event log's lines, parsed. */
  events(): readonly Record<string, unknown>[]
}

const folders: string[] = []
const sweep = (): void => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** A fresh folder that anybody may enter; removed when the tests of this file have ended. */
export function scratch(prefix = 'ntt-test-'): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(folder, 0o755)
  if (folders.push(folder) === 1) process.once('exit', sweep)
  return folder
}

/** An empty project; `database`: a URL (an own database of the shared test server), or the embedded one where left out. */
export function project(options: { readonly database?: string } = {}): Project {
  const folder = scratch()
  mkdirSync(join(folder, 'media.d'))
  const env: Record<string, string> = { CI: 'true', NO_COLOR: '1' }
  if (options.database !== undefined) env['NTT_DB_URL'] = options.database
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('NTT_') && name !== 'FORCE_COLOR',
  )
  let path = process.env['PATH'] ?? ''
  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Running => {
    const child = spawn(join(repository, 'bin/ntt'), [...args], {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), PATH: path, ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    const watchers: (() => void)[] = []
    const told = (): void => {
      for (const watcher of watchers) watcher()
    }
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('latin1')
      told()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString('latin1')
      told()
    })
    const ended = new Promise<Ran>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        resolve({ code: code ?? (signal === null ? -1 : 256), out: utf8(out), err: utf8(err) })
      })
    })
    return {
      pid: child.pid ?? -1,
      ended,
      kill: (signal) => child.kill(signal),
      printed: (text) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            if (typeof text === 'string' ? (out + err).includes(text) : text.test(out + err)) resolve()
          }
          watchers.push(look)
          look()
          void ended.then(({ code }) =>
            reject(new Error(`ended with ${code} before it printed ${text}:\n${out}\n${err}`)),
          )
        }),
    }
  }
  const write = (file: string, text: string): string => {
    const place = join(folder, file)
    writeFileSync(place, text)
    return place
  }
  return {
    folder,
    ntt: (...args) => start(args).ended,
    start,
    env: (name, value) => {
      env[name] = value
    },
    programs: (programs) => {
      path = `${programs}${delimiter}${path}`
    },
    write,
    medium: (name, yaml) => {
      write(join('media.d', `${name}.yaml`), yaml)
    },
    path: (...parts) => join(folder, ...parts),
    events: () =>
      readFileSync(join(folder, '.ntt/log/events.jsonl'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Record<string, unknown> => JSON.parse(line)),
  }
}

const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8')

/** A project that declares copies of the named sample images (of test/images), each with the target archived. */
export function sampleProject(
  names: readonly string[],
  options: { readonly database?: string } = {},
): Project {
  const made = project(options)
  for (const name of names) {
    cpSync(join(sampleImages, name), made.path('media.d', name), { recursive: true })
    const bare = name.replace(/\.[a-z]+$/, '')
    const key = statSync(join(sampleImages, name)).isDirectory() ? 'directory' : 'image'
    made.medium(bare, `label: ${bare}\nsource:\n  ${key}: ${name}\ntarget: archived\n`)
  }
  return made
}

/** Digest over names, kinds, sizes, modes and contents of everything below a folder, but for what is left out. */
export function treeDigest(folder: string, leaveOut: readonly string[] = []): string {
  const hash = createHash('sha256')
  const visit = (relative: string): void => {
    for (const entry of readdirSync(join(folder, relative), { withFileTypes: true }).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const path = join(relative, entry.name)
      if (leaveOut.includes(path)) continue
      const stat = statSync(join(folder, path), { throwIfNoEntry: false })
      hash.update(`${path}\0${stat?.mode}\0${entry.isDirectory() ? '' : stat?.size}\0`)
      if (entry.isDirectory()) visit(path)
      else if (entry.isFile()) hash.update(readFileSync(join(folder, path)))
    }
  }
  visit('')
  return hash.digest('hex')
}
