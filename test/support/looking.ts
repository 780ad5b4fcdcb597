// A Reader over real files and real programs, for tests of readers; and how images are made.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { Entry, EntryType } from '../../src/model/entry.ts'
import { rootNames, type Reader, type RootName } from '../../src/model/world.ts'
import { openFiles } from '../../src/ports/files.ts'
import { makeReader, type Ports } from '../../src/ports/world.ts'

const roots = Object.fromEntries(rootNames.map((name) => [name, '/nowhere'])) as Record<RootName, string>

/** Reads absolute paths; asks programs on PATH. What it was told is kept in `lines`. */
export function looking(path = process.env['PATH'] ?? ''): Reader & { readonly lines: string[] } {
  const lines: string[] = []
  const speaker = {
    signal: new AbortController().signal,
    progress: () => undefined,
    line: (text: string) => lines.push(text),
  }
  const ports: Pick<Ports, 'path' | 'files' | 'bytes' | 'database'> = {
    path,
    database: null,
    files: () => openFiles({ roots, run: 'test', signal: speaker.signal }),
    bytes: () => ({}) as ReturnType<Ports['bytes']>,
  }
  return { ...makeReader(ports as Ports, speaker), lines }
}

const letters: readonly (readonly [number, EntryType])[] = [
  [0o100000, 'f'],
  [0o040000, 'd'],
  [0o120000, 'l'],
  [0o060000, 'b'],
  [0o020000, 'c'],
  [0o010000, 'p'],
  [0o140000, 's'],
]

/** The independent witness: what the host's own kernel says of a tree, root included. */
export function walkTree(directory: string): Entry[] {
  const found: Entry[] = []
  const visit = (path: string): void => {
    const whole = Buffer.from(path === '' ? directory : `${directory}/${path}`, 'latin1')
    const stat = lstatSync(whole, { bigint: true })
    const type = letters.find(([bits]) => (Number(stat.mode) & 0o170000) === bits)?.[1] ?? '?'
    const target = type === 'l' ? readlinkSync(whole, { encoding: 'buffer' }) : null
    found.push({
      type,
      path: Buffer.from(path, 'latin1'),
      ino: stat.ino,
      nlink: Number(stat.nlink),
      size: type === 'f' || type === 'l' ? Number(stat.size) : 0,
      mtimeNs: stat.mtimeNs,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      rdev: 0n,
      target,
      extents: null,
    })
    if (type !== 'd') return
    for (const name of readdirSync(whole, { encoding: 'latin1' }).toSorted())
      visit(path === '' ? name : `${path}/${name}`)
  }
  visit('')
  return found
}

/** Runs a maker to its end; its output, or a throw with what it said. */
export function make(file: string, ...args: readonly string[]): string {
  return execFileSync(file, args, {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
  })
}

/** An image of so many zeros. */
export function sized(image: string, bytes: number): string {
  writeFileSync(image, '')
  truncateSync(image, bytes)
  return image
}

/** Bytes into an image, in the place of others. */
export function put(image: string, bytes: Buffer, at: number): void {
  const file = openSync(image, 'r+')
  writeSync(file, bytes, 0, bytes.length, at)
  closeSync(file)
}
