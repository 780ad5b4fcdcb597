// One entry of a directory, looked at without following it: by the open directory where the machine can, else by its path.
import { lstatSync } from 'node:fs'
import { libc } from '../libc.ts'

/** What lstat(2) tells. Device numbers are major * 2^32 + minor. */
export interface Stat {
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly ino: bigint
  readonly size: number
  readonly mtimeNs: bigint
  readonly rdev: bigint
}

/** The part of struct statx that is of use, see statx(2), and where its fields lie in it. */
const [structBytes, partAt, partBytes] = [256, 0x10, 0x80]
const at = {
  nlink: 0x00,
  uid: 0x04,
  gid: 0x08,
  mode: 0x0c,
  ino: 0x10,
  size: 0x18,
  seconds: 0x60,
  nanos: 0x68,
  rdev: 0x70,
  dev: 0x78,
} as const
/** Node and its addon run on little-endian machines alone. */
const little = true
/** The longest name that any filesystem of Linux has. */
const longestName = 4096
const billion = 1_000_000_000n

const found = Buffer.alloc(structBytes)
const nameBytes = Buffer.alloc(longestName + 1)

/** What the last look told, for `statOf`: the next one overwrites it. */
export const looked = found.subarray(partAt, partAt + partBytes)
const view = new DataView(looked.buffer, looked.byteOffset, looked.length)

/** Of the last look. */
export const modeSeen = (): number => view.getUint16(at.mode, little)
export const inoSeen = (): bigint => view.getBigUint64(at.ino, little)
/** Tells one device from another. */
export const deviceSeen = (): number =>
  view.getUint32(at.dev, little) * 2 ** 32 + view.getUint32(at.dev + 4, little)

/**
 * Looks at `name` in an open directory. Latin1, one character a byte. Half the time of lstatSync, which walks the whole path once more and
 * makes a big integer of every field. false: the machine has no such call. Throws an error with the errno as its `code`.
 */
export function lookIn(directory: number, name: string): boolean {
  const statx = libc()?.statx ?? null
  if (statx === null || name.length > longestName) return false
  nameBytes[nameBytes.write(name, 'latin1')] = 0
  const errno = statx(directory, nameBytes, found)
  if (errno !== 0) throw Object.assign(new Error(`${errno}: statx`), { code: errno })
  return true
}

/** Looks at what a path leads to, no link followed at its end. Throws as lstatSync does. */
export function lookAt(path: Buffer): void {
  const stat = lstatSync(path, { bigint: true })
  view.setUint16(at.mode, Number(stat.mode), little)
  for (const key of ['nlink', 'uid', 'gid'] as const) view.setUint32(at[key], Number(stat[key]), little)
  for (const key of ['ino', 'size'] as const) view.setBigUint64(at[key], stat[key], little)
  const nanos = ((stat.mtimeNs % billion) + billion) % billion
  view.setBigInt64(at.seconds, (stat.mtimeNs - nanos) / billion, little)
  view.setUint32(at.nanos, Number(nanos), little)
  for (const key of ['rdev', 'dev'] as const) {
    // Linux's packed device number.
    const major = ((stat[key] >> 8n) & 0xfffn) | ((stat[key] >> 32n) & 0xfffff000n)
    view.setUint32(at[key], Number(major), little)
    view.setUint32(at[key] + 4, Number((stat[key] & 0xffn) | ((stat[key] >> 12n) & 0xffffff00n)), little)
  }
}

/** What a look told, of bytes that `looked` once had. */
export function statOf(bytes: DataView, start: number): Stat {
  const [seconds, major] = [
    bytes.getBigInt64(start + at.seconds, little),
    bytes.getUint32(start + at.rdev, little),
  ]
  const minor = bytes.getUint32(start + at.rdev + 4, little)
  return {
    mode: bytes.getUint16(start + at.mode, little),
    nlink: bytes.getUint32(start + at.nlink, little),
    uid: bytes.getUint32(start + at.uid, little),
    gid: bytes.getUint32(start + at.gid, little),
    ino: bytes.getBigUint64(start + at.ino, little),
    size: Number(bytes.getBigUint64(start + at.size, little)),
    mtimeNs: seconds * billion + BigInt(bytes.getUint32(start + at.nanos, little)),
    rdev: major === 0 && minor === 0 ? 0n : (BigInt(major) << 32n) | BigInt(minor),
  }
}
