// The kernel's drivers, in a room of their own: the witness for our own readers, and gone without a trace.
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ext } from '../../src/readers/ext/index.ts'
import { kernel, mountCommand } from '../../src/readers/kernel.ts'
import { looking, make } from '../support/looking.ts'
import { repository, scratch } from '../support/project.ts'
import { contentsOf, contentsOfTree, listAll, sideBySide, volumeOf } from '../support/reading.ts'
import { hostileTree } from '../support/trees.ts'

const isRoot = process.getuid?.() === 0

function ext4(bytes = 16 << 20) {
  const folder = scratch()
  const tree = hostileTree(join(folder, 'tree'))
  const image = join(folder, 'an image of ext4')
  writeFileSync(image, '')
  truncateSync(image, bytes)
  make('mkfs.ext4', '-q', '-F', image)
  // Through the kernel, so that nanoseconds, owners and holes are written by the real thing.
  if (isRoot) {
    execFileSync('mkdir', [join(folder, 'm')])
    execFileSync('unshare', [
      '--mount',
      'sh',
      '-c',
      'mount -o loop "$1" "$2" && cp -a "$3/." "$2/"',
      'sh',
      image,
      join(folder, 'm'),
      tree,
    ])
  }
  return { folder, tree, image }
}
const loops = (image: string): string => execFileSync('losetup', ['-j', image], { encoding: 'utf8' })
/** One that has ended and was not waited for by its new parent runs no more. */
const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}
const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8')

test('the mount that is asked for cannot write, and ends where the partition ends', () => {
  const { file, args } = mountCommand('/a b.img', { type: 'ext3', start: 512, bytes: 1024 }, '/mnt')
  expect([file, ...args].join(' ')).toBe(
    'mount -t ext3 -o ro,nosuid,nodev,noexec,loop,offset=512,sizelimit=1024,noload -- /a b.img /mnt',
  )
})

test('whoever is not root has no kernel to read with', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'id'), '#!/bin/sh\necho 1000\n', { mode: 0o755 })
  const world = looking(`${folder}:${process.env['PATH'] ?? ''}`)
  const volume = {
    fs: 0,
    scheme: 'whole',
    partitionType: '',
    start: 0,
    bytes: 1,
    label: Buffer.alloc(0),
    uuid: '',
  }
  expect(await kernel.version(world, { ...volume, type: 'ext4' })).toBeNull()
})

describe.runIf(isRoot)('as root', () => {
  test('the kernel and we ourselves see the same of a volume that the kernel wrote, to the nanosecond', async () => {
    const { tree, image } = ext4()
    const before = readFileSync(image)
    const volume = await volumeOf(image)
    expect(await kernel.version(looking(), volume)).toMatch(/^\d+\.\d+/)
    const [theirs, ours] = [await listAll(kernel, image, volume), await listAll(ext, image, volume)]
    const plain = ({ entries }: typeof ours) =>
      entries
        .map(({ extents: _places, ...entry }) => ({ ...entry, path: entry.path.toString('latin1') }))
        .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    expect(plain(ours)).toEqual(plain(theirs))
    const { expected, actual } = sideBySide(tree, ours.entries, { times: 'ns', but: ['lost+found'] })
    expect(actual).toEqual(expected)
    expect(await contentsOf(kernel, image, volume, theirs.entries)).toEqual(contentsOfTree(tree))
    expect(readFileSync(image).equals(before)).toBe(true)
    expect(loops(image)).toBe('')
    expect(mounts()).not.toContain(image)
  })

  test('a mount that says it is one and is none, and one of another image, are found out', async () => {
    const { folder, image } = ext4()
    const other = ext4()
    const volume = await volumeOf(image)
    const real = execFileSync('which', ['mount'], { encoding: 'utf8' }).trim()
    const lying = (script: string) => {
      writeFileSync(join(folder, 'mount'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
      return looking(`${folder}:${process.env['PATH'] ?? ''}`)
    }
    await expect(listAll(kernel, image, volume, lying('exit 0'))).rejects.toThrow('no ext4 is mounted')
    await expect(
      listAll(kernel, image, volume, lying(`exec ${real} -o ro,loop "${other.image}" /mnt`)),
    ).rejects.toThrow('is mounted, which holds')
    expect([loops(image), loops(other.image)]).toEqual(['', ''])
  })

  test('a volume that goes on past the end of its image is not even tried', async () => {
    const { image } = ext4()
    const volume = await volumeOf(image)
    truncateSync(image, statSync(image).size - 1)
    await expect(listAll(kernel, image, volume)).rejects.toThrow('past the end of the image')
  })

  test('after SIGKILL in the middle nothing is mounted, attached or running', async () => {
    const { folder, image } = ext4()
    const script = join(folder, 'hold.mts')
    writeFileSync(
      script,
      `import { openRoom } from '${repository}/src/ports/room.ts'
       const options = { signal: new AbortController().signal, line: () => {}, path: process.env.PATH }
       const room = await openRoom(options)
       await room.probe({ file: 'mount', args: ['-o', 'ro,loop', '${image}', room.inside], timeoutMs: 10000 })
       console.log(JSON.stringify({ root: room.root, mounted: await room.mounted() }))
       setInterval(() => {}, 1000)`,
    )
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const said = await new Promise<string>((resolve) =>
      child.stdout.once('data', (text: Buffer) => resolve(text.toString())),
    )
    expect(JSON.parse(said)).toMatchObject({ mounted: { type: 'ext4' } })
    expect(loops(image)).not.toBe('')
    child.kill('SIGKILL')
    const sleeper = Number(/proc\/(\d+)/.exec(said)?.[1])
    for (let waited = 0; waited < 100 && loops(image) !== ''; waited += 1) await sleep(50)
    expect(loops(image)).toBe('')
    expect(mounts()).not.toContain(image)
    expect(isRunning(sleeper)).toBe(false)
  })
})
