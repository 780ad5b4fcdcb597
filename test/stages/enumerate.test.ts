// The enumerate stage over real images: what is listed equals the tree, and what is not there is never called done.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Medium } from '../../src/model/medium.ts'
import { decodeRaw, encodeRaw, type RawRecord, type RawTail } from '../../src/model/raw/index.ts'
import type { Check, Depth, Replaces } from '../../src/model/stage.ts'
import { enumerate, type Seen } from '../../src/stages/enumerate/index.ts'
import { hands, type Hands } from '../support/hands.ts'
import { make, put } from '../support/looking.ts'
import { medium, testHash } from '../support/media.ts'
import { scratch } from '../support/project.ts'
import { sideBySide } from '../support/reading.ts'
import { hostileTree, plainTree } from '../support/trees.ts'

let folder: string
let world: Hands
beforeEach(() => {
  folder = scratch()
  world = hands(folder)
})

const rawFile = (): string => join(folder, `raw/${testHash}.raw`)
const disc = (name: string, parts: Partial<Medium> = {}): Medium =>
  medium({ source: { type: 'image', path: join(folder, name) }, kind: 'disk', ...parts })
const sized = (name: string, bytes: number): string => {
  const path = join(folder, name)
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return path
}
const seen = (of: Medium): Promise<Seen> => enumerate.observe(of, world)
const run = async (of: Medium, replaces: Replaces = null): Promise<void> =>
  enumerate.run(of, await seen(of), world, replaces)
const plan = async (of: Medium): Promise<string> => {
  const { action, because } = enumerate.plan(of, await seen(of))
  return `${action} ${because.code}: ${because.text}`
}
const verify = async (of: Medium, depth: Depth = 'counts') => enumerate.verify(of, world, depth)
const failed = (checks: readonly Check[]): string[] =>
  checks.filter(({ ok }) => !ok).map(({ name, actual }) => `${name}: ${actual}`)
async function records(): Promise<readonly RawRecord[]> {
  const found: RawRecord[] = []
  for await (const batch of decodeRaw(world.read(rawFile()))) found.push(...structuredBatch(batch))
  return found
}
const structuredBatch = (batch: readonly RawRecord[]): RawRecord[] =>
  batch.map((record) =>
    'entry' in record
      ? { ...record, entry: { ...record.entry, path: Buffer.from(record.entry.path) } }
      : record,
  )
