// Where the store's threads read contents: opened, read in order, and each failure told as what became of the content.
import { constants, openSync, readSync } from 'node:fs'
import { errnoOf } from '../../model/errors.ts'
import { openBeneath, openRoot } from '../open-beneath.ts'
import type { FailureClass, Read } from './jobs.ts'

/** A content that could not be had; told as its outcome. */
export class Unreadable extends Error {
  readonly class: FailureClass
  constructor(kind: FailureClass, message: string) {
    super(message)
    this.class = kind
  }
}

const classes: Readonly<Record<string, FailureClass>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'permission',
  EPERM: 'permission',
  EIO: 'io',
  EBADMSG: 'io',
  EUCLEAN: 'io',
  ELOOP: 'not-a-file',
  ENXIO: 'not-a-file',
  EISDIR: 'not-a-file',
  ENAMETOOLONG: 'path',
}

/** Errors that say nothing about one file: the source has gone, or we have run out of something. */
const general = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ESTALE',
  'ENOTCONN',
  'ENODEV',
  'ENOMEDIUM',
  'ESHUTDOWN',
])

/** A failed call about one content as its outcome; what is not about it is given back as it is. */
function readFailure(error: unknown, doing: string): unknown {
  const errno = errnoOf(error)
  if (errno === undefined || general.has(errno)) return error
  return new Unreadable(classes[errno] ?? 'unreadable', `${errno} ${doing}`)
}

export const sizeChanged = (expected: number, found: number): Unreadable =>
  new Unreadable('size-changed', `${expected} bytes when it was enumerated, ${found} now`)

/** The bytes of a content, from the ranges of a file or from its beginning to its end. */
export class Source {
  readonly #fd: number
  readonly #size: number
  readonly #ranges: readonly number[]
  #range = 0
  #at = 0
  constructor(fd: number, { ranges, size }: Read) {
    this.#fd = fd
    this.#size = size
    // One byte more than expected, to see whether it has grown.
    this.#ranges = ranges ?? [0, size + 1]
  }

  rewind(): void {
    this.#range = 0
    this.#at = 0
  }

  /** Fills the buffer as far as there are bytes. */
  fill(buffer: Buffer): number {
    let filled = 0
    while (filled < buffer.length && this.#range < this.#ranges.length) {
      const start = this.#ranges[this.#range] ?? 0
      const end = this.#ranges[this.#range + 1] ?? 0
      const left = (start === -1 ? end : end - start) - this.#at
      const count = Math.min(left, buffer.length - filled)
      const got =
        start === -1 ? this.#zeros(buffer, filled, count) : this.#bytes(buffer, filled, count, start)
      this.#at += got
      filled += got
      if (got === left) {
        this.#range += 2
        this.#at = 0
        // It stopped where it should, though one byte more was asked for: no second read has to say so.
      } else if (got === 0 || this.#at === this.#size) return filled
    }
    return filled
  }

  #zeros(buffer: Buffer, from: number, count: number): number {
    buffer.fill(0, from, from + count)
    return count
  }

  #bytes(buffer: Buffer, from: number, count: number, start: number): number {
    if (count === 0) return 0
    try {
      return readSync(this.#fd, buffer, from, count, start + this.#at)
    } catch (error) {
      throw readFailure(error, `when byte ${start + this.#at} was read`)
    }
  }
}

/** A file of a medium that has become a link, or lies behind one now, is not followed, and a pipe is not waited for. */
export function openLive(root: number, path: string): number {
  try {
    return openBeneath(root, Buffer.from(path, 'latin1'), constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw readFailure(error, 'when it was opened')
  }
}

/** An image that cannot be opened concerns all of its contents: that throws. */
export function openImage(path: string, open: Map<string, number>): number {
  const fd =
    open.get(path) ?? openQuietly(Buffer.from(path, 'latin1'), constants.O_RDONLY, constants.O_NOATIME)
  open.set(path, fd)
  return fd
}

/** A tree whose root cannot be opened is gone: that throws. */
export function openTree(root: string, open: Map<string, number>): number {
  const fd = open.get(root) ?? openRoot(root)
  open.set(root, fd)
  return fd
}

/** Without a trace on the access time, where that is ours to decide. */
export function openQuietly(path: Buffer | string, flags: number, quietly: number): number {
  try {
    return openSync(path, flags | quietly)
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error
    return openSync(path, flags)
  }
}
