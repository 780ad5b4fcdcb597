// The files of the event log, turned over ones too, and their lines as bytes, oldest first.
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { ObserveError, errnoOf } from '../model/errors.ts'
import { needFile } from '../ports/readable.ts'

/** A line without its newline. `whole`: it had one. */
export interface LogLine {
  readonly number: number
  readonly bytes: Buffer
  readonly whole: boolean
}

/** Names in the log's folder, the oldest first: by the time in their first line, whatever turned them over. */
export async function logFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw unread(folder, error)
  })
  const logs = names.filter((name) => /^events.*\.jsonl/.test(name))
  const dated = await Promise.all(
    logs.map(async (name) => ({ name, since: await sinceOf(join(folder, name)) })),
  )
  // The one that is written to comes last, also while it is empty.
  const order = ({ name, since }: (typeof dated)[number]): string =>
    name === 'events.jsonl' && since === '' ? '~' : since
  return dated
    .toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0))
    .map(({ name }) => name)
}

async function sinceOf(path: string): Promise<string> {
  for await (const { bytes } of linesOf(path)) {
    const [, since] = /^\{"ts":"([^"]{1,40})"/.exec(bytes.toString('utf8', 0, 64)) ?? []
    if (since !== undefined) return since
  }
  return ''
}

/** All lines of a file, plain or packed. One that is packed and broken ends with a last line that is not whole. */
export async function* linesOf(path: string): AsyncGenerator<LogLine> {
  let rest: Buffer[] = []
  let number = 0
  for await (const chunk of bytesOf(path)) {
    let from = 0
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, from)) {
      const bytes = Buffer.concat([...rest, chunk.subarray(from, at)])
      rest = []
      from = at + 1
      number += 1
      if (bytes.length > 0) yield { number, bytes, whole: true }
    }
    if (from < chunk.length) rest.push(Buffer.from(chunk.subarray(from)))
  }
  if (rest.length > 0) yield { number: number + 1, bytes: Buffer.concat(rest), whole: false }
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  needFile(await stat(path), path)
  const file = createReadStream(path)
  const unpack = path.endsWith('.gz') ? createGunzip() : path.endsWith('.zst') ? createZstdDecompress() : null
  const failed: { error?: unknown } = {}
  file.on('error', (error) => {
    failed.error = error
    unpack?.destroy(error)
  })
  try {
    for await (const chunk of unpack === null ? file : file.pipe(unpack)) yield chunk
  } catch (error) {
    const isPack = failed.error === undefined && unpack !== null
    throw isPack
      ? new BrokenPack(`${path} cannot be unpacked to its end`, { cause: error })
      : unread(path, error)
  } finally {
    file.destroy()
  }
}

/** A packed log is not whole: what it held is gone or altered. */
export class BrokenPack extends ObserveError {}

const unread = (path: string, error: unknown): ObserveError =>
  new ObserveError(`cannot read the event log ${path} (${errnoOf(error) ?? 'unknown'})`, { cause: error })
