// One entry of a directory, looked at without following it: by the open directory where the machine can, else by its path.
import { lstatSync } from 'node:fs'
import { libc } from './libc.ts'

/** What lstat(2) tells. Device numbers are major * 2^32 + minor. */
export interface Stat {
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly ino: bigint
  readonly size: number
  readonly mtimeNs: bigint
  readonly dev: bigint
  readonly rdev: bigint
}

/** Of struct statx, see statx(2). */
const at = {
  nlink: 0x10,
  uid: 0x14,
  gid: 0x18,
  mode: 0x1c,
  ino: 0x20,
  size: 0x28,
  seconds: 0x70,
  nanos: 0x78,
  rdev: 0x80,
  dev: 0x88,
} as const
const structBytes = 256
/** Node and its addon run on little-endian machines alone. */
const little = true
/** The longest name that any filesystem of Linux has. */
const longestName = 4096

const found = Buffer.alloc(structBytes)
const view = new DataView(found.buffer, found.byteOffset, found.length)
const nameBytes = Buffer.alloc(longestName + 1)

/**
 * Looks at `name` in an open directory. Latin1, one character a byte. Half the time of lstatSync, which walks the whole path once more and
 * makes a big integer of every field. null: the machine has no such call. Throws an error with the errno as its `code`.
 */
export function lookIn(directory: number, name: string): Stat | null {
  const statx = libc()?.statx ?? null
  if (statx === null || name.length > longestName) return null
  nameBytes[nameBytes.write(name, 'latin1')] = 0
  const errno = statx(directory, nameBytes, found)
  if (errno !== 0) throw Object.assign(new Error(`${errno}: statx`), { code: errno })
  return {
    mode: view.getUint16(at.mode, little),
    nlink: view.getUint32(at.nlink, little),
    uid: view.getUint32(at.uid, little),
    gid: view.getUint32(at.gid, little),
    ino: view.getBigUint64(at.ino, little),
    size: Number(view.getBigUint64(at.size, little)),
    mtimeNs: view.getBigInt64(at.seconds, little) * 1_000_000_000n + BigInt(view.getUint32(at.nanos, little)),
    dev: deviceAt(at.dev),
    rdev: deviceAt(at.rdev),
  }
}

const deviceAt = (offset: number): bigint => {
  const [major, minor] = [view.getUint32(offset, little), view.getUint32(offset + 4, little)]
  return major === 0 && minor === 0 ? 0n : (BigInt(major) << 32n) | BigInt(minor)
}

/** Looks at what a path leads to, no link followed at its end. Throws as lstatSync does. */
export function lookAt(path: Buffer): Stat {
  const stat = lstatSync(path, { bigint: true })
  return {
    mode: Number(stat.mode),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    ino: stat.ino,
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    dev: unpacked(stat.dev),
    rdev: unpacked(stat.rdev),
  }
}

/** Linux's packed device number. */
const unpacked = (device: bigint): bigint =>
  ((((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)) << 32n) |
  (device & 0xffn) |
  ((device >> 12n) & 0xffffff00n)
