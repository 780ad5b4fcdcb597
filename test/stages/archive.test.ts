// The archive stage with real tar, zstd and b3sum: what it writes they can check, what is damaged or foreign is told.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Command } from '../../src/model/command.ts'
import { listLine, parseManifest, rawListLine } from '../../src/model/manifest.ts'
import { readSeekTable } from '../../src/model/seekable.ts'
import { NttError } from '../../src/model/errors.ts'
import type { Verification } from '../../src/model/stage.ts'
import { archive } from '../../src/stages/archive/index.ts'
import { openHasher } from '../../src/ports/blake3.ts'
import { hands } from '../support/hands.ts'
import { medium, testHash as hash } from '../support/media.ts'

let folder: string
let image: Buffer
const file = (): string => join(folder, `archive/${hash}.tar.zst`)
const disc = () => medium({ source: { type: 'image', path: join(folder, 'disc.iso') } })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ntt-archive-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'raw'))
  mkdirSync(join(folder, 'archive'))
  image = Buffer.concat([Buffer.alloc(5_000_000, 'some text of a disc '), noise(4_500_000)])
  writeFileSync(join(folder, 'disc.iso'), image)
  writeFileSync(join(folder, 'disc.map'), '# Mapfile\n0x0 + 1\n0x0 0x90F560 +\n')
  writeFileSync(join(folder, `raw/${hash}.raw`), noise(70_000))
})

const noise = (bytes: number): Buffer =>
  execFileSync('head', ['-c', String(bytes), '/dev/urandom'], { maxBuffer: 1 << 26 })

async function make(): Promise<void> {
  const world = hands(folder)
  await archive.run(disc(), await archive.observe(disc(), world), world, null)
}

const failed = ({ checks }: Verification): string[] => checks.filter(({ ok }) => !ok).map(({ name }) => name)

