// What tells that a file was changed: where it differs, or cannot be told, the file has to be read again.
import { stat } from 'node:fs/promises'

/**
 * Clocks of filesystems go in ticks, of some milliseconds or, on FAT, of two seconds, and may lag a little: a change in the same tick as the
 * one before leaves no trace.
 */
const tickNs = 2_100_000_000n

/** null: no such mark can be had. A drive has none, nor has a file that was changed within the last tick. */
export async function markOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null)
  if (found === null || !found.isFile()) return null
  const { dev, ino, size, mtimeNs, ctimeNs } = found
  const age = BigInt(Date.now()) * 1_000_000n - ctimeNs
  return age < tickNs ? null : [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}