const ext = (name: string, tree: string, bytes = 8 << 20): string => {
  const image = sized(name, bytes)
  make('mkfs.ext2', '-q', '-F', '-b', '1024', '-d', tree, image)
  return image
}
/** An MBR with two ext volumes, whose inode numbers are the same, and an unknown third partition. */
function disk(): string {
  mkdirSync(join(folder, 'one'))
  mkdirSync(join(folder, 'two'))
  writeFileSync(join(folder, 'one/same-number'), 'first')
  writeFileSync(join(folder, 'two/same-number'), 'second, of another size')
  const image = sized('disk.img', 32 << 20)
  execFileSync('sfdisk', ['-q', image], {
    input:
      'label: dos\nstart=2048,size=16384,type=83\nstart=18432,size=16384,type=83\nstart=34816,size=2048,type=da\n',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  put(image, readFileSync(ext('p1', join(folder, 'one'))), 2048 * 512)
  put(image, readFileSync(ext('p2', join(folder, 'two'))), 18432 * 512)
  return image
}

test('programs that could read a volume are not asked while a reader of ours can', async () => {
  make('mkfs.fat', '-C', join(folder, 'floppy.img'), '1440')
  const asked: string[] = []
  const real = world
  world = { ...real, probe: (command) => (asked.push(command.file), real.probe(command)) }
  await run(disc('floppy.img'))
  expect(asked).toEqual(['blkid', 'partx'])
})

describe('a medium with one filesystem', () => {
  test('is listed whole, proven at both depths, and not touched', async () => {
    const tree = hostileTree(join(folder, 'tree'))
    const image = ext('a.img', tree, 16 << 20)
    const before = execFileSync('sha256sum', [image], { encoding: 'utf8' })
    const of = disc('a.img')
    expect(await plan(of)).toBe('run absent: no enumeration')
    await run(of)
    const entries = (await records()).flatMap((record) => ('entry' in record ? [record.entry] : []))
    const { expected, actual } = sideBySide(tree, entries, { times: 's', but: ['lost+found'] })
    expect(actual).toEqual(expected)
    expect(await plan(of)).toMatch(/^keep present: \d+ records: \d+ files, \d+ others$/)
    const counts = await verify(of)
    const hash = await verify(of, 'hash')
    expect(failed(counts.checks)).toEqual([])
    expect(failed(hash.checks)).toEqual([])
    expect(hash.content).toBe(counts.content)
    expect(counts.figures).toMatchObject({ records: entries.length, errors: 0, volumes: 1 })
    expect(execFileSync('sha256sum', [image], { encoding: 'utf8' })).toBe(before)
    expect(readdirSync(join(folder, 'raw'))).toEqual([`${testHash}.raw`])
  })

  test('that is empty is met, with its root and no file', async () => {
    const image = sized('empty.img', 1_474_560)
    make('mkfs.vfat', image)
    const of = disc('empty.img')
    await run(of)
    const { checks, figures } = await verify(of)
    expect(failed(checks)).toEqual([])
    expect(figures).toMatchObject({ records: 1, files: 0, directories: 1 })
    expect((await seen(of)).raw?.volumes).toMatchObject([
      { outcome: 'empty', reason: 'a vfat without a file in it' },
    ])
  })

  test('blank media are told from empty ones, and an image of no bytes from both', async () => {
    const blank = sized('blank.img', 737_280)
    put(blank, Buffer.alloc(737_280, 0xf6), 0)
    await run(disc('blank.img'))
    expect((await seen(disc('blank.img'))).raw).toMatchObject({
      records: 0,
      volumes: [
        {
          outcome: 'unreadable',
          reason: expect.stringMatching(/^blank: each of its 737280 bytes is 0xF6; wiped, or never read/),
        },
      ],
    })
    expect(await plan(disc('blank.img'))).toMatch(/^refuse unread: .*partitions: \{0: skip\}/)
    sized('none.img', 0)
    await expect(enumerate.run(disc('none.img'), { raw: null }, world, null)).rejects.toThrow('0 bytes')
  })

  test('whose directory cannot be read is partial: told by path, refused, and waived only by a person', async () => {
    const image = sized('a.img', 16 << 20)
    const tree = plainTree(join(folder, 'tree'))
    make('mkfs.vfat', '-F16', image)
    make('mcopy', '-s', '-m', '-Q', '-i', image, ...readdirSync(tree).map((name) => join(tree, name)), '::/')
    await run(disc('a.img'))
    const sub = (await records()).find(
      (record) => 'entry' in record && record.entry.path.equals(Buffer.from('sub')),
    )
    const start = sub !== undefined && 'entry' in sub ? (sub.entry.extents?.[0]?.start ?? 0) : 0
    put(image, Buffer.alloc(2048), start)
    const of = disc('a.img')
    expect(failed((await verify(of, 'hash')).checks)).toHaveLength(1)
    await run(of, 'asked')
    expect(failed((await verify(of)).checks)).toEqual([
      expect.stringMatching(
        /^volumes: the medium \(vfat\) partial: 1 could not be read, the first: unreadable-directory, "sub"/,
      ),
    ])
    expect(await plan(of)).toMatch(/^refuse unread: the medium \(vfat\) partial/)
    put(image, Buffer.alloc(2048), start)
    expect(await plan(of)).toMatch(
      /^run unread: the medium \(vfat\) partial.*read again, because the image was written to since$/,
    )
    const waived = disc('a.img', { policy: { ...of.policy, partitions: { 0: 'skip' } } })
    expect(failed((await verify(waived)).checks)).toEqual([])
    expect(await plan(waived)).toMatch(/^keep present/)
  })
})

describe('a disk with partitions', () => {
  test('each volume has its own numbers, and one without an outcome keeps the medium back', async () => {
    disk()
    const of = disc('disk.img')
    await run(of)
    const files = (await records()).flatMap((record) =>
      'entry' in record && record.entry.type === 'f'
        ? [`${record.fs} ${record.entry.ino} ${record.entry.size}`]
        : [],
    )
    expect(files).toEqual(['1 12 5', '2 12 23'])
    expect((await seen(of)).raw?.volumes.map(({ fs, outcome }) => `${fs} ${outcome}`)).toEqual([
      '1 read',
      '2 read',
      '3 empty',
    ])
    expect(failed((await verify(of, 'hash')).checks)).toEqual([])
  })

  test('an unknown partition is unreadable until it is waived; the waiver is recorded when it is enumerated', async () => {
    put(disk(), Buffer.from('something that nobody knows'), 34816 * 512)
    const of = disc('disk.img')
    await run(of)
    expect(failed((await verify(of)).checks)).toEqual([
      'volumes: partition 3 (no filesystem that is known) unreadable: nothing that is known to blkid (partition type 0xda), and it is not blank',
    ])
    expect(await plan(of)).toMatch(/^refuse unread: partition 3/)
    const waived = disc('disk.img', { policy: { ...of.policy, partitions: { 3: 'skip' } } })
    await run(waived, 'asked')
    expect((await seen(waived)).raw?.volumes[2]).toMatchObject({
      outcome: 'waived',
      reason: 'skipped, as its file says',
    })
    expect(failed((await verify(waived)).checks)).toEqual([])
  })

  test('a partition that goes on past the end of the image is partial', async () => {
    const image = disk()
    truncateSync(image, 20_000 * 512)
    const of = disc('disk.img')
    await run(of)
    const volumes = (await seen(of)).raw?.volumes ?? []
    expect(volumes.map(({ outcome }) => outcome)).toEqual(['read', 'partial', 'unreadable'])
    expect(volumes[1]?.reason).toContain('its last 7585792 bytes are past the end of the image')
  })
})

describe('a reader that fails', () => {
  const program = (name: string, script: string): void => {
    mkdirSync(join(folder, 'bin'), { recursive: true })
    writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, 'bin', name), 0o755)
    world = hands(folder, { path: `${join(folder, 'bin')}:${process.env['PATH']}` })
  }

  /** A squashfs, where the kernel may not be asked: only a program reads it. */
  const squash = (): string => {
    make('mksquashfs', plainTree(join(folder, 'tree')), join(folder, 'a.img'), '-quiet', '-no-progress')
    program('id', 'echo 1000')
    return execFileSync('which', ['sqfs2tar'], { encoding: 'utf8' }).trim()
  }

  test.each([
    ['does nothing and ends with 0', 'exit 0'],
    ['stops half way and ends with 0', 'sqfs2tar-real "$@" | head -c 60000'],
    ['chatters', 'echo hello'],
    ['fails', 'exit 3'],
  ])('sqfs2tar %s: the volume is unreadable, and says so', async (_what, script) => {
    const real = squash()
    program(
      'sqfs2tar',
      `[ "$1" = --version ] && exec ${real} --version\n${script.replace('sqfs2tar-real', real)}`,
    )
    const of = disc('a.img')
    await run(of)
    const [volume] = (await seen(of)).raw?.volumes ?? []
    expect(volume).toMatchObject({ outcome: 'unreadable', reader: '' })
    expect(volume?.reason).toMatch(/sqfs2tar/)
    expect(await plan(of)).toMatch(/^run unread: .*sqfs2tar \S+ can be asked again$/)
    expect(failed((await verify(of)).checks)[0]).toMatch(/^volumes: the medium \(squashfs\) unreadable/)
    expect(await records()).toEqual([])
    expect(world.lines.join('\n')).toContain('sqfs2tar')
  })

  test('a tool that is not installed is no empty volume', async () => {
    squash()
    const only = ['blkid', 'partx', 'setpriv'].map((name) =>
      execFileSync('which', [name], { encoding: 'utf8' }).trim(),
    )
    for (const path of only) copyFileSync(path, join(folder, 'bin', path.split('/').at(-1) ?? ''))
    world = hands(folder, { path: join(folder, 'bin') })
    const of = disc('a.img')
    await run(of)
    expect((await seen(of)).raw?.volumes).toMatchObject([{ outcome: 'unreadable' }])
    expect(await plan(of)).toMatch(/^refuse unread/)
  })

  test('one that tells another version is asked again, and whoever is alone in what it says is named', async () => {
    const real = squash()
    const of = disc('a.img')
    program('sqfs2tar', '[ "$1" = --version ] && echo "(squashfs-tools-ng) 0.1" && exit\nexit 3')
    await run(of)
    expect(await plan(of)).toMatch(/^run unread: .*sqfs2tar 0\.1 can be asked again$/)
    program('sqfs2tar', `exec ${real} "$@"`)
    expect(await plan(of)).toMatch(/read again, because sqfs2tar 1\S+ can be asked now$/)
    await run(of)
    expect(await plan(of)).toMatch(
      /^keep present: 110 records: 106 files, 4 others; the medium is known by sqfs2tar 1\S+ alone$/,
    )
    expect(readdirSync(join(folder, 'raw'))).toContain(`${testHash}.raw.aside-unread-test`)
  })

  test('a medium that shows itself otherwise now is read again', async () => {
    ext('a.img', plainTree(join(folder, 'tree')))
    const of = disc('a.img')
    program('blkid', 'exit 2')
    await run(of)
    expect(await plan(of)).toMatch(/^refuse unread: .*nothing that is known to blkid/)
    rmSync(join(folder, 'bin/blkid'))
    expect(await plan(of)).toMatch(/read again, because the medium now shows itself as ext[234]$/)
    await run(of)
    expect(await plan(of)).toMatch(/^keep present/)
  })
})

