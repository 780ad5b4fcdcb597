// Media that attack: names, labels, links, nodes and sizes that were made to hurt whoever reads them. Nothing of a medium is obeyed.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { blake3 } from '@napi-rs/blake-hash'
import { beforeAll, describe, expect, test } from 'vitest'
import { ask, freshDatabase } from './support/postgres.ts'
import { project, repository, sampleProject, scratch, type Project } from './support/project.ts'
import { blobsIn } from './torture/truth.ts'

const asRoot = process.geteuid?.() === 0

/** What a terminal would obey; only the line feed is ours. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

const wicked = [
  'esc\u001b]0;owned\u0007\u001b[2Jname',
  'new\nline',
  'back\rover',
  'csi\u009b31m',
  'bidi\u202egpj.exe',
  '; touch pwned; $(touch pwned) `touch pwned`',
  "'; drop table medium; --",
  '..\\..\\up',
  '-rf',
]

async function saysNothingRaw(made: Project, verbs: readonly (readonly string[])[]): Promise<void> {
  for (const words of verbs) {
    const { code, out, err } = await made.ntt(...words)
    expect([words, code, control.exec(out + err)], out + err).toEqual([words, expect.any(Number), null])
    expect([words, code === 1]).toEqual([words, false])
  }
}

describe('a directory full of malice', () => {
  let made: Project
  let tree: string
  beforeAll(async () => {
    made = project({ database: await freshDatabase() })
    tree = scratch('ntt-evil-')
    for (const name of wicked) writeFileSync(join(tree, name), `content of ${JSON.stringify(name)}`)
    mkdirSync(join(tree, 'sub'))
    writeFileSync(join(tree, 'sub/inner'), 'inner')
    execFileSync('mkfifo', [join(tree, 'pipe')])
    symlinkSync('/etc/passwd', join(tree, 'absolute'))
    symlinkSync('../../../../../../etc/shadow', join(tree, 'up'))
    symlinkSync('.', join(tree, 'loop'))
    writeFileSync(join(tree, 'sparse'), '')
    truncateSync(join(tree, 'sparse'), 2 ** 31)
    writeFileSync(join(tree, 'suid'), '#!/bin/sh\nid\n')
    if (asRoot) {
      chownSync(join(tree, 'suid'), 1234, 1234)
      execFileSync('mknod', [join(tree, 'null'), 'c', '1', '3'])
      execFileSync('mknod', [join(tree, 'drive'), 'b', '8', '0'])
    }
    chmodSync(join(tree, 'suid'), 0o6755)
    made.medium('evil', `source: {directory: ${tree}}\ntarget: archived\n`)
    const { code, out, err } = await made.ntt('apply', '--yes')
    expect([code, control.exec(out + err)], out + err).toEqual([0, null])
  }, 300_000)

  test('its names are shown as escapes, whatever is asked', { timeout: 300_000 }, async () => {
    await saysNothingRaw(made, [
      ['plan'],
      ['plan', '--json'],
      ['status'],
      ['why', 'evil'],
      ['why', 'evil', '--json'],
      ['verify', '--depth', 'hash'],
      ['audit'],
      ['log'],
      ['log', 'evil'],
      ['doctor'],
    ])
    const log = readFileSync(made.path('.ntt/log/events.jsonl'), 'utf8')
    expect(control.exec(log)).toBe(null)
  })

  test('nothing of it was executed, followed or waited for', () => {
    for (const folder of [made.folder, made.path('media.d'), tree, repository])
      expect(existsSync(join(folder, 'pwned'))).toBe(false)
    const passwords = readFileSync('/etc/passwd')
    expect(blobsIn(made.path('.ntt/by-hash')).map((path) => path.slice(6))).not.toContain(
      blake3(passwords).toString('hex'),
    )
  })

  test('the store holds plain files, read-only, of ours, and no room is taken by holes', () => {
    const blobs = blobsIn(made.path('.ntt/by-hash'))
    // The names, the inner one, the script, and the hole.
    expect(blobs).toHaveLength(wicked.length + 3)
    for (const blob of blobs) {
      const stat = lstatSync(made.path('.ntt/by-hash', blob))
      expect([stat.isFile(), stat.mode & 0o7777, stat.uid]).toEqual([true, 0o444, process.geteuid?.()])
      expect(stat.blocks * 512).toBeLessThan(1 << 20)
    }
  })

  test('what lies behind a directory that has become a link is not copied', async () => {
    const outside = scratch('ntt-outside-')
    const next = project({ database: await freshDatabase() })
    const victim = scratch('ntt-victim-')
    mkdirSync(join(victim, 'sub'))
    writeFileSync(join(victim, 'sub/letter'), 'a letter')
    writeFileSync(join(outside, 'letter'), 'a secret')
    next.medium('victim', `source: {directory: ${victim}}\ntarget: copied\n`)
    expect((await next.ntt('apply', '--yes', '--target', 'loaded')).code).toBe(0)
    renameSync(join(victim, 'sub'), join(victim, 'was'))
    symlinkSync(outside, join(victim, 'sub'))
    const { code } = await next.ntt('apply', '--yes')
    expect([3, 4]).toContain(code)
    expect(blobsIn(next.path('.ntt/by-hash')).map((path) => path.slice(6))).not.toContain(
      blake3(Buffer.from('a secret')).toString('hex'),
    )
  })
})

describe('labels', () => {
  const labels = ['\u001b[31m"$(id)\u0007: x', "'; drop table--", '{a: *b}\n- !!x']

  test.each(labels)('%j: is data to YAML, SQL, shell and terminal', async (label) => {
    const database = await freshDatabase()
    const made = project({ database })
    const image = made.path('labelled.img')
    writeFileSync(image, '')
    truncateSync(image, 4 << 20)
    execFileSync('mkfs.ext4', ['-q', '-L', label, image], {
      env: { ...process.env, PATH: `${process.env['PATH']}:/sbin:/usr/sbin` },
    })
    const added = await made.ntt('add', image)
    expect([added.code, control.exec(added.out + added.err)], added.out + added.err).toEqual([0, null])
    const [file = ''] = readdirSync(made.path('media.d'))
    const yaml = readFileSync(made.path('media.d', file), 'utf8')
    expect(control.exec(yaml)).toBe(null)
    const { code, out, err } = await made.ntt('apply', '--yes')
    expect([code, control.exec(out + err)], out + err).toEqual([0, null])
    const rows = await ask<{ label: Buffer }>(database, 'select label from filesystem')
    expect(rows.map((row) => row.label.toString())).toEqual([label])
    await saysNothingRaw(made, [['plan'], ['why', file.replace('.yaml', '')], ['log']])
  })
})

test('a pipe or a device where an image should be is refused, and not waited for', async () => {
  const made = project({ database: await freshDatabase() })
  execFileSync('mkfifo', [made.path('pipe.img')])
  expect((await made.ntt('add', made.path('pipe.img'))).code).toBeGreaterThan(0)
  made.medium('pipe', `source: {image: ${made.path('pipe.img')}}\ntarget: archived\n`)
  made.medium('null', 'source: {image: /dev/null}\ntarget: archived\n')
  const { code } = await made.ntt('apply', '--yes')
  expect([3, 4, 5]).toContain(code)
})

describe.each(['000', '077'])('with the umask %s', (mask) => {
  test('what is made has its own modes', async () => {
    const made = sampleProject(['floppy.img'])
    const ran = spawnSync('sh', ['-c', `umask ${mask}; exec "$0" apply --yes`, join(repository, 'bin/ntt')], {
      cwd: made.folder,
      env: { ...process.env, CI: 'true' },
    })
    expect(ran.status, String(ran.stderr)).toBe(0)
    const wrong = execFileSync(
      'sh',
      [
        '-c',
        `find .ntt -path .ntt/postgres/data -prune -o -type d ! -perm 755 -print -o -type f ! -perm 644 ! -perm 444 ! -path '.ntt/postgres/*' -print
       find .ntt/postgres/data ! -user root \\( -perm /077 \\) -print; find .ntt/postgres -maxdepth 1 -type f -perm /077 -print`,
      ],
      { cwd: made.folder },
    )
    expect(wrong.toString()).toBe('')
  })
})

test('the password of a database is told to nobody', async () => {
  const database = (await freshDatabase()).replace('@', ':hunter2sesame@')
  const made = sampleProject(['floppy.img'])
  const runs = [
    await made.ntt('apply', '--yes', '--db', database),
    await made.ntt('plan', '--db', database, '--verbose'),
    await made.ntt('why', 'floppy', '--db', database),
    await made.ntt('doctor', '--db', database),
    await made.ntt('doctor', '--json', '--db', database),
    await made.ntt('log', '--db', database),
    await made.ntt('plan', '--db', database.replace(/\/t_[0-9a-f]+$/, '/no_such_database')),
    await made.ntt('plan', '--db', database.replace(/%2F[^:]+:/, 'nowhere.invalid:')),
  ]
  expect(runs[0]?.code, runs[0]?.err).toBe(0)
  for (const { out, err } of runs) expect(out + err).not.toContain('hunter2sesame')
  const files = execFileSync('sh', ['-c', 'grep -rl hunter2sesame . || true'], { cwd: made.folder })
  expect(files.toString()).toBe('')
  const [row] = await ask<{ all: string }>(
    database,
    "select (select string_agg(t::text, ' ') from proof t) || (select string_agg(t::text, ' ') from run t) as all",
  )
  expect(row?.all).not.toContain('hunter2sesame')
})
