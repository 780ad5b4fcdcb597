// The store: each content once, durable before it is told of; failures told for what they are.
import { blake3 } from '@napi-rs/blake-hash'
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { InterruptedError, ObserveError, RunError, StoreError } from '../../src/model/errors.ts'
import type { Piece, Stored } from '../../src/model/world.ts'
import { markOf } from '../../src/ports/mark.ts'
import { openStore, type Store } from '../../src/ports/store/index.ts'
import { openThreads, type Thread } from '../../src/ports/store/threads.ts'
import { scratch } from '../support/project.ts'

const root = process.getuid?.() === 0
const live = new AbortController().signal
const speaker = { signal: live, progress: () => undefined }
const hashOf = (content: Buffer | string): string => blake3(content).toString('hex')
const blobAt = (store: string, id: string): string => join(store, id.slice(0, 2), id.slice(2, 4), id)

function open(
  folder = scratch(),
  run = `run-${Math.random().toString(36).slice(2)}`,
): { folder: string; store: Store } {
  const store = openStore({ root: join(folder, 'by-hash'), run, path: (place) => place, width: 2 })
  onTestFinished(() => store.close())
  return { folder, store }
}

async function* each<T>(all: Iterable<T>): AsyncGenerator<T> {
  yield* all
}

async function all<Key>(batches: AsyncIterable<readonly Stored<Key>[]>): Promise<Stored<Key>[]> {
  const kept: Stored<Key>[] = []
  for await (const batch of batches) kept.push(...batch)
  return kept
}

const ingest = (store: Store, ...pieces: readonly Piece<string>[]) =>
  all(store.speak(speaker).ingest(each(pieces)))

const file = (folder: string, key: string, size: number): Piece<string> => ({
  key,
  size,
  origin: { type: 'file', root: folder, inside: Buffer.from(key, 'latin1') },
})

const stream = (key: string, size: number, ...chunks: readonly Buffer[]): Piece<string> => ({
  key,
  size,
  origin: { type: 'stream', bytes: each(chunks) },
})

const failureOf = ([first]: readonly Stored<string>[]): object | null =>
  first !== undefined && 'failure' in first ? first.failure : null

/** In its place: the same file, with other bytes. */
function overwrite(path: string, content: Buffer): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, content)
  closeSync(fd)
}