describe('what is at the place already', () => {
  test('is never replaced unasked, and set aside under a name that says why', async () => {
    const of = disc('a.img')
    ext('a.img', plainTree(join(folder, 'tree')))
    await run(of)
    const first = readFileSync(rawFile())
    await expect(run(of)).rejects.toThrow('nobody asked for a new one')
    await run(of, 'asked')
    const aside = readdirSync(join(folder, 'raw')).find((name) => name.includes('aside')) ?? ''
    expect(aside).toBe(`${testHash}.raw.aside-asked-test`)
    expect(readFileSync(join(folder, 'raw', aside)).equals(first)).toBe(true)
  })

  test.each([
    ['no bytes', Buffer.alloc(0), 'run incomplete: 0 bytes that are no enumeration'],
    ['noise', Buffer.from('what is this'), 'run incomplete: 12 bytes that are no enumeration'],
  ])('%s is no enumeration', async (_what, bytes, told) => {
    ext('a.img', plainTree(join(folder, 'tree')))
    writeFileSync(rawFile(), bytes)
    expect(await plan(disc('a.img'))).toBe(told)
    await run(disc('a.img'))
    expect(await plan(disc('a.img'))).toMatch(/^keep/)
    expect(readdirSync(join(folder, 'raw'))).toHaveLength(2)
  })

  test('a cut one has no end; an altered one fails its proof; one of another image does too', async () => {
    const of = disc('a.img')
    ext('a.img', plainTree(join(folder, 'tree')))
    await run(of)
    const whole = readFileSync(rawFile())
    truncateSync(rawFile(), whole.length - 1)
    expect(await plan(of)).toMatch(/^run incomplete: .* without an end$/)
    const altered = Buffer.from(whole)
    altered.write('X', altered.indexOf('a.txt'))
    writeFileSync(rawFile(), altered)
    expect(await plan(of)).toMatch(/^keep/)
    expect(failed((await verify(of)).checks)).toEqual([expect.stringMatching(/^trailer: /)])
    writeFileSync(rawFile(), whole)
    make('mkfs.vfat', sized('a.img', 1_474_560))
    expect(failed((await verify(of)).checks)).toEqual([expect.stringMatching(/^image: /)])
  })

  test('of the older pipeline is read again in ours, compared, and kept beside it', async () => {
    mkdirSync(join(folder, 'tree'))
    mkdirSync(join(folder, 'tree/sub'))
    writeFileSync(join(folder, 'tree/sub/left-\\right\n'), 'abc')
    writeFileSync(join(folder, 'tree/empty'), '')
    const of = disc('a.img')
    ext('a.img', join(folder, 'tree'))
    const mount = `/mnt/ntt/${testHash}`
    const line = (type: string, ino: number, size: number, path: string): string =>
      [type, 77, ino, 1, size, 1_700_000_000, `${mount}${path}`].join('\x1c') + '\0'
    const good = [
      line('d', 2, 1024, ''),
      line('d', 11, 12_288, '/lost+found'),
      line('f', 12, 0, '/empty'),
      line('d', 13, 1024, '/sub'),
      line('f', 14, 3, '/sub/left-\\right\n'),
    ]
    for (const [older, told] of [
      [good.join(''), /agrees: 5 entries there, 5 here/],
      [good.slice(0, -1).join(''), /does not agree \(4 entries there, 5 here\)/],
      [good.join('').replace('\x1c3\x1c', '\x1c4\x1c'), /does not agree \(5 entries there, 5 here\)/],
    ] as const) {
      rmSync(join(folder, 'raw'), { recursive: true })
      mkdirSync(join(folder, 'raw'))
      writeFileSync(rawFile(), older)
      expect(await plan(of)).toMatch(
        /^run older-format: .* in the format of the older pipeline \(legacy-v1\)/,
      )
      await run(of)
      expect(world.lines.join('\n')).toMatch(told)
      world.lines.length = 0
      expect(failed((await verify(of, 'hash')).checks)).toEqual([])
      // Ours has the name, the older one is kept beside it.
      const [kept] = readdirSync(join(folder, 'raw')).filter((name) => name !== `${testHash}.raw`)
      expect(readFileSync(join(folder, 'raw', String(kept))).toString('latin1')).toBe(older)
    }
  })
})

