// Files: what is there, what is not there, what cannot be looked at; products whole or not at all.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { InterruptedError, ObserveError, RefusedError, StoreError } from '../../src/model/errors.ts'
import { isEntry, type Entry, type EntryError } from '../../src/model/entry.ts'
import { openFiles } from '../../src/ports/files.ts'
import { walkDirectory } from '../../src/ports/walk.ts'
import { lookAt, lookIn, looked } from '../../src/ports/walk/look.ts'
import { scratch } from '../support/project.ts'

const root = process.getuid?.() === 0
const live = new AbortController().signal

function open(folder = scratch(), run = 'run1') {
  const roots = {
    image: join(folder, 'img'),
    raw: join(folder, 'raw'),
    'by-hash': join(folder, 'by-hash'),
    archive: join(folder, 'archive'),
    state: join(folder, 'state'),
  }
  return { folder, files: openFiles({ roots, run, signal: live }) }
}

async function* chunks(...all: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const one of all) yield Buffer.from(one)
}

async function whole(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const kept: Buffer[] = []
  for await (const chunk of bytes) kept.push(Buffer.from(chunk))
  return Buffer.concat(kept)
}

async function walked(
  found: AsyncIterable<readonly (Entry | EntryError)[]>,
): Promise<(Entry | EntryError)[]> {
  const kept: (Entry | EntryError)[] = []
  for await (const batch of found) kept.push(...batch)
  return kept
}

/** A small filesystem of its own, gone when the test ends. */
function smallFilesystem(megabytes: number): string {
  const folder = scratch()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'ntt-test', folder])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

describe('places', () => {
  test('a place below a root is a path below that root', () => {
    const { folder, files } = open()
    expect(files.path('by-hash:aa/bb/cc')).toBe(join(folder, 'by-hash/aa/bb/cc'))
    expect(files.path('raw:')).toBe(join(folder, 'raw'))
    expect(files.path('/dev/sr0')).toBe('/dev/sr0')
  })

  test('no place leaves its root, and what is no place is a bug', () => {
    const { files } = open()
    for (const place of ['raw:../x', 'raw:a/../../x', 'raw:/etc/passwd', 'nowhere:x', 'x', '', 'raw:a\0b']) {
      expect(() => files.path(place)).toThrow(TypeError)
    }
  })
})