describe('what is written', () => {
  test('a disc’s image, map, raw and manifest are unpacked by GNU tar and agree with b3sum', async () => {
    await make()
    const out = join(folder, 'out')
    mkdirSync(out)
    execFileSync('zstd', ['-qt', file()])
    execFileSync('tar', ['--zstd', '-xf', file(), '-C', out])
    const names = [`${hash}.img`, `${hash}.map`, `${hash}.raw`, 'MANIFEST.b3', 'MANIFEST.json']
    expect(readdirSync(out).toSorted()).toEqual(names.toSorted())
    expect(readFileSync(join(out, `${hash}.img`)).equals(image)).toBe(true)
    const said = execFileSync('b3sum', ['-c', 'MANIFEST.b3'], { cwd: out, encoding: 'utf8' })
    expect(said.match(/: OK/g)).toHaveLength(4)
    expect(readFileSync(join(out, 'MANIFEST.json'), 'utf8')).toContain('b3sum -c MANIFEST.b3')
  })

  test('it has a seek table, no part is left, and both depths prove it with one and the same content', async () => {
    await make()
    expect(readdirSync(join(folder, 'archive'))).toEqual([`${hash}.tar.zst`])
    const bytes = readFileSync(file())
    const frames = await readSeekTable(async (start, end) => bytes.subarray(start, end), bytes.length)
    expect(frames?.map(({ bytes: size }) => size)).toEqual([4_194_304, 4_194_304, expect.any(Number)])
    const world = hands(folder)
    expect(failed(await archive.verify(disc(), world, 'counts'))).toEqual([])
    const deep = await archive.verify(disc(), world, 'hash')
    expect(failed(deep)).toEqual([])
    expect(deep.checks.map(({ name }) => name)).toEqual([
      'frames',
      'medium',
      'members',
      'content',
      'list',
      `member ${hash}.img`,
      `member ${hash}.map`,
      `member ${hash}.raw`,
      `source ${hash}.img`,
      `source ${hash}.raw`,
    ])
    rmSync(file())
    await make()
    expect((await archive.verify(disc(), world, 'hash')).content).toBe(deep.content)
  })

  test('an archive that is there is kept; it is made again only when asked, and the old one is kept aside', async () => {
    await make()
    const world = hands(folder)
    const seen = await archive.observe(disc(), world)
    expect(archive.plan(disc(), seen).action).toBe('keep')
    await expect(archive.run(disc(), seen, world, null)).rejects.toThrow('nobody asked')
    await archive.run(disc(), seen, world, 'asked')
    expect(readdirSync(join(folder, 'archive')).toSorted()).toEqual([
      `${hash}.tar.zst`,
      `${hash}.tar.zst.aside-asked-test`,
    ])
  })

  test('a storage that alters what it is given is noticed before the archive gets its name', async () => {
    const world = hands(folder)
    const lying = {
      ...world,
      create: async (place: string, bytes: AsyncIterable<Buffer>) => {
        await world.create(place, bytes)
        damage(world.path(place), 3_000_000)
      },
    }
    await expect(archive.run(disc(), await archive.observe(disc(), world), lying, null)).rejects.toThrow(
      'cannot be read back',
    )
    expect(readdirSync(join(folder, 'archive')).filter((name) => name.endsWith('.zst'))).toEqual([])
  })

  test('what was read back before it got its name is its proof, unless it was touched since', async () => {
    const world = hands(folder)
    const [one, read] = [disc(), [] as string[]]
    const counting = {
      ...world,
      stream: (command: Command) => (read.push(command.file), world.stream(command)),
    }
    const makeOne = async (): Promise<void> => {
      rmSync(file(), { force: true })
      await archive.run(one, await archive.observe(one, world), counting, null)
    }
    await makeOne()
    const proof = await archive.verify(one, counting, 'hash')
    expect([failed(proof), read]).toEqual([[], ['zstd']])
    // The same words and figures as of an archive that is read for it; and once only.
    expect(await archive.verify(one, counting, 'hash')).toEqual(proof)
    expect(read).toEqual(['zstd', 'zstd'])
    await makeOne()
    execFileSync('touch', ['-r', file(), join(folder, 'times')])
    damage(file(), 3_000_000)
    execFileSync('touch', ['-r', join(folder, 'times'), file()])
    expect(failed(await archive.verify(one, counting, 'hash'))).toEqual(['whole'])
    await makeOne()
    copyFileSync(file(), `${file()}.copy`)
    damage(`${file()}.copy`, 3_000_000)
    renameSync(`${file()}.copy`, file())
    expect(failed(await archive.verify(one, counting, 'hash'))).toEqual(['whole'])
    await makeOne()
    writeFileSync(join(folder, 'disc.iso'), noise(image.length))
    expect(failed(await archive.verify(one, counting, 'hash'))).toEqual([`source ${hash}.img`])
    await makeOne()
    rmSync(file())
    expect(failed(await archive.verify(one, counting, 'hash'))).toEqual(['whole'])
  })

  test('one that changes while it is read back, or as it gets its name, is not taken for what was read', async () => {
    const world = hands(folder)
    const one = disc()
    const seen = await archive.observe(one, world)
    const read: string[] = []
    const touching = {
      ...world,
      async *stream(command: Command) {
        read.push(command.file)
        yield* world.stream(command)
        // The look at its structure goes through all of so small an archive, and would see damage.
        execFileSync('touch', ['-a', command.args.at(-1) ?? ''])
      },
    }
    await archive.run(one, seen, touching, null)
    expect(failed(await archive.verify(one, touching, 'hash'))).toEqual([])
    expect(read).toEqual(['zstd', 'zstd'])
    rmSync(file())
    const swapping = {
      ...world,
      publish: async (from: string, to: string) => {
        damage(world.path(from), 3_000_000)
        await world.publish(from, to)
      },
    }
    await archive.run(one, seen, swapping, null)
    expect(failed(await archive.verify(one, world, 'hash'))).toEqual(['whole'])
  })

  test('a storage that alters the seek table alone is noticed as well', async () => {
    const world = hands(folder)
    const lying = {
      ...world,
      create: async (place: string, bytes: AsyncIterable<Buffer>) => {
        await world.create(place, bytes)
        damage(world.path(place), statSync(world.path(place)).size - 20)
      },
    }
    await expect(archive.run(disc(), await archive.observe(disc(), world), lying, null)).rejects.toThrow(
      'the seek table says',
    )
    expect(readdirSync(join(folder, 'archive'))).toEqual([])
  })

  test.each([
    ['does nothing', 'exit 0', 'zstd does not agree: cannot be read back: the archive has no end mark'],
    ['babbles', 'head -c 100000 /dev/urandom', 'zstd does not agree: cannot be read back'],
    ['gives half', '$real "$@" | head -c 5000000', 'zstd does not agree: cannot be read back'],
    [
      'gives wrong bytes of the right size',
      '$real "$@" | sed \'s/some text of a disc/same text of a disc/\'',
      `zstd does not agree: does not hold ${hash}.img`,
    ],
    ['is killed', 'kill -9 $$', 'zstd was ended by SIGKILL'],
    ['says nothing that is known', 'echo no >&2; exit 1', 'zstd ended with 1: no'],
  ])(
    'a zstd that %s: no archive appears, no part is left, and the storage is not blamed',
    async (_what, script, says) => {
      const programs = join(folder, 'programs')
      mkdirSync(programs)
      const real = execFileSync('sh', ['-c', 'command -v zstd'], { encoding: 'utf8' }).trim()
      writeFileSync(join(programs, 'zstd'), `#!/bin/sh\nreal=${real}\n${script}\n`, { mode: 0o755 })
      const world = hands(folder, { path: `${programs}:${process.env['PATH'] ?? ''}` })
      const told = await archive.run(disc(), await archive.observe(disc(), world), world, null).then(
        () => null,
        (error: unknown) => (error instanceof NttError ? error : null),
      )
      expect(told?.message).toContain(says)
      expect(told?.hint ?? '').not.toContain('storage')
      expect(readdirSync(join(folder, 'archive'))).toEqual([])
    },
  )

  test('without a zstd nothing is packed: nobody could read it back', async () => {
    const world = hands(folder, { path: '/nowhere' })
    await expect(
      archive.run(disc(), await archive.observe(disc(), world), world, null),
    ).rejects.toMatchObject({ tag: 'observe', message: expect.stringContaining('zstd is not installed') })
    expect(world.told).toEqual([])
  })

  test('an image that grows while it is read is refused', async () => {
    const world = hands(folder)
    const growing = {
      ...world,
      stat: async (place: string) => {
        const stat = await world.stat(place)
        return stat !== null && place.endsWith('.iso') ? { ...stat, bytes: stat.bytes - 1 } : stat
      },
    }
    await expect(archive.run(disc(), await archive.observe(disc(), world), growing, null)).rejects.toThrow(
      'changed while it was archived',
    )
  })

  test('without a raw or an image nothing is written', async () => {
    rmSync(join(folder, `raw/${hash}.raw`))
    await expect(make()).rejects.toThrow('an archive needs it')
    rmSync(join(folder, 'disc.iso'))
    await expect(make()).rejects.toThrow('no image')
    expect(readdirSync(join(folder, 'archive'))).toEqual([])
  })
})