describe('a directory', () => {
  const tree = (): Medium =>
    medium({ source: { type: 'directory', path: join(folder, 'tree') }, version: 'directory' })

  test('is one volume without a partition, and its change is seen at depth hash', async () => {
    hostileTree(join(folder, 'tree'))
    await run(tree())
    const entries = (await records()).flatMap((record) => ('entry' in record ? [record.entry] : []))
    const { expected, actual } = sideBySide(join(folder, 'tree'), entries, { times: 'ns' })
    expect(actual).toEqual(expected)
    expect((await seen(tree())).raw?.volumes).toMatchObject([{ fs: 0, type: 'directory', outcome: 'read' }])
    expect(failed((await verify(tree(), 'hash')).checks)).toEqual([])
    writeFileSync(join(folder, 'tree/new'), 'new')
    expect(failed((await verify(tree())).checks)).toEqual([])
    expect(failed((await verify(tree(), 'hash')).checks)).toEqual([expect.stringMatching(/^walk: /)])
  })

  test('that was called read, though something in it was not, fails its verification', async () => {
    plainTree(join(folder, 'tree'))
    await run(tree())
    const tails: RawTail[] = []
    for await (const batch of decodeRaw(world.read(rawFile()), (tail) => tails.push(tail))) void batch
    const error = { error: 'other-filesystem', path: Buffer.from('mnt'), message: 'mounted here' }
    async function* more(): AsyncGenerator<readonly RawRecord[]> {
      yield* decodeRaw(world.read(rawFile()))
      yield [{ fs: 0, error }]
    }
    const about = { hash: testHash, source: join(folder, 'tree'), writer: 'ntt' }
    const chunks: Buffer[] = []
    for await (const chunk of encodeRaw(more(), () => tails[0]?.volumes ?? [], about))
      chunks.push(Buffer.from(chunk))
    writeFileSync(rawFile(), Buffer.concat(chunks))
    expect(failed((await verify(tree())).checks)).toEqual([
      'whole: 0: read, other-filesystem, "mnt": mounted here',
    ])
  })

  test('that is not there is unknown, and nothing is written', async () => {
    await expect(run(tree())).rejects.toMatchObject({ tag: 'observe' })
    expect(readdirSync(join(folder, 'raw'))).toEqual([])
  })
})