describe('looking', () => {
  test('what is not there is null, and a directory that is not there too', async () => {
    const { files } = open()
    expect(await files.stat('raw:x.raw')).toBeNull()
    expect(await files.text('raw:x.raw')).toBeNull()
    expect(await files.names('raw:')).toBeNull()
  })

  test('what cannot be looked at throws with its path, never null', async () => {
    const { folder, files } = open()
    symlinkSync('loop', join(folder, 'loop'))
    writeFileSync(join(folder, 'file'), '')
    for (const path of [join(folder, 'loop'), join(folder, 'file/below')]) {
      await expect(files.stat(path)).rejects.toThrow(ObserveError)
      await expect(files.stat(path)).rejects.toThrow(path)
      await expect(files.text(path)).rejects.toThrow(ObserveError)
      await expect(files.names(path)).rejects.toThrow(ObserveError)
      await expect(whole(files.read(path))).rejects.toThrow(ObserveError)
    }
    await expect(whole(files.read(join(folder, 'absent')))).rejects.toThrow(ObserveError)
  })

  test('a read error names the byte and says what to do', async () => {
    const { files } = open()
    const failing = whole(files.read('/proc/self/mem'))
    await expect(failing).rejects.toMatchObject({
      tag: 'observe',
      message: 'cannot read /proc/self/mem at byte 0: EIO',
      hint: expect.stringContaining('kernel log'),
    })
  })

  test.runIf(root)('another user is told EACCES as a failed look, not as an absence', () => {
    const folder = scratch()
    mkdirSync(join(folder, 'raw'), { mode: 0o700 })
    writeFileSync(join(folder, 'raw/a.raw'), 'x')
    const script = `
      import { openFiles } from '${join(import.meta.dirname, '../../src/ports/files.ts')}'
      const roots = { raw: '${join(folder, 'raw')}' }
      const files = openFiles({ roots, run: 'r', signal: new AbortController().signal })
      for (const look of [() => files.stat('raw:a.raw'), () => files.names('raw:'), () => files.text('raw:a.raw')])
        console.log(await look().then(String, (error) => error.tag + ' ' + error.hint))`
    const ran = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      uid: 65534,
      gid: 65534,
      cwd: '/',
      encoding: 'utf8',
    })
    expect(ran.stderr).toBe('')
    expect(ran.stdout.trim().split('\n')).toEqual(
      Array.from({ length: 3 }, () => expect.stringMatching(/^observe Run ntt as a user who may read it/)),
    )
  })

  test('a stat tells size, time to the nanosecond, inode and mode; links are followed', async () => {
    const { folder, files } = open()
    writeFileSync(join(folder, 'file'), 'twelve bytes')
    chmodSync(join(folder, 'file'), 0o640)
    execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', join(folder, 'file')])
    symlinkSync('file', join(folder, 'link'))
    expect(await files.stat(join(folder, 'link'))).toEqual({
      kind: 'file',
      bytes: 12,
      mtimeNs: '981173106123456789',
      ctimeNs: statSync(join(folder, 'file'), { bigint: true }).ctimeNs.toString(),
      ino: statSync(join(folder, 'file')).ino.toString(),
      mode: 0o640,
    })
    expect((await files.stat(folder))?.kind).toBe('directory')
    await expect(files.stat('/dev/null')).rejects.toThrow(ObserveError)
  })

  test.runIf(root)('the size of a block device is its capacity', async () => {
    const { folder, files } = open()
    execFileSync('truncate', ['-s', '1474560', join(folder, 'floppy')])
    const loop = execFileSync('losetup', ['--find', '--show', '--read-only', join(folder, 'floppy')], {
      encoding: 'utf8',
    }).trim()
    onTestFinished(() => void execFileSync('losetup', ['--detach', loop]))
    expect(await files.stat(loop)).toMatchObject({ kind: 'device', bytes: 1474560 })
    expect((await whole(files.read(loop, { start: 1474000, end: 9_999_999 }))).length).toBe(560)
  })

  test('reading gives every byte once, also of a range, in chunks of at most 1 MiB', async () => {
    const { folder, files } = open()
    const bytes = Buffer.alloc(3_500_001, 'No Two Things. ')
    writeFileSync(join(folder, 'file'), bytes)
    expect((await whole(files.read(join(folder, 'file')))).equals(bytes)).toBe(true)
    const range = { start: 1_048_000, end: 2_500_000 }
    expect(
      (await whole(files.read(join(folder, 'file'), range))).equals(bytes.subarray(1_048_000, 2_500_000)),
    ).toBe(true)
    for await (const chunk of files.read(join(folder, 'file')))
      expect(chunk.length).toBeLessThanOrEqual(1 << 20)
  })

  test('a reader that turns away early leaves no file open', async () => {
    const { folder, files } = open()
    writeFileSync(join(folder, 'file'), Buffer.alloc(5_000_000))
    const before = readdirSync('/proc/self/fd').length
    for await (const chunk of files.read(join(folder, 'file'))) if (chunk.length > 0) break
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  test('names come in byte order, whatever bytes they are', async () => {
    const { folder, files } = open()
    mkdirSync(join(folder, 'raw'))
    for (const name of ['b', 'a', 'A', '\xe9'])
      writeFileSync(Buffer.from(join(folder, 'raw', name), 'latin1'), '')
    expect(await files.names('raw:')).toEqual(['A', 'a', 'b', '\xe9'])
  })

  test('a text of more than 16 MiB is refused', async () => {
    const { folder, files } = open()
    execFileSync('truncate', ['-s', '17M', join(folder, 'long')])
    await expect(files.text(join(folder, 'long'))).rejects.toThrow(/too large/)
  })
})

