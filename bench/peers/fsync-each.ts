// A store by hash as one would write it first: each file is read, hashed, written, flushed, renamed, its folder flushed.
import { Blake3Hasher } from '@napi-rs/blake-hash'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

const [tree = '', store = ''] = process.argv.slice(2)
const buffer = Buffer.allocUnsafeSlow(1 << 20)

function keep(path: Buffer): void {
  const temporary = join(store, 'incoming')
  const [from, to] = [openSync(path, 'r'), openSync(temporary, 'w', 0o444)]
  const hasher = new Blake3Hasher()
  for (let got = readSync(from, buffer); got > 0; got = readSync(from, buffer)) {
    const bytes = buffer.subarray(0, got)
    hasher.update(bytes)
    for (let at = 0; at < got;) at += writeSync(to, bytes, at)
  }
  fsyncSync(to)
  closeSync(from)
  closeSync(to)
  const hash = hasher.digest('hex')
  const folder = join(store, hash.slice(0, 2), hash.slice(2, 4))
  mkdirSync(folder, { recursive: true })
  renameSync(temporary, join(folder, hash))
  const directory = openSync(folder, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

function walk(folder: Buffer): void {
  for (const found of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([folder, Buffer.from('/'), found.name])
    if (found.isDirectory()) walk(path)
    else if (found.isFile()) keep(path)
  }
}

walk(Buffer.from(tree))
