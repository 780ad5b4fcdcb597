// What the database and the store hold of a medium, read back out without ntt; and a tree as the host's kernel tells it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { walkTree } from './looking.ts'
import { ask } from './postgres.ts'
import type { Project } from './project.ts'

/** One name in a few words: `f 5 <content>`, `l -> target`, `d`; equal for the same entry wherever it is read. */
export type Told = Readonly<Record<string, string>>

interface Row {
  readonly path: Buffer
  readonly type: string
  readonly size: string
  readonly target: Buffer
  readonly nlink: string
  readonly state: string | null
  readonly blob: string | null
  readonly detail: string | null
}

/** Every path of a medium (`fs` of it) as the database has it, with the content that the store has for it. */
export async function storedOf(database: string, made: Project, name: string, fs = 0): Promise<Told> {
  const rows = await ask<Row>(
    database,
    `select p.path, i.type::text, i.size::text, i.target, i.nlink::text, o.state::text,
            encode(o.blob_id, 'hex') as blob, o.detail
       from medium m
       join path p on p.medium_id = m.medium_id
       join inode i on i.medium_id = m.medium_id and i.fs = p.fs and i.ino = p.ino
       left join outcome o on o.medium_id = m.medium_id and o.fs = p.fs and o.ino = p.ino
      where m.name = $1 and p.fs = $2`,
    [name, fs],
  )
  const told = rows.map(({ path, type, size, target, nlink, state, blob, detail }): [string, string] => {
    const content =
      state === 'b' && blob !== null ? readBlob(made, blob) : `${state ?? 'no outcome'} ${detail ?? ''}`
    return [
      path.toString('latin1'),
      wordsOf({ type, size: Number(size), target, nlink: Number(nlink), content }),
    ]
  })
  if (new Set(told.map(([path]) => path)).size !== told.length) throw new Error('a path is there twice')
  return sorted(told)
}

/** The same of a folder, as lstat and read tell it. */
export function treeOf(folder: string): Told {
  return sorted(
    walkTree(folder).map(({ path, type, size, target, nlink }): [string, string] => {
      const isFile = type === 'f'
      const at = Buffer.concat([Buffer.from(`${folder}/`), path])
      const content = isFile ? readFileSync(at).toString('latin1') : ''
      return [
        path.toString('latin1'),
        wordsOf({ type, size, target: target ?? Buffer.alloc(0), nlink, content }),
      ]
    }),
  )
}

function wordsOf(one: {
  readonly type: string
  readonly size: number
  readonly target: Buffer
  readonly nlink: number
  readonly content: string
}): string {
  const { type, size, target, nlink, content } = one
  if (type === 'l') return `l -> ${target.toString('latin1')}`
  return type === 'f' ? `f ${nlink} names, ${size} bytes: ${content}` : type
}

const sorted = (told: readonly [string, string][]): Told =>
  Object.fromEntries(told.toSorted(([a], [b]) => (a < b ? -1 : 1)))

function readBlob(made: Project, blob: string): string {
  const path = made.path('.ntt/by-hash', blob.slice(0, 2), blob.slice(2, 4), blob)
  return existsSync(path) ? readFileSync(path).toString('latin1') : 'not in the store'
}

/** Contents in the store, by b3sum: name to digest. Each must be its own. */
export function storeByB3sum(made: Project): readonly (readonly [string, string])[] {
  const printed = execFileSync(
    'sh',
    [
      '-c',
      'find . -type f -name "????????????????????????????????????????????????????????????????" -print0 | xargs -0 -r b3sum',
    ],
    { cwd: join(made.folder, '.ntt/by-hash'), encoding: 'utf8', maxBuffer: 1 << 26 },
  )
  return printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line): [string, string] => [line.split('/').at(-1) ?? '', line.slice(0, 64)])
}
