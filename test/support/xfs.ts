// Volumes of xfs: made by mkfs.xfs, filled by a small Linux, and what its driver says of them.
import { execFileSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry } from '../../src/model/entry.ts'
import { inUml } from './uml.ts'

/** A sparse file of zeros. */
export function emptyFile(file: string, bytes: number): string {
  writeFileSync(file, '')
  truncateSync(file, bytes)
  return file
}

/** An empty volume in a sparse file. */
export function emptyXfs(image: string, bytes: number, ...options: readonly string[]): string {
  emptyFile(image, bytes)
  execFileSync('mkfs.xfs', ['-q', '-f', ...options, image], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // So it makes volumes of less than 300 MB, as for its own tests.
    env: { ...process.env, TEST_DIR: '/', TEST_DEV: '/', QA_CHECK_FS: '1' },
  })
  return image
}

/** By path (Latin-1): all that a driver tells of an entry, and the SHA-256 of a file. */
export type Told = Readonly<Record<string, string>>

export interface Filling {
  readonly name: string
  /** Run in the mounted volume. */
  readonly script: string
  /** Options to mount it with, beside `ro` afterwards. */
  readonly options?: string
  /** Run when it was filled: instead of `umount`. */
  readonly end?: string
}

/** Fills the volumes of a folder one after the other, mounts each once more read-only, and tells what is in it. */
export function fillXfs(folder: string, fillings: readonly Filling[]): ReadonlyMap<string, Told> {
  const script = fillings.flatMap(({ name, script: fill, options = 'rw', end = 'umount /media/m' }) => [
    `echo filling ${name}; L=$(attach '${folder}/${name}'); mount -t xfs -o ${options} $L /media/m`,
    `( set -e; cd /media/m; ${fill} )`,
    end,
    `mount -t xfs -o ro,norecovery,${options.replace('rw', 'ro')} $L /media/m; ( cd /media/m`,
    `find . -printf '%y|%s|%i|%n|%T@|%m|%U|%G|%l\\0%P\\0' > '${folder}/${name}.told'`,
    `find . -type f -print0 | xargs -0 -r sha256sum -z > '${folder}/${name}.sums' || true ); umount /media/m`,
    'losetup -d $L || true',
  ])
  inUml(folder, ['xfs'], script.join('\n'))
  return new Map(fillings.map(({ name }) => [name, toldOf(join(folder, name))]))
}

function toldOf(image: string): Told {
  const split = (file: string): readonly string[] => readFileSync(file, 'latin1').split('\0').slice(0, -1)
  const sums = new Map(split(`${image}.sums`).map((line) => [line.slice(68), line.slice(0, 16)]))
  const fields = split(`${image}.told`)
  const told: Record<string, string> = {}
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const path = fields[at + 1] ?? ''
    const [type = '', size = '', ino, nlink, time = '', ...rest] = (fields[at] ?? '').split('|')
    const [seconds = '', fraction = ''] = time.split('.')
    const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9))
    const bytes = type === 'f' || type === 'l' ? size : '0'
    told[path] = [type, bytes, ino, nlink, ns, ...rest, sums.get(path) ?? ''].join('|')
  }
  return told
}

/** The same of what a reader of ours says. */
export const toldBy = (entries: readonly Entry[], sums: ReadonlyMap<string, string>): Told =>
  Object.fromEntries(
    entries.map(({ path, type, size, ino, nlink, mtimeNs, mode, uid, gid, target }) => {
      const name = path.toString('latin1')
      const link = target?.toString('latin1') ?? ''
      const all = [type, size, ino, nlink, mtimeNs, mode?.toString(8), uid, gid, link, sums.get(name) ?? '']
      return [name, all.join('|')]
    }),
  )