describe('walking', () => {
  test('every kind of entry is told as it is, in byte order, and nothing is followed or opened', async () => {
    const { folder, files } = open()
    const tree = join(folder, 'tree')
    mkdirSync(join(tree, 'sub/deep'), { recursive: true })
    writeFileSync(join(tree, 'sub/deep/file'), 'four')
    linkSync(join(tree, 'sub/deep/file'), join(tree, 'hard'))
    symlinkSync('/', join(tree, 'out'))
    symlinkSync(Buffer.from('nowhere\xe9', 'latin1'), join(tree, 'broken'))
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from('caf\xe9\n', 'latin1')]), '')
    execFileSync('mkfifo', [join(tree, 'fifo')])
    if (root) execFileSync('mknod', [join(tree, 'node'), 'c', '1', '3'])
    utimesSync(join(tree, 'hard'), 1, 2.5)
    const found = (await walked(files.walk(tree))).filter(isEntry)
    const told = found.map(({ path, type }) => `${type} ${path.toString('latin1')}`)
    expect(told).toEqual([
      'd ',
      'l broken',
      'f caf\xe9\n',
      'p fifo',
      'f hard',
      ...(root ? ['c node'] : []),
      'l out',
      'd sub',
      'd sub/deep',
      'f sub/deep/file',
    ])
    const named = (name: string) => found.find(({ path }) => path.toString('latin1') === name)
    expect(named('broken')).toMatchObject({ size: 8, target: Buffer.from('nowhere\xe9', 'latin1') })
    expect(named('hard')).toMatchObject({
      size: 4,
      nlink: 2,
      mtimeNs: 2_500_000_000n,
      target: null,
      rdev: 0n,
    })
    expect(named('hard')?.ino).toBe(named('sub/deep/file')?.ino)
    if (root) expect(named('node')?.rdev).toBe((1n << 32n) | 3n)
  })

  test('a tree of more than a slice comes whole, in the order of find, and twice the same', async () => {
    const { folder, files } = open()
    for (let d = 0; d < 20; d += 1) {
      mkdirSync(join(folder, `t/d${d}`), { recursive: true })
      for (let f = 0; f < 50; f += 1) writeFileSync(join(folder, `t/d${d}/f${f}`), '')
    }
    const paths = (await walked(files.walk(join(folder, 't')))).map(({ path }) => path.toString('latin1'))
    const find = execFileSync('find', [join(folder, 't'), '-printf', '%P\n'], { encoding: 'utf8' })
      .split('\n')
      .slice(0, -1)
    expect(paths.toSorted()).toEqual(find.toSorted())
    expect(paths).toHaveLength(1021)
    expect(
      (await walked(files.walk(`${join(folder, 't')}/`))).map(({ path }) => path.toString('latin1')),
    ).toEqual(paths)
  })

  test.runIf(root)('another filesystem below is told, and not entered', async () => {
    const { folder, files } = open()
    mkdirSync(join(folder, 'tree/mnt'), { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'ntt-test', join(folder, 'tree/mnt')])
    onTestFinished(() => void execFileSync('umount', [join(folder, 'tree/mnt')]))
    writeFileSync(join(folder, 'tree/mnt/hidden'), '')
    expect(await walked(files.walk(join(folder, 'tree')))).toMatchObject([
      { type: 'd', path: Buffer.from('') },
      { error: 'other-filesystem', path: Buffer.from('mnt') },
    ])
  })

  test('goes on below the directories that stay open, and leaves none open', async () => {
    const { folder, files } = open()
    const deep = Array.from({ length: 200 }, (_, at) => `d${at}`)
    mkdirSync(join(folder, 'deep', ...deep), { recursive: true })
    for (const at of [50, 150, 200]) writeFileSync(join(folder, 'deep', ...deep.slice(0, at), 'file'), '')
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const before = descriptors()
    const found = await walked(files.walk(join(folder, 'deep')))
    expect(found.filter(isEntry)).toHaveLength(1 + 200 + 3)
    expect(found.some(({ path }) => path.toString() === `${deep.join('/')}/file`)).toBe(true)
    for await (const batch of files.walk(join(folder, 'deep'))) if (batch.length > 0) break
    expect(descriptors()).toBe(before)
  })

  test('names of a very large directory come as the filesystem has them, each once, and leave nothing open', async () => {
    const { folder } = open()
    for (let at = 0; at < 7; at += 1) mkdirSync(join(folder, 'large', `d${at}`), { recursive: true })
    for (let at = 0; at < 3000; at += 1) writeFileSync(join(folder, 'large', `d${at % 7}`, `file-${at}`), '')
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const before = descriptors()
    const paths = async (sorted?: number): Promise<string[]> =>
      (await walked(walkDirectory(join(folder, 'large'), live, { sorted }))).map(({ path }) =>
        path.toString(),
      )
    const asTheyCome = await paths(0)
    expect(asTheyCome).not.toEqual(await paths())
    expect(asTheyCome.toSorted()).toEqual((await paths()).toSorted())
    for await (const batch of walkDirectory(join(folder, 'large'), live, { sorted: 0 }))
      if (batch.length > 0) break
    expect(descriptors()).toBe(before)
  })

  /** What a thread walks but for two slices: the second is held until the thread is ready, which is a moment after it has its name. */
  async function* beside(tree: string, signal = live): AsyncGenerator<readonly (Entry | EntryError)[]> {
    let batches = 0
    for await (const batch of walkDirectory(tree, signal, { alone: 1 })) {
      yield batch
      batches += 1
      if (batches === 2) await vi.waitFor(() => expect(threads()).toContain('walk')).then(() => sleep(1000))
    }
  }
  const threads = (): string[] =>
    readdirSync('/proc/self/task').map((id) => readFileSync(`/proc/self/task/${id}/comm`, 'latin1').trim())
  function large(folder: string): string {
    const tree = join(folder, 'large')
    const deep = join(tree, ...Array.from({ length: 150 }, (_, at) => `d${at}`))
    mkdirSync(deep, { recursive: true })
    for (let at = 0; at < 6000; at += 1) writeFileSync(join(at % 9 === 0 ? deep : tree, `f${at}`), 'x')
    symlinkSync(Buffer.from('nowhere\xe9', 'latin1'), join(deep, 'broken'))
    writeFileSync(Buffer.concat([Buffer.from(`${deep}/`), Buffer.from('caf\xe9\n', 'latin1')]), '')
    return tree
  }

  test('a thread that goes on with a walk meets the same, in the same order, and leaves nothing open', async () => {
    const { folder } = open()
    const tree = large(folder)
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    const alone = await walked(walkDirectory(tree, live))
    expect(alone).toHaveLength(6153)
    await walked(beside(tree))
    const before = descriptors()
    expect(await walked(beside(tree))).toEqual(alone)
    expect(descriptors()).toBe(before)
    expect(threads()).not.toContain('walk')
    let batches = 0
    for await (const batch of beside(tree)) if (batch.length > 0 && ++batches === 3) break
    expect(descriptors()).toBe(before)
    expect(threads()).not.toContain('walk')
  })

  test('what is asked to stop while a thread walks stops, and leaves nothing open', async () => {
    const { folder } = open()
    const tree = large(folder)
    const stop = new AbortController()
    const before = readdirSync('/proc/self/fd').length
    let batches = 0
    const walking = async (): Promise<void> => {
      for await (const batch of beside(tree, stop.signal))
        if (batch.length > 0 && ++batches === 3) stop.abort()
    }
    await expect(walking()).rejects.toThrow(InterruptedError)
    expect(readdirSync('/proc/self/fd').length).toBe(before)
    expect(threads()).not.toContain('walk')
  })

  test('what a thread finds in the place of a directory is told as an error', async () => {
    const { folder } = open()
    const tree = large(folder)
    const found: (Entry | EntryError)[] = []
    for await (const batch of beside(tree)) {
      if (found.length === 0) renameSync(join(tree, 'd0'), join(folder, 'was'))
      found.push(...batch)
    }
    const message = 'cannot find it again: ENOENT'
    expect(found.findLast((one) => !isEntry(one))).toEqual({
      error: 'ENOENT',
      path: Buffer.from('d0'),
      message,
    })
  })

  test('a machine that has run out of open files has not looked, whoever walks', async () => {
    const tree = scratch()
    for (let at = 0; at < 20_000; at += 1) writeFileSync(join(tree, `a${at}`), 'x')
    mkdirSync(join(tree, ...Array.from({ length: 100 }, (_, at) => `z${at}`)), { recursive: true })
    const descriptors = (): readonly string[] => readdirSync('/proc/self/fd')
    const limit = (files: string): Buffer =>
      execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${files}:`])
    const usual = /open files +(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? ''
    const taken: number[] = []
    const takeAll = (): void => {
      // More than a program needs to be started: giveBack starts one with what it gave back.
      limit(String(Math.max(...descriptors().map(Number)) + 32))
      expect(() => {
        for (;;) taken.push(openSync('/dev/null', 'r'))
      }).toThrow('EMFILE')
    }
    const giveBack = (): void => {
      for (const fd of taken.splice(0)) closeSync(fd)
      limit(usual)
    }
    onTestFinished(giveBack)
    for (const walk of [walkDirectory(tree, live), beside(tree)]) {
      const before = descriptors().length
      let batches = 0
      const walking = async (): Promise<void> => {
        for await (const batch of walk) if (batch.length > 0 && ++batches === 3) takeAll()
      }
      await expect(walking()).rejects.toMatchObject({
        name: 'ObserveError',
        message: `cannot walk ${tree}: EMFILE`,
      })
      giveBack()
      // The thread gives back what is its own when it ends, which a busy machine may take a moment for.
      await expect.poll(() => descriptors().length, { timeout: 10_000 }).toBe(before)
      await expect.poll(threads).not.toContain('walk')
    }
  })

  test('a very large directory whose list breaks off is told as an error, after what was listed', () => {
    const { folder } = open()
    const names = 6000
    mkdirSync(join(folder, 'torn'))
    for (let at = 0; at < names; at += 1) writeFileSync(join(folder, 'torn', `file-${at}`), '')
    const script = `
      const { walkDirectory } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/ports/walk.ts'))})
      const errors = []
      let entries = 0
      for await (const batch of walkDirectory(${JSON.stringify(join(folder, 'torn'))}, new AbortController().signal, { sorted: 0 }))
        for (const found of batch) 'error' in found ? errors.push(found.message) : (entries += 1)
      console.log(JSON.stringify({ entries, errors }))`
    const failing = ['-e', 'trace=getdents64', '-e', 'inject=getdents64:error=EIO:when=3+']
    const walk = [process.execPath, '--input-type=module', '--eval', script]
    const told = execFileSync('strace', ['-f', '-o', '/dev/null', ...failing, ...walk]).toString()
    const { entries, errors } = JSON.parse(told) as { entries: number; errors: readonly string[] }
    expect(errors).toEqual(['cannot list the rest of the directory: EIO'])
    expect(entries).toBeGreaterThan(100)
    expect(entries).toBeLessThan(names)
  })

  /** Without access, birth and change times, which nobody reads. */
  const fieldsOf = (bytes: Buffer): string =>
    [bytes.subarray(0, 0x0e), bytes.subarray(0x10, 0x20), bytes.subarray(0x60, 0x6c), bytes.subarray(0x70)]
      .map((part) => part.toString('hex'))
      .join(' ')

  test('an entry looks the same by its open directory and by its path', () => {
    const { folder } = open()
    mkdirSync(join(folder, 'looks'))
    writeFileSync(join(folder, 'looks/file'), 'four', { mode: 0o600 })
    utimesSync(join(folder, 'looks/file'), -1.5, -86_400.25)
    symlinkSync('file', join(folder, 'looks/link'))
    for (const [directory, name] of [
      [join(folder, 'looks'), 'file'],
      [join(folder, 'looks'), 'link'],
      ['/dev', 'null'],
    ] as const) {
      const fd = openSync(directory, 'r')
      lookAt(Buffer.from(join(directory, name)))
      const byPath = fieldsOf(looked)
      looked.fill(0xff)
      expect(lookIn(fd, name)).toBe(true)
      expect(fieldsOf(looked)).toEqual(byPath)
      expect(() => lookIn(fd, 'absent')).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error)
      closeSync(fd)
    }
  })

  test('a directory that became a link while it was walked is told as an error', async () => {
    const { folder, files } = open()
    const [tree, outside] = [join(folder, 'tree'), join(folder, 'outside')]
    for (const at of [join(tree, 'a'), outside]) mkdirSync(at, { recursive: true })
    for (let index = 0; index < 600; index += 1)
      for (const at of [join(tree, 'a'), outside]) writeFileSync(join(at, `f${index}`), '')
    const kept: (Entry | EntryError)[] = []
    for await (const batch of files.walk(tree)) {
      if (kept.length === 0) {
        renameSync(join(tree, 'a'), join(folder, 'was'))
        symlinkSync(outside, join(tree, 'a'))
      }
      kept.push(...batch)
    }
    expect(kept.filter((found) => !isEntry(found))).toMatchObject([
      { error: 'ENOTDIR', path: Buffer.from('a') },
    ])
  })

  test('a directory that is not there, or is none, throws: it was not walked', async () => {
    const { folder, files } = open()
    writeFileSync(join(folder, 'file'), '')
    await expect(walked(files.walk(join(folder, 'absent')))).rejects.toThrow(ObserveError)
    await expect(walked(files.walk(join(folder, 'file')))).rejects.toThrow(/is not a directory/)
  })
})

describe('making', () => {
  test('a product is whole, of mode 0644 whatever the umask, in directories of mode 0755', async () => {
    const { folder, files } = open()
    const before = process.umask(0o077)
    try {
      await files.create('state:a/b/text', chunks('No Two ', 'Things'))
    } finally {
      process.umask(before)
    }
    expect(readFileSync(join(folder, 'state/a/b/text'), 'utf8')).toBe('No Two Things')
    expect(statSync(join(folder, 'state/a/b/text')).mode & 0o7777).toBe(0o644)
    expect(statSync(join(folder, 'state/a')).mode & 0o7777).toBe(0o755)
    expect(readdirSync(join(folder, 'state/a/b'))).toEqual(['text'])
  })

  test('bytes that end in a failure leave neither product nor part', async () => {
    const { folder, files } = open()
    await files.create('raw:a.raw', chunks('old'))
    const failing = (async function* () {
      yield Buffer.from('new')
      throw new ObserveError('the source has gone')
    })()
    await expect(files.create('raw:a.raw', failing)).rejects.toThrow('the source has gone')
    expect(readdirSync(join(folder, 'raw'))).toEqual(['a.raw'])
    expect(readFileSync(join(folder, 'raw/a.raw'), 'utf8')).toBe('old')
  })

  test('nothing outside the roots is written', async () => {
    const { folder, files } = open()
    await expect(files.create(join(folder, 'x'), chunks('x'))).rejects.toThrow(TypeError)
    await expect(files.create('raw:', chunks('x'))).rejects.toThrow(TypeError)
    expect(() => files.part(join(folder, 'x'))).toThrow(TypeError)
  })

  test('a part is published once; another file under the name is not replaced unasked', async () => {
    const { folder, files } = open()
    const part = files.part('image:a.img')
    writeFileSync(files.path(part), 'one', { mode: 0o600 })
    await files.publish(part, 'image:a.img')
    expect(statSync(join(folder, 'img/a.img')).mode & 0o7777).toBe(0o644)
    writeFileSync(files.path(part), 'two')
    await expect(files.publish(part, 'image:a.img')).rejects.toThrow(RefusedError)
    expect(readFileSync(join(folder, 'img/a.img'), 'utf8')).toBe('one')
    await files.publish(part, 'image:a.img', { replace: true })
    expect(readFileSync(join(folder, 'img/a.img'), 'utf8')).toBe('two')
    expect(readdirSync(join(folder, 'img'))).toEqual(['a.img'])
  })

  test('a product may be made as a part first, and looked at before it gets its name', async () => {
    const { folder, files } = open()
    const part = files.part('archive:a.tar.zst')
    await files.create(part, chunks('packed'))
    expect(existsSync(join(folder, 'archive/a.tar.zst'))).toBe(false)
    expect(await files.text(part)).toBe('packed')
    await files.publish(part, 'archive:a.tar.zst')
    expect(readdirSync(join(folder, 'archive'))).toEqual(['a.tar.zst'])
  })

  test('parts that a dead run left for this product go, those of other products stay', async () => {
    const { folder, files } = open()
    const dead = open(folder, 'run0').files
    writeFileSync(dead.path(dead.part('raw:a.raw')), 'half')
    writeFileSync(dead.path(dead.part('raw:b.raw')), 'half')
    await files.create('raw:a.raw', chunks('whole'))
    expect(readdirSync(join(folder, 'raw')).toSorted()).toEqual(['a.raw', 'b.raw.run0.part'])
  })

  test('a part of this run can be taken back, and nothing else can', async () => {
    const { folder, files } = open()
    const part = files.part('raw:a.raw')
    await files.create(part, chunks('half'))
    await files.create('raw:b.raw', chunks('whole'))
    await files.discard(part)
    await files.discard(part)
    await expect(files.discard('raw:b.raw')).rejects.toThrow('not a part of this run')
    expect(readdirSync(join(folder, 'raw'))).toEqual(['b.raw'])
  })

  test('what is set aside keeps its bytes under a name that says why, however often', async () => {
    const { folder, files } = open()
    await files.create('archive:a.tar.zst', chunks('one'))
    const first = await files.setAside('archive:a.tar.zst', 'failed proof')
    await files.create('archive:a.tar.zst', chunks('two'))
    const second = await files.setAside('archive:a.tar.zst', 'failed proof')
    expect(first).toBe('archive:a.tar.zst.aside-failed-proof-run1')
    expect([await files.text(first ?? ''), await files.text(second ?? '')]).toEqual(['one', 'two'])
    expect(await files.setAside('archive:a.tar.zst', 'failed proof')).toBe(null)
    expect(existsSync(join(folder, 'archive/a.tar.zst'))).toBe(false)
  })

  test.runIf(root)('a full filesystem is a failure of the root, and leaves nothing behind', async () => {
    const { files } = open(smallFilesystem(1))
    const failing = files.create('raw:a.raw', chunks(Buffer.alloc(700_000), Buffer.alloc(700_000)))
    await expect(failing).rejects.toThrow(StoreError)
    await expect(failing).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot write raw:a\.raw .*: ENOSPC$/),
      hint: expect.stringContaining('Free some space'),
    })
    expect(await files.names('raw:')).toEqual([])
  })

  test.runIf(root)('a filesystem that has become read-only is a failure of the root', async () => {
    const folder = smallFilesystem(1)
    const { files } = open(folder)
    await files.create('raw:a.raw', chunks('x'))
    execFileSync('mount', ['-o', 'remount,ro', folder])
    await expect(files.create('raw:b.raw', chunks('x'))).rejects.toThrow(StoreError)
    await expect(files.setAside('raw:a.raw', 'why')).rejects.toThrow(StoreError)
    expect(await files.names('raw:')).toEqual(['a.raw'])
  })
})
