// Archives with members that attack: names that lead up or away, links, devices, pipes and modes in the place of an image.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'
import { project, sampleImages, scratch, type Project } from './support/project.ts'
import { blobsIn } from './torture/truth.ts'

const asRoot = process.geteuid?.() === 0
const hash = '0123456789abcdef0123456789abcdef'
const image = `${hash}.img`
const floppy = join(sampleImages, 'floppy.img')

/** Packs files of a folder by GNU tar, as the older pipeline did; `as`: rules of sed for the names of members. */
function pack(made: Project, folder: string, names: readonly string[], as: readonly string[] = []): void {
  mkdirSync(made.path('.ntt/archive'), { recursive: true })
  const archive = made.path('.ntt/archive', `${hash}.tar.zst`)
  const rules = as.map((rule) => `--transform=${rule}`)
  execFileSync('tar', ['-P', '--zstd', '-cf', archive, '-C', folder, ...rules, ...names])
}

/** A medium whose image is away, and whose archive holds these things. */
async function away(fill: (made: Project, folder: string) => void): Promise<Project> {
  const made = project({ database: await freshDatabase() })
  made.medium('away', `source: {image: ../away.img}\nmedium_hash: ${hash}\ntarget: copied\n`)
  fill(made, scratch('ntt-members-'))
  return made
}

/** All below the project that is no plain file of modes of ours. */
const odd = (made: Project): readonly string[] =>
  readdirSync(made.path('.ntt'), { recursive: true, encoding: 'utf8' }).filter((name) => {
    const stat = lstatSync(made.path('.ntt', name))
    const isPlain = stat.isDirectory() || (stat.isFile() && (stat.mode & 0o7133) === 0)
    return !isPlain || stat.uid !== process.geteuid?.()
  })

test('members that lead away are passed over, and an image with the modes and owner of another gets ours', async () => {
  const made = await away((own, folder) => {
    writeFileSync(join(folder, 'up'), 'it leads up')
    writeFileSync(join(folder, 'root'), 'it leads away')
    cpSync(floppy, join(folder, image))
    if (asRoot) execFileSync('chown', ['1234:1234', join(folder, image)])
    chmodSync(join(folder, image), 0o6777)
    pack(own, folder, ['up', 'root', image], ['s,^up$,../../escaped,', 's,^root$,/tmp/ntt-escaped-too,'])
  })
  const before = readdirSync(made.folder)
  const { code, out, err } = await made.ntt('apply', '--yes')
  expect([code, err], out).toEqual([0, ''])
  expect(readFileSync(made.path('.ntt/img', image)).equals(readFileSync(floppy))).toBe(true)
  expect(odd(made)).toEqual([])
  expect(readdirSync(made.folder)).toEqual(before)
  for (const path of [made.path('escaped'), made.path('.ntt/escaped'), '/tmp/ntt-escaped-too'])
    expect(existsSync(path)).toBe(false)
  expect((await made.ntt('verify', '--depth', 'hash')).code).toBe(0)
})

const vices: Readonly<Record<string, (made: Project, folder: string) => void>> = {
  'a link to a file': (made, folder) => {
    symlinkSync(floppy, join(folder, image))
    pack(made, folder, [image])
  },
  'a hard link to a file that is not in it': (made, folder) => {
    cpSync(floppy, join(folder, 'own'))
    execFileSync('ln', [join(folder, 'own'), join(folder, image)])
    pack(made, folder, ['own', image], ['s,^own$,/etc/passwd,'])
  },
  'a pipe': (made, folder) => {
    execFileSync('mkfifo', [join(folder, image)])
    pack(made, folder, [image])
  },
  'two of one name': (made, folder) => {
    for (const below of ['one', 'other']) {
      mkdirSync(join(folder, below))
      cpSync(floppy, join(folder, below, image))
    }
    writeFileSync(join(folder, 'other', image), Buffer.alloc(1_474_560, 'other'))
    pack(made, folder, ['one', 'other'])
  },
  'a file in the tree of a folder': (made, folder) => {
    mkdirSync(join(folder, 'tree'))
    cpSync(floppy, join(folder, 'tree', image))
    pack(made, folder, ['tree'])
  },
  ...(asRoot
    ? {
        'a device': (made, folder) => {
          execFileSync('mknod', [join(folder, image), 'b', '7', '0'])
          pack(made, folder, [image])
        },
      }
    : {}),
}

describe.each(Object.entries(vices))('in the place of an image, %s', (_name, fill) => {
  test('is not taken for it: that is told, and nothing is made', async () => {
    const made = await away(fill)
    const { code, out, err } = await made.ntt('apply', '--yes')
    expect([3, 4, 5], out + err).toContain(code)
    const images = existsSync(made.path('.ntt/img')) ? readdirSync(made.path('.ntt/img')) : []
    expect(images.filter((name) => !name.endsWith('.part') && name !== '.ntt-store')).toEqual([])
    expect(existsSync(made.path('.ntt/by-hash')) ? blobsIn(made.path('.ntt/by-hash')) : []).toEqual([])
    expect(odd(made)).toEqual([])
    expect((await made.ntt('plan')).code).not.toBe(0)
  })
})