/** All files below the store but its marker and its locks. */
const filesOf = (folder: string): readonly string[] =>
  readdirSync(join(folder, 'by-hash'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.ntt-store' && !entry.name.endsWith('.lock'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()

/** A filesystem of its own, gone when the test ends. */
function smallFilesystem(megabytes: number): string {
  const folder = scratch()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'ntt-test', folder])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

/** Bytes that do not repeat. */
function noise(bytes: number, seed: number): Buffer {
  const out = Buffer.alloc(bytes)
  let word = seed
  for (let at = 0; at + 4 <= bytes; at += 4) {
    word = (Math.imul(word, 1664525) + 1013904223) | 0
    out.writeInt32LE(word, at)
  }
  return out
}

describe('contents', () => {
  test('a file is kept once, under its BLAKE3, with mode 0444 in folders of 0755, whatever the umask', async () => {
    const { folder, store } = open()
    writeFileSync(join(folder, 'one'), 'content')
    writeFileSync(join(folder, 'two'), 'content')
    writeFileSync(join(folder, 'caf\xe9'), '')
    writeFileSync(Buffer.from(join(folder, 'caf\xe9'), 'latin1'), '')
    const before = process.umask(0o077)
    try {
      const told = await ingest(
        store,
        file(folder, 'one', 7),
        file(folder, 'two', 7),
        file(folder, 'caf\xe9', 0),
      )
      expect(told).toEqual([
        { key: 'one', blob: hashOf('content'), bytes: 7, fresh: true },
        { key: 'two', blob: hashOf('content'), bytes: 7, fresh: false },
        { key: 'caf\xe9', blob: hashOf(''), bytes: 0, fresh: true },
      ])
    } finally {
      process.umask(before)
    }
    const blob = blobAt(join(folder, 'by-hash'), hashOf('content'))
    expect(readFileSync(blob, 'utf8')).toBe('content')
    expect(statSync(blob).mode & 0o7777).toBe(0o444)
    expect(statSync(join(blob, '..')).mode & 0o7777).toBe(0o755)
    expect(statSync(join(blob, '../..')).mode & 0o7777).toBe(0o755)
    expect(filesOf(folder)).toHaveLength(2)
  })

  test('what the store holds is not written again', async () => {
    const { folder, store } = open()
    writeFileSync(join(folder, 'one'), 'content')
    const big = noise(3_000_000, 7)
    writeFileSync(join(folder, 'big'), big)
    await ingest(store, file(folder, 'one', 7), file(folder, 'big', big.length))
    const before = filesOf(folder).map((path) => statSync(path).ino)
    const again = await ingest(
      store,
      file(folder, 'one', 7),
      { ...file(folder, 'big', big.length), known: true },
      file(folder, 'big', big.length),
      stream('stream', 7, Buffer.from('content')),
      stream('big stream', big.length, big),
    )
    expect(again.map((one) => 'fresh' in one && one.fresh)).toEqual([false, false, false, false, false])
    expect(filesOf(folder).map((path) => statSync(path).ino)).toEqual(before)
  })

  test('what is zeros for long takes no room, and reads back as it was: at its start, inside, and at its end', async () => {
    const { folder, store } = open()
    const size = 200_000_003
    execFileSync(
      'sh',
      [
        '-c',
        'truncate -s 200000003 holes; printf middle | dd of=holes bs=1 seek=90000001 conv=notrunc status=none',
      ],
      {
        cwd: folder,
      },
    )
    const kept = await ingest(store, file(folder, 'holes', size))
    const [blob] = kept.map((one) => ('blob' in one ? one.blob : ''))
    const at = blobAt(join(folder, 'by-hash'), blob ?? '')
    expect(execFileSync('b3sum', ['--no-names', at], { encoding: 'utf8' }).trim()).toBe(blob)
    execFileSync('cmp', [join(folder, 'holes'), at])
    const { size: bytes, blocks } = statSync(at)
    expect([bytes, blocks * 512 < 4_000_000]).toEqual([size, true])
  })

  test('ranges of an image are put together in file order, holes as zeros', async () => {
    const { folder, store } = open()
    const image = noise(4_000_000, 1)
    writeFileSync(join(folder, 'image'), image)
    const cut = (...ranges: readonly (readonly [number, number])[]) => ({
      content: Buffer.concat(
        ranges.map(([start, end]) => (start === -1 ? Buffer.alloc(end) : image.subarray(start, end))),
      ),
      ranges: ranges.map(([start, end]) => ({ start, end })),
    })
    const cases = [
      cut([100, 200]),
      cut([3000, 4000], [0, 1000], [2000, 2001]),
      cut([-1, 5000], [10, 20], [-1, 70_000]),
      cut([2_000_000, 4_000_000], [0, 1_500_000]),
      cut([-1, 2_097_152]),
      cut(),
    ]
    const told = await ingest(
      store,
      ...cases.map(({ content, ranges }, index) => ({
        key: String(index),
        size: content.length,
        origin: { type: 'ranges' as const, place: join(folder, 'image'), ranges },
      })),
    )
    expect(told).toEqual(
      cases.map(({ content }, index) => ({
        key: String(index),
        blob: hashOf(content),
        bytes: content.length,
        fresh: true,
      })),
    )
    for (const { content } of cases) {
      expect(readFileSync(blobAt(join(folder, 'by-hash'), hashOf(content))).equals(content)).toBe(true)
    }
  })

  test('streams of any size and any chunks are kept as they come', async () => {
    const { folder, store } = open()
    const sizes = [0, 1, 1000, 1024 * 1024, 1024 * 1024 + 1, 2 * 1024 * 1024, 3_333_333, 5]
    const contents = sizes.map((size, index) => noise(size, index))
    const chop = (content: Buffer): Buffer[] => {
      const chunks: Buffer[] = []
      for (let at = 0; at < content.length; at += 77_777) chunks.push(content.subarray(at, at + 77_777))
      return chunks
    }
    const told = await ingest(
      store,
      ...contents.map((content, index) => stream(String(index), content.length, ...chop(content))),
    )
    expect(told.map((one) => 'blob' in one && one.blob)).toEqual(contents.map(hashOf))
    for (const content of contents) {
      expect(readFileSync(blobAt(join(folder, 'by-hash'), hashOf(content))).equals(content)).toBe(true)
    }
  })

  test('more than a batch comes in batches, in order, each with all its files in place when it is told', async () => {
    const { folder, store } = open()
    const count = 4001
    const pieces = (function* () {
      for (let n = 0; n < count; n += 1) yield stream(String(n), 8, Buffer.from(String(n).padStart(8, '0')))
    })()
    let seen = 0
    const sizes: number[] = []
    for await (const batch of store.speak(speaker).ingest(each(pieces))) {
      sizes.push(batch.length)
      for (const one of batch) {
        expect(one.key).toBe(String(seen))
        seen += 1
        expect('blob' in one && existsSync(blobAt(join(folder, 'by-hash'), one.blob))).toBe(true)
      }
    }
    expect(sizes).toEqual([4000, 1])
    expect(filesOf(folder)).toHaveLength(count)
  })

  test('a blob that was cut short is replaced by the whole content', async () => {
    const { folder, store } = open()
    writeFileSync(join(folder, 'one'), 'content')
    await ingest(store, file(folder, 'one', 7))
    const blob = blobAt(join(folder, 'by-hash'), hashOf('content'))
    truncateSync(blob, 3)
    expect(await ingest(store, file(folder, 'one', 7))).toMatchObject([{ fresh: true }])
    expect(readFileSync(blob, 'utf8')).toBe('content')
  })
})

describe('contents that cannot be had', () => {
  test('each is told with its class, and the others go on', async () => {
    const { folder, store } = open()
    writeFileSync(join(folder, 'good'), 'good')
    writeFileSync(join(folder, 'grown'), 'longer than it was')
    symlinkSync('good', join(folder, 'link'))
    mkdirSync(join(folder, 'folder'))
    execFileSync('mkfifo', [join(folder, 'fifo')])
    const told = await ingest(
      store,
      file(folder, 'absent', 4),
      file(folder, 'good/below', 4),
      file(folder, 'grown', 4),
      file(folder, 'good', 9),
      file(folder, 'link', 4),
      file(folder, 'folder', 4),
      file(folder, 'fifo', 4),
      file(folder, 'x'.repeat(300), 4),
      file(folder, 'good', 4),
    )
    expect(told.map((one) => ('failure' in one ? one.failure.class : 'stored'))).toEqual([
      'missing',
      'missing',
      'size-changed',
      'size-changed',
      'not-a-file',
      'not-a-file',
      'not-a-file',
      'path',
      'stored',
    ])
    expect(told[2]).toMatchObject({ failure: { message: '4 bytes when it was enumerated, 18 now' } })
    expect(told[3]).toMatchObject({ failure: { message: '9 bytes when it was enumerated, 4 now' } })
    expect(filesOf(folder)).toHaveLength(1)
  })

  test('a read error is told with its byte, a permission as such', async () => {
    const { store } = open()
    const mem = {
      key: 'mem',
      size: 10,
      origin: { type: 'ranges', place: '/proc/self/mem', ranges: [{ start: 0, end: 10 }] },
    } as const
    expect(failureOf(await ingest(store, mem))).toEqual({ class: 'io', message: 'EIO when byte 0 was read' })
  })

  test('an image that ends before a content does is told with both numbers', async () => {
    const { folder, store } = open()
    writeFileSync(join(folder, 'image'), Buffer.alloc(2_000_000))
    const cut = (start: number, end: number) =>
      ({
        key: 'cut',
        size: end - start,
        origin: { type: 'ranges', place: join(folder, 'image'), ranges: [{ start, end }] },
      }) as const
    expect(failureOf(await ingest(store, cut(1_999_990, 2_000_010)))).toEqual({
      class: 'size-changed',
      message: '20 bytes when it was enumerated, 10 now',
    })
    expect(failureOf(await ingest(store, cut(0, 3_000_000)))).toMatchObject({ class: 'size-changed' })
    expect(filesOf(folder)).toEqual([])
  })

  test('a stream of another length is told with both numbers, a stream that cannot be had as unreadable', async () => {
    const { folder, store } = open()
    const failing = (async function* () {
      yield Buffer.alloc(1_500_000)
      throw new ObserveError('the reader says: bad block')
    })()
    const told = await ingest(
      store,
      stream('short', 10, Buffer.alloc(9)),
      stream('long', 10, Buffer.alloc(9), Buffer.alloc(5)),
      stream('short and large', 2_000_000, Buffer.alloc(1_999_999)),
      stream('long and large', 2_000_000, Buffer.alloc(4_000_000)),
      { key: 'failing', size: 2_000_000, origin: { type: 'stream', bytes: failing } },
      stream('good', 4, Buffer.from('good')),
    )
    expect(told.map((one) => ('failure' in one ? one.failure.message : 'stored'))).toEqual([
      '10 bytes when it was enumerated, 9 now',
      '10 bytes when it was enumerated, 14 now',
      '2000000 bytes when it was enumerated, 1999999 now',
      '2000000 bytes when it was enumerated, 4000000 now',
      'the reader says: bad block',
      'stored',
    ])
    expect(filesOf(folder)).toHaveLength(1)
  })

  test('a file that is written to while it is read is not taken for what it was', async () => {
    const { folder, store } = open()
    const size = 200 * 1024 * 1024
    execFileSync('truncate', ['-s', String(size), join(folder, 'big')])
    const touching = setInterval(() => execFileSync('touch', [join(folder, 'big')]), 2)
    onTestFinished(() => clearInterval(touching))
    expect(failureOf(await ingest(store, file(folder, 'big', size)))).toMatchObject({ class: 'changed' })
    expect(filesOf(folder)).toEqual([])
  })
})

describe('failures that end the ingest', () => {
  test('any other error of a stream, and nothing is left behind', async () => {
    const { folder, store } = open()
    const failing = (async function* () {
      yield Buffer.alloc(3_000_000)
      throw new RunError('the reader died')
    })()
    const pieces = [
      stream('good', 4, Buffer.from('good')),
      { key: 'x', size: 9_000_000, origin: { type: 'stream', bytes: failing } },
    ] as const
    await expect(ingest(store, ...pieces)).rejects.toThrow('the reader died')
    expect(filesOf(folder)).toEqual([])
  })

  test('an image that cannot be opened is a failed look, not the loss of its files', async () => {
    const { folder, store } = open()
    const gone = {
      key: 'x',
      size: 1,
      origin: { type: 'ranges', place: join(folder, 'gone'), ranges: [{ start: 0, end: 1 }] },
    } as const
    await expect(ingest(store, gone)).rejects.toThrow(ObserveError)
  })

  test.runIf(root)('a full store: what was told stays, nothing else does', async () => {
    const folder = smallFilesystem(8)
    const { store } = open(folder)
    const told: string[] = []
    const pieces = (function* () {
      for (let n = 0; n < 10_000; n += 1) yield stream(String(n), 1000, noise(1000, n))
    })()
    const failing = (async () => {
      for await (const batch of store.speak(speaker).ingest(each(pieces)))
        told.push(...batch.map((one) => ('blob' in one ? one.blob : '')))
    })()
    await expect(failing).rejects.toThrow(StoreError)
    await expect(failing).rejects.toMatchObject({
      message: expect.stringContaining('ENOSPC'),
      hint: expect.stringContaining('Free some space'),
    })
    for (const id of told) expect(statSync(blobAt(join(folder, 'by-hash'), id)).size).toBe(1000)
    for (const path of filesOf(folder)) expect(hashOf(readFileSync(path))).toBe(path.split('/').at(-1))
    expect(readdirSync(join(folder, 'by-hash/.ntt-tmp')).length).toBe(2)
  })

  test.runIf(root)('a store that has become read-only', async () => {
    const folder = smallFilesystem(8)
    const before = open(folder).store
    await ingest(before, stream('a', 1, Buffer.from('a')))
    await before.close()
    execFileSync('mount', ['-o', 'remount,ro', folder])
    const { store } = open(folder)
    await expect(ingest(store, stream('b', 1, Buffer.from('b')))).rejects.toThrow(StoreError)
    expect(await store.speak(speaker).blobs([hashOf('a')])).toEqual(new Map([[hashOf('a'), 1]]))
  })

  test('a store that is suddenly another directory', async () => {
    const { folder, store } = open()
    await ingest(store, stream('a', 1, Buffer.from('a')))
    const swapping = (async function* () {
      yield Buffer.from('b')
      renameSync(join(folder, 'by-hash'), join(folder, 'elsewhere'))
      mkdirSync(join(folder, 'by-hash'))
    })()
    const failing = ingest(store, { key: 'b', size: 1, origin: { type: 'stream', bytes: swapping } })
    await expect(failing).rejects.toThrow(StoreError)
    expect(filesOf(folder)).toEqual([])
  })

  test('an interruption, soon, and nothing is left at work', async () => {
    const { folder, store } = open()
    const stop = new AbortController()
    const size = 4 * 1024 ** 3
    execFileSync('truncate', ['-s', String(size), join(folder, 'big')])
    const failing = all(
      store.speak({ ...speaker, signal: stop.signal }).ingest(each([file(folder, 'big', size)])),
    )
    setTimeout(() => stop.abort(), 300)
    const began = performance.now()
    await expect(failing).rejects.toThrow(InterruptedError)
    expect(performance.now() - began).toBeLessThan(5000)
    expect(filesOf(folder)).toEqual([])
  })

  test('a caller who turns away leaves nothing at work and nothing behind', async () => {
    const { folder, store } = open()
    const pieces = (function* () {
      for (let n = 0; n < 8_001; n += 1) yield stream(String(n), 8, Buffer.from(String(n).padStart(8, '0')))
    })()
    for await (const batch of store.speak(speaker).ingest(each(pieces))) if (batch.length > 0) break
    expect(filesOf(folder).filter((path) => path.includes('.ntt-tmp'))).toEqual([])
  })
})

describe('the directory', () => {
  test('its marker names it once and for all, also for two who come at once', async () => {
    const { folder, store } = open()
    const other = open(folder).store
    const [one, two] = await Promise.all([store.speak(speaker).storeId(), other.speak(speaker).storeId()])
    expect(one).toMatch(/^[0-9a-f-]{36}$/)
    expect(two).toBe(one)
    expect(await open(folder).store.speak(speaker).storeId()).toBe(one)
    expect(readFileSync(join(folder, 'by-hash/.ntt-store'), 'utf8')).toBe(`${one}\n`)
  })

  test('a marker that is none is not believed and not replaced', async () => {
    const { folder, store } = open()
    mkdirSync(join(folder, 'by-hash'))
    writeFileSync(join(folder, 'by-hash/.ntt-store'), 'something else')
    await expect(store.speak(speaker).storeId()).rejects.toThrow(ObserveError)
  })

  test('what a killed run left is cleared by the next one; what a living run has is not', async () => {
    const { folder, store } = open()
    const script = `
      import { openStore } from '${join(import.meta.dirname, '../../src/ports/store/index.ts')}'
      const store = openStore({ root: '${join(folder, 'by-hash')}', run: 'killed', path: (place) => place, width: 2 })
      const bytes = (async function* () {
        for (;;) { yield Buffer.alloc(1 << 20); console.log('more'); await new Promise((next) => setTimeout(next, 20)) }
      })()
      const pieces = (async function* () { yield { key: 1, size: 1 << 30, origin: { type: 'stream', bytes } } })()
      for await (const batch of store.speak({ signal: new AbortController().signal, progress() {} }).ingest(pieces)) console.log(batch)`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = new Promise((resolve) => child.on('close', resolve))
    let lines = 0
    for await (const chunk of child.stdout) {
      lines += String(chunk).split('more').length - 1
      if (lines > 4) break
    }
    await store.speak(speaker).storeId()
    expect(filesOf(folder).some((path) => path.includes('/killed/'))).toBe(true)
    child.kill('SIGKILL')
    await ended
    expect(filesOf(folder).some((path) => path.includes('/killed/'))).toBe(true)
    await open(folder).store.speak(speaker).storeId()
    expect(filesOf(folder).some((path) => path.includes('/killed/'))).toBe(false)
  })

  test('a store that nobody writes to is not touched', async () => {
    const { folder, store } = open()
    expect(await store.speak(speaker).blobs([hashOf('x')])).toEqual(new Map())
    expect(existsSync(join(folder, 'by-hash'))).toBe(false)
  })
})

describe('looking at blobs', () => {
  test('sizes are told of what is there, and every damage is found by re-hashing', async () => {
    const { folder, store } = open()
    const contents = ['good', 'flipped', 'cut', 'vanished', 'folder', 'link-to-it'].map((word) =>
      noise(1_200_000 + word.length, word.length),
    )
    const told = await ingest(
      store,
      ...contents.map((content, index) => stream(String(index), content.length, content)),
    )
    const ids = told.map((one) => ('blob' in one ? one.blob : ''))
    const [, flipped = '', cut = '', gone = '', turned = '', linked = ''] = ids.map((id) =>
      blobAt(join(folder, 'by-hash'), id),
    )
    for (const path of [flipped, cut]) chmodSync(path, 0o644)
    const bytes = readFileSync(flipped)
    bytes[600_000] = (bytes[600_000] ?? 0) ^ 1
    writeFileSync(flipped, bytes)
    truncateSync(cut, 10)
    execFileSync('rm', ['-f', gone, turned])
    mkdirSync(turned)
    // The very bytes, but not in the store.
    renameSync(linked, join(folder, 'elsewhere'))
    symlinkSync(join(folder, 'elsewhere'), linked)
    const found = await store.speak(speaker).blobs(ids)
    expect([...found]).toEqual([
      [ids[0], 1_200_004],
      [ids[1], 1_200_007],
      [ids[2], 10],
    ])
    const rehashed = new Map<string, string | null>()
    for await (const batch of store.speak(speaker).rehash(each([ids.slice(0, 2), ids.slice(2)])))
      for (const one of batch) rehashed.set(one.id, one.blake3)
    expect(rehashed.size).toBe(6)
    expect(ids.filter((id) => rehashed.get(id) === id)).toEqual([ids[0]])
    expect(ids.slice(3).map((id) => rehashed.get(id))).toEqual([null, null, null])
  })

  test('a digest is that of the file or the range', async () => {
    const { folder, store } = open()
    const content = noise(70 * 1024 * 1024, 3)
    writeFileSync(join(folder, 'big'), content)
    const { digest } = store.speak(speaker)
    expect(await digest(join(folder, 'big'))).toEqual({ bytes: content.length, blake3: hashOf(content) })
    expect(await digest(join(folder, 'big'), { start: 5, end: 1_048_600 })).toEqual({
      bytes: 1_048_595,
      blake3: hashOf(content.subarray(5, 1_048_600)),
    })
    await expect(digest(join(folder, 'absent'))).rejects.toThrow(ObserveError)
  })

  test('a file is read once for its digest, until anything of it is changed, its times set back or not', async () => {
    const { folder, store } = open()
    const path = join(folder, 'image')
    const [one, other] = [noise(3_000_000, 3), noise(3_000_000, 4)]
    writeFileSync(path, one)
    const { digest, digestOnce } = store.speak(speaker)
    execFileSync('touch', ['-r', path, join(folder, 'times')])
    const setBack = (): Buffer => execFileSync('touch', ['-r', join(folder, 'times'), path])
    // One that was written this very moment could be written again within the same tick of its clock.
    expect(await markOf(path)).toBeNull()
    await digest(path)
    overwrite(path, other)
    setBack()
    expect((await digestOnce(path)).blake3).toBe(hashOf(other))
    // FAT tells the time in steps of two seconds.
    await sleep(1950)
    expect(await markOf(path)).toBeNull()
    await sleep(200)
    expect(await markOf(path)).not.toBeNull()
    expect((await digest(path)).blake3).toBe(hashOf(other))
    overwrite(path, one)
    setBack()
    await sleep(2200)
    expect((await digestOnce(path)).blake3).toBe(hashOf(one))
    await sleep(2200)
    await digest(path)
    renameSync(path, `${path}.old`)
    writeFileSync(path, other)
    expect((await digestOnce(path)).blake3).toBe(hashOf(other))
    unlinkSync(path)
    await expect(digestOnce(path)).rejects.toThrow(ObserveError)
  })

  test('a digest of something large tells how far it is, and can be interrupted', async () => {
    const { folder, store } = open()
    execFileSync('truncate', ['-s', '200G', join(folder, 'big')])
    const stop = new AbortController()
    const told: number[] = []
    const progress = (done: number): void => {
      told.push(done)
      if (told.length === 3) stop.abort()
    }
    await expect(store.speak({ progress, signal: stop.signal }).digest(join(folder, 'big'))).rejects.toThrow(
      InterruptedError,
    )
    expect(told.slice(0, 3)).toEqual(told.slice(0, 3).toSorted((one, other) => one - other))
    expect(told[0]).toBeGreaterThan(0)
    expect(told.at(-1)).toBeLessThan(200 * 1024 ** 3)
  })

  test('reading a blob again tells how far it is within it', async () => {
    const { folder, store } = open()
    const id = 'a'.repeat(64)
    const blob = blobAt(join(folder, 'by-hash'), id)
    mkdirSync(join(blob, '..'), { recursive: true })
    execFileSync('truncate', ['-s', '3G', blob])
    const told: number[] = []
    const { rehash } = store.speak({ ...speaker, progress: (done) => told.push(done) })
    for await (const batch of rehash(each([[id]]))) expect(batch[0]?.blake3).not.toBe(id)
    expect(told.length).toBeGreaterThan(1)
    expect(told.at(-1)).toBe(3 * 1024 ** 3)
  })
})

test('what a flush has covered is told, of files and streams, and comes to exactly what was handed over', async () => {
  const { folder, store } = open()
  const size = 100 * 1024 ** 2
  execFileSync('truncate', ['-s', String(size), join(folder, 'big')])
  writeFileSync(join(folder, 'small'), 'small')
  const half = Buffer.alloc(1_500_000, 'x')
  const pieces = [
    file(folder, 'small', 5),
    file(folder, 'gone', 7),
    file(folder, 'big', size),
    stream('slab', 3, Buffer.from('abc')),
    stream('poured', 3_000_000, half, half),
    stream('short', 9, Buffer.from('abc')),
  ]
  const told: [number, number][] = []
  let before = 0
  for await (const batch of store
    .speak(speaker)
    .ingest(each(pieces), (contents, bytes) => told.push([contents, bytes]))) {
    expect(batch).toHaveLength(pieces.length)
    before = told.length
  }
  expect(told).toHaveLength(before)
  const sum = (at: 0 | 1): number => told.reduce((all, one) => all + one[at], 0)
  expect([sum(0), sum(1)]).toEqual([pieces.length, pieces.reduce((all, one) => all + one.size, 0)])
  expect(told.every(([, bytes]) => bytes >= 0)).toBe(true)
})

test('a content that takes long is told of while it is read: its next part comes only after the one before was told', async () => {
  const { store } = open()
  const part = Buffer.alloc(4 * 1024 ** 2, 'x')
  const told: [number, number][] = []
  let [more, wake] = [0, (): void => undefined]
  const bytes = (async function* () {
    for (let at = 1; at <= 3; at += 1) {
      yield part
      // All but the slab that is being filled can be told of.
      while (more < at * part.length - 1024 ** 2) await new Promise<void>((resolve) => (wake = resolve))
    }
  })()
  const piece = { key: 'slow', size: 3 * part.length, origin: { type: 'stream', bytes } } as const
  const moved = (contents: number, longer: number): void => {
    told.push([contents, longer])
    more += longer
    wake()
  }
  expect(await all(store.speak(speaker).ingest(each([piece]), moved))).toHaveLength(1)
  expect(told.slice(0, 3).map(([contents]) => contents)).toEqual([0, 0, 0])
  expect(more).toBe(piece.size)
})

test('whom a source keeps waiting keeps no other waiting, however many they are', async () => {
  const { folder, store } = open()
  const hung = ['one', 'two', 'three', 'four', 'five'].map((name) => join(folder, name))
  // Opening a pipe that nobody writes to returns as little as reading a drive that does not answer.
  execFileSync('mkfifo', hung)
  const waiting = hung.map((place) => store.speak(speaker).digest(place))
  const ends = Promise.allSettled(waiting)
  try {
    writeFileSync(join(folder, 'file'), 'content')
    expect((await store.speak(speaker).digest(join(folder, 'file'))).blake3).toBe(hashOf('content'))
    const [kept] = await ingest(store, file(folder, 'file', 7), stream('sent', 4, Buffer.from('sent')))
    expect(kept).toMatchObject({ blob: hashOf('content') })
  } finally {
    const writers = hung.map((place) => openSync(place, constants.O_RDWR | constants.O_NONBLOCK))
    expect((await ends).map(({ status }) => status)).toEqual(hung.map(() => 'rejected'))
    for (const writer of writers) closeSync(writer)
  }
})

test('frames packed in threads are one archive, in order, whatever its last frame is; its memory goes out and comes back', async () => {
  const { store } = open()
  const content = Buffer.concat([noise(9_000_000, 5), Buffer.alloc(12_000_000, 'text '), noise(77, 6)])
  const packed: Buffer[] = []
  const chunks = Array.from({ length: 22 }, (_, at) => content.subarray(at * 1_000_000, (at + 1) * 1_000_000))
  for await (const chunk of store.speak(speaker).pack(each(chunks))) packed.push(Buffer.from(chunk))
  const unpacked = execFileSync('zstd', ['-dc'], { input: Buffer.concat(packed), maxBuffer: 1 << 26 })
  expect(unpacked.equals(content)).toBe(true)
  // Six frames and their table.
  expect(packed).toHaveLength(7)
})

test('a job goes to the thread that has less to do, not to the one that has fewer jobs', async () => {
  const folder = scratch()
  const file = join(folder, 'hole')
  writeFileSync(file, '')
  truncateSync(file, 2 ** 28)
  const threads = openThreads(folder, 2)
  onTestFinished(() => threads.close())
  const lane = {}
  const ask = (on: Thread, weight: number) =>
    threads.ask(lane, 'digest', { path: file, start: 0, end: 2 ** 28 }, { on, weight })
  const [heavy, jobs] = [threads.pick(lane), [] as Promise<unknown>[]]
  jobs.push(ask(heavy, 100))
  const light = threads.pick(lane)
  expect(light).not.toBe(heavy)
  jobs.push(ask(light, 10), ask(light, 10))
  expect([light.busy, heavy.busy, threads.pick(lane) === light]).toEqual([2, 1, true])
  await Promise.all(jobs)
})
