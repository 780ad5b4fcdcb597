// A thread of the store: takes a job, does it with synchronous calls, answers. Started by threads.ts.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { closeSync, constants, lstatSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { errnoOf, messageOf } from '../../model/errors.ts'
import { libc } from '../libc.ts'
import { packSlab } from '../zstd.ts'
import { blobPath, slabBytes, type Answer, type Ask, type Broken, type ThreadSetup } from './jobs.ts'
import { Keeper, lookAt, type Onward } from './keeping.ts'
import { openQuietly } from './source.ts'
import { WriteFailure, type Temp } from './temp.ts'

const port = parentPort
if (port === null) throw new Error('this is started as a thread')
const setup = workerData as ThreadSetup
const keeper = new Keeper(setup.root, setup.thread)
const buffer = Buffer.allocUnsafeSlow(slabBytes)
const growing = new Map<number, Temp>()
const stopped = new Set<number>()
/** So long does a job go on before it tells how far it is, and lets others have a turn: by time, since a drive may give a megabyte a minute. */
const turnMs = 200

const say = (answer: Answer, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(answer, transfer)

port.on('message', (message: Ask | { readonly stop: number }) => {
  if ('stop' in message) stopped.add(message.stop)
  else void work(message)
})

async function work(ask: Ask): Promise<void> {
  try {
    await answer(ask)
  } catch (error) {
    say({ id: ask.id, broken: broken(error) })
  } finally {
    stopped.delete(ask.id)
  }
}

function broken(error: unknown): Broken {
  const cause = error instanceof WriteFailure ? error.cause : error
  const path =
    cause !== null && typeof cause === 'object' && 'path' in cause ? String(cause.path) : setup.root
  return {
    message:
      cause instanceof Error && errnoOf(cause) === undefined
        ? (cause.stack ?? cause.message)
        : messageOf(cause),
    errno: errnoOf(cause) ?? null,
    path: error instanceof WriteFailure ? join(setup.root, error.path) : path,
    writing: error instanceof WriteFailure,
  }
}

async function answer(ask: Ask): Promise<void> {
  const { id } = ask
  let turned = performance.now()
  /** Now and then tells what is done, lets other jobs have a turn, and ends this one if it is no longer wanted. */
  const onward = async (done: number, contents = 0): Promise<void> => {
    if (performance.now() - turned < turnMs) return
    say({ id, done, contents })
    await nextTurn()
    if (stopped.has(id)) throw new Error('stopped')
    turned = performance.now()
  }
  switch (ask.job) {
    case 'read': {
      const kept = []
      const open = new Map<string, number>()
      let whole = 0
      try {
        for (const one of ask.reads) {
          // One that is hashed before it is written is gone through twice, and one that grows has more than it should.
          let within = 0
          kept.push(
            await keeper.read(ask.folder, one, open, (bytes) => {
              within = Math.min(one.size, Math.max(within, bytes))
              return onward(whole + within, kept.length)
            }),
          )
          whole += one.size
          await onward(whole, kept.length)
        }
      } finally {
        for (const fd of open.values()) closeSync(fd)
      }
      return say({ id, answer: kept })
    }
    case 'slab': {
      const slab = Buffer.from(ask.slab)
      const kept = ask.slices.map(({ start, end }) => keeper.keep(ask.folder, slab.subarray(start, end)))
      return say({ id, answer: kept, slab: ask.slab }, [ask.slab])
    }
    case 'part': {
      const temp = growing.get(ask.stream) ?? keeper.open(ask.folder)
      growing.set(ask.stream, temp)
      if (ask.end !== null) growing.delete(ask.stream)
      if (ask.end === 'drop') await temp.drop()
      else await temp.add((memory) => Buffer.from(ask.slab, 0, ask.bytes).copy(memory))
      const kept = ask.end === 'keep' ? await temp.close() : null
      return say({ id, answer: kept, slab: ask.slab }, [ask.slab])
    }
    case 'name':
      keeper.name(ask.names, ask.drop)
      return say({ id, answer: null })
    case 'sizes':
      return say({ id, answer: ask.ids.map(sizeOf) })
    case 'writable':
      return say({ id, answer: ask.ids.filter(isWritable) })
    case 'rehash': {
      const found = []
      let whole = 0
      for (const blob of ask.ids) {
        const one = await rehash(blob, (bytes) => onward(whole + bytes))
        found.push(one)
        whole += one.bytes
      }
      return say({ id, answer: found })
    }
    case 'digest':
      return say({ id, answer: await digest(ask.path, ask.start, ask.end, onward) })
    case 'pack':
      return say({ id, answer: packSlab(ask.slab, ask.bytes) })
    default:
      return ask satisfies never
  }
}

function sizeOf(id: string): number {
  const found = lookAt(setup.root, id)
  return found?.isFile() === true ? found.size : -1
}

/** By its mode, whoever we are. */
function isWritable(id: string): boolean {
  const found = lookAt(setup.root, id)
  return found?.isFile() === true && (found.mode & 0o222) !== 0
}

async function rehash(id: string, onward: Onward): Promise<{ bytes: number; blake3: string | null }> {
  try {
    const path = join(setup.root, blobPath(id))
    // In its place a link is no content of the store, whatever it leads to; nor is a pipe, which would be waited for.
    if (!lstatSync(path).isFile()) return { bytes: 0, blake3: null }
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW
    return await digest(path, 0, Number.POSITIVE_INFINITY, onward, { flags, fromDisk: true })
  } catch (error) {
    // Not there, not a file, or the disk cannot read it: that is an answer. Any other error is a failed look.
    if (['ENOENT', 'ENOTDIR', 'EIO', 'EISDIR', 'ELOOP', 'EBADMSG', 'EUCLEAN'].includes(errnoOf(error) ?? ''))
      return { bytes: 0, blake3: null }
    throw error
  }
}

async function digest(
  path: string,
  start: number,
  end: number,
  onward: Onward,
  { flags = constants.O_RDONLY, fromDisk = false } = {},
): Promise<{ bytes: number; blake3: string }> {
  const fd = openQuietly(path, flags, constants.O_NOATIME)
  // That memory has it tells nothing of the disk.
  if (fromDisk) libc()?.forget(fd)
  const hasher = new Blake3Hasher()
  let bytes = 0
  try {
    for (;;) {
      const got = readSync(
        fd,
        buffer,
        0,
        Math.max(0, Math.min(buffer.length, end - start - bytes)),
        start + bytes,
      )
      if (got === 0) break
      hasher.update(buffer.subarray(0, got))
      bytes += got
      await onward(bytes)
    }
  } finally {
    closeSync(fd)
  }
  return { bytes, blake3: hasher.digest('hex') }
}