function damage(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

describe('what is damaged or foreign', () => {
  test.each([
    ['cut to half', () => truncateSync(file(), Math.floor(statSync(file()).size / 2)), ['whole']],
    ['without its last bytes', () => truncateSync(file(), statSync(file()).size - 3), ['whole']],
    ['empty', () => truncateSync(file(), 0), ['whole']],
    ['with a bit flipped in the image', () => damage(file(), 2_000_000), ['whole']],
    ['with a bit flipped in the seek table', () => damage(file(), statSync(file()).size - 20), ['whole']],
    ['no archive at all', () => writeFileSync(file(), 'nonsense'), ['whole']],
  ])('an archive that is %s fails at depth hash', async (_what, harm, expected) => {
    await make()
    harm()
    expect(failed(await archive.verify(disc(), hands(folder), 'hash'))).toEqual(expected)
  })

  test('a bit flipped in a frame’s header is seen at depth counts already', async () => {
    await make()
    damage(file(), 7)
    expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).not.toEqual([])
  })

  test('the archive of another medium under this name fails', async () => {
    await make()
    const other = { ...disc(), hash: 'f'.repeat(32) }
    copyFileSync(file(), join(folder, `archive/${other.hash}.tar.zst`))
    expect(failed(await archive.verify(other, hands(folder), 'counts'))).toEqual(['medium'])
  })

  test('an image or raw that is another one since is told, and a new look makes the proof stale', async () => {
    await make()
    const world = hands(folder)
    const before = await archive.observe(disc(), world)
    damage(join(folder, 'disc.iso'), 7)
    expect(await archive.observe(disc(), world)).not.toEqual(before)
    expect(failed(await archive.verify(disc(), world, 'counts'))).toEqual([])
    expect(failed(await archive.verify(disc(), world, 'hash'))).toEqual([`source ${hash}.img`])
    writeFileSync(join(folder, `raw/${hash}.raw`), 'another')
    expect(failed(await archive.verify(disc(), world, 'counts'))).toEqual([`source ${hash}.raw`])
  })

  test('a manifest that lies about a member is caught by the member', async () => {
    await make()
    const tree = join(folder, 'tree')
    mkdirSync(tree)
    execFileSync('tar', ['--zstd', '-xf', file(), '-C', tree])
    const json = readFileSync(join(tree, 'MANIFEST.json'), 'utf8')
    const digest = parseManifest(json).members[0]?.blake3 ?? ''
    // Rewritten by hand, as an attacker would: same sizes, another digest, packed anew with our own frames.
    writeFileSync(join(tree, 'MANIFEST.json'), json.replace(digest, '0'.repeat(64)))
    const names = [`${hash}.img`, `${hash}.map`, `${hash}.raw`, 'MANIFEST.json', 'MANIFEST.b3']
    execFileSync(
      'tar',
      ['--format=gnu', '--owner=0', '--group=0', '-b1', '-cf', join(folder, 'a.tar'), ...names],
      { cwd: tree },
    )
    const world = hands(folder)
    await world.create(`archive:${hash}.tar.zst`, world.pack(world.read(join(folder, 'a.tar'))))
    expect(failed(await archive.verify(disc(), world, 'hash'))).toEqual([`member ${hash}.img`])
  })

  test('a zstd that is missing or killed means that nobody looked, not that the archive is bad', async () => {
    await make()
    await expect(archive.verify(disc(), hands(folder, { path: '/nowhere' }), 'hash')).rejects.toMatchObject({
      tag: 'observe',
    })
    const programs = join(folder, 'programs')
    mkdirSync(programs)
    writeFileSync(join(programs, 'zstd'), '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 })
    const path = `${programs}:${process.env['PATH'] ?? ''}`
    await expect(archive.verify(disc(), hands(folder, { path }), 'hash')).rejects.toMatchObject({
      tag: 'observe',
    })
  })
})

test('an archive that somebody packed anew without frames is still compared with its manifest', async () => {
  await make()
  const plain = join(folder, 'plain.tar')
  writeFileSync(plain, execFileSync('zstd', ['-dc', file()], { maxBuffer: 1 << 26 }))
  execFileSync('zstd', ['-qf', plain, '-o', file()])
  expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual([])
  damage(plain, 5_000_000)
  execFileSync('zstd', ['-qf', plain, '-o', file()])
  rmSync(join(folder, 'disc.iso'))
  expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual([`member ${hash}.img`])
})

describe('an archive of the older pipeline', () => {
  const older = (name = `${hash}.img`, source = image): void => {
    const at = mkdtempSync(join(folder, 'older-'))
    writeFileSync(join(at, name), source)
    writeFileSync(join(at, `${hash}.map`), '# Mapfile\n')
    execFileSync('tar', ['--zstd', '-cf', file(), name, `${hash}.map`], { cwd: at })
  }

  test('is proven by the image that it holds, at either depth', async () => {
    older()
    const world = hands(folder)
    const counts = await archive.verify(disc(), world, 'counts')
    expect(failed(counts)).toEqual([])
    expect(counts.checks.map(({ name }) => name)).toEqual(['image', `source ${hash}.img`])
    expect(counts.facts).toMatchObject({ format: 'plain' })
    expect(failed(await archive.verify(disc(), world, 'hash'))).toEqual([])
  })

  test('fails if its image is another one, cut, or of another medium', async () => {
    older(undefined, Buffer.concat([image.subarray(1), Buffer.alloc(1)]))
    expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual([`source ${hash}.img`])
    older(`${'e'.repeat(32)}.img`)
    expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual(['image'])
    older()
    truncateSync(file(), 100_000)
    expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual(['whole'])
  })

  test('stands alone where the image is gone: whole by its checksums', async () => {
    older()
    rmSync(join(folder, 'disc.iso'))
    expect(failed(await archive.verify(disc(), hands(folder), 'counts'))).toEqual([])
  })
})

test('the lists are what b3sum reads; names that it cannot read go to the raw list', () => {
  const at = mkdtempSync(join(tmpdir(), 'ntt-lists-'))
  onTestFinished(() => rmSync(at, { recursive: true }))
  const names = ['plain', 'a\nb', 'back\\slash', ' spaces ', '*star', 'é', '\r']
  const lines = names.map((name) => {
    writeFileSync(join(at, name), name)
    const hasher = openHasher()
    hasher.update(Buffer.from(name))
    return listLine(hasher.digest().blake3, Buffer.from(name))
  })
  writeFileSync(join(at, 'list'), Buffer.concat(lines.filter((line) => line !== null)))
  const said = spawnSync('b3sum', ['-c', 'list'], { cwd: at, encoding: 'utf8' })
  expect(said.stderr).toBe('')
  expect(said.stdout.match(/: OK/g)).toHaveLength(names.length)
  const bytes = Buffer.from([0x66, 0xff])
  expect(listLine('0', bytes)).toBeNull()
  expect(listLine('0', Buffer.from('\uFFFD'))).toBeNull()
  expect(rawListLine('0', bytes)).toEqual(Buffer.from([0x30, 0x20, 0x20, 0x66, 0xff, 0]))
})
