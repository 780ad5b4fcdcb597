// What was met on a walk, packed into bytes: one thread looks, and another may write down.
import { typeOfMode, type Entry, type EntryError } from '../../model/entry.ts'
import { looked, statOf } from './look.ts'

/** Most slices fit. */
const blockBytes = 64 * 1024
/** Lengths of the path and of what follows it, and which of these that is. */
const headBytes = 12
const [nothing, aTarget, anError] = [0, 1, 2]
const little = true

/** A slice of what was met, in its order. */
export class Block {
  #bytes = Buffer.allocUnsafeSlow(blockBytes)
  #end = 0
  members = 0

  /** What was just looked at. `inside` and `name`: its path, one character a byte. */
  entry(inside: string, name: string, target: Buffer | null): void {
    this.#add(inside, name, target === null ? nothing : aTarget, target)
  }

  /** Something that could not be looked at; `errno` is one word. */
  error(errno: string, inside: string, message: string): void {
    this.#add(inside, '', anError, Buffer.from(`${errno} ${message}`))
  }

  /** All that was added, and begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.#end)
    this.#bytes = Buffer.allocUnsafeSlow(blockBytes)
    this.#end = 0
    this.members = 0
    return taken
  }

  #add(inside: string, name: string, what: number, rest: Buffer | null): void {
    const length = inside.length + name.length
    const end = this.#end + headBytes + looked.length + length + (rest?.length ?? 0)
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(end * 2)
      this.#bytes.copy(larger)
      this.#bytes = larger
    }
    const bytes = this.#bytes
    let at = bytes.writeUInt32LE(length, this.#end)
    at = bytes.writeUInt32LE(rest?.length ?? 0, at)
    at = bytes.writeUInt32LE(what, at)
    bytes.set(looked, at)
    at += looked.length
    at += bytes.write(inside, at, 'latin1')
    at += bytes.write(name, at, 'latin1')
    if (rest !== null) bytes.set(rest, at)
    this.#end = end
    this.members += 1
  }
}

/** What a block holds. Paths are views of it. */
export function metIn(block: Uint8Array<ArrayBuffer>): readonly (Entry | EntryError)[] {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length)
  const view = new DataView(block.buffer, block.byteOffset, block.length)
  const found: (Entry | EntryError)[] = []
  for (let at = 0; at < bytes.length;) {
    const stat = at + headBytes
    const path = stat + looked.length
    const after = path + view.getUint32(at, little)
    const end = after + view.getUint32(at + 4, little)
    const what = view.getUint32(at + 8, little)
    if (what === anError) found.push(errorOf(bytes.subarray(path, after), bytes.toString('utf8', after, end)))
    else
      found.push(
        entryOf(
          view,
          stat,
          bytes.subarray(path, after),
          what === nothing ? null : bytes.subarray(after, end),
        ),
      )
    at = end
  }
  return found
}

function errorOf(path: Buffer, text: string): EntryError {
  const space = text.indexOf(' ')
  return { error: text.slice(0, space), path, message: text.slice(space + 1) }
}

function entryOf(view: DataView, at: number, path: Buffer, target: Buffer | null): Entry {
  const { mode, nlink, uid, gid, ino, size, mtimeNs, rdev } = statOf(view, at)
  const type = typeOfMode(mode)
  return {
    type,
    path,
    ino,
    nlink,
    size: type === 'f' ? size : (target?.length ?? 0),
    mtimeNs,
    mode: mode & 0o7777,
    uid,
    gid,
    rdev: type === 'b' || type === 'c' ? rdev : 0n,
    target,
    extents: null,
  }
}
