// The roots: there or yet to be made, writable, on which filesystem, with how much room.
import { access, constants, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { configRoots } from '../../config.ts'
import type { Config, ConfigRoot } from '../../config.ts'
import { errnoOf, messageOf } from '../../model/errors.ts'
import { isAbsent } from '../../ports/errno.ts'
import type { Finding } from '../../views/doctor.ts'
import { count } from '../../model/counted.ts'
import { size } from '../../views/format.ts'

/** What makes a root too small to begin with. */
const least = { bytes: 1e9, inodes: 10_000 }

/** f_type of statfs(2). Where names, links, modes or flushing are not what a store needs, the reason. */
const filesystems: ReadonlyMap<bigint, readonly [name: string, against?: string]> = new Map([
  [0xef53n, ['ext']],
  [0x58465342n, ['xfs']],
  [0x9123683en, ['btrfs']],
  [0x2fc12fc1n, ['zfs']],
  [0x794c7630n, ['overlay']],
  [0x6969n, ['nfs']],
  [0x01021994n, ['tmpfs', 'it is memory, and empty after the next start']],
  [0x4d44n, ['FAT', 'it has no links and no modes, and its files end at 4 GiB']],
  [0x2011bab0n, ['exFAT', 'it has no links and no modes']],
])

interface Look {
  /** The folder itself, or the nearest above it that is there. */
  readonly at: string
  readonly isThere: boolean
  readonly device: bigint
}

export async function lookAtRoots({
  roots,
  from,
  log,
}: Pick<Config, 'roots' | 'from' | 'log'>): Promise<readonly Finding[]> {
  const devices = new Map<bigint, ConfigRoot>()
  const findings: Finding[] = []
  for (const name of configRoots) {
    findings.push(await lookAtRoot(name, roots[name], from[`roots.${name}`] ?? 'default', devices))
  }
  return [...findings, ...(await lookAtLog(log))]
}

/** Nothing where it is a file, or not there yet; where nobody may look, its folder tells. */
async function lookAtLog(log: string): Promise<readonly Finding[]> {
  const found = await stat(log).catch(() => null)
  if (found === null || found.isFile()) return []
  const text = `${log} is no file, and nothing is done without an event log`
  return [{ area: 'roots', name: 'log', condition: 'problem', text, fix: 'Move it away.' }]
}

async function lookAtRoot(
  name: ConfigRoot,
  path: string,
  from: string,
  devices: Map<bigint, ConfigRoot>,
): Promise<Finding> {
  const base = { area: 'roots', name } as const
  const elsewhere = `Give it another place: --root ${name}=FOLDER, or roots.${name} in ntt.yaml.`
  try {
    const { at, isThere, device } = await nearest(path)
    const will = `${path} (${from}${isThere ? '' : ', will be made'})`
    const denied = await deniedBy(at)
    if (denied !== null) {
      const fix =
        denied === 'ENOTDIR'
          ? elsewhere
          : denied === 'EROFS'
            ? `Its filesystem is mounted read-only. ${elsewhere}`
            : `Let this user write to ${at}, or run ntt as one who may. ${elsewhere}`
      return {
        ...base,
        condition: 'problem',
        text: `${will}: ${at} ${denied === 'ENOTDIR' ? 'is not a folder' : `cannot be written (${denied})`}`,
        fix,
      }
    }
    const { type, bavail, bsize, files, ffree } = await statfs(at, { bigint: true })
    const [kind, against] = filesystems.get(type) ?? [`filesystem 0x${type.toString(16)}`]
    const [bytes, inodes] = [Number(bavail * bsize), Number(ffree)]
    // Some filesystems make inodes as they need them, and say 0 of 0.
    const counted = files > 0n
    const first = devices.get(device)
    if (first === undefined) devices.set(device, name)
    const room = `${kind}, ${size(bytes)}${counted ? ` and ${count(inodes)} inodes` : ''} free`
    const text = `${will}; ${first === undefined ? room : `same filesystem as ${first}`}`
    if (bytes < least.bytes || (counted && inodes < least.inodes))
      return { ...base, condition: 'problem', text: `${will}; ${room}`, fix: `Free some of it. ${elsewhere}` }
    if (against !== undefined)
      return { ...base, condition: 'note', text: `${will}; ${kind}: ${against}`, fix: elsewhere }
    return { ...base, condition: 'good', text }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return { ...base, condition: 'unknown', text: `${path}: ${messageOf(error)}`, fix: elsewhere }
  }
}

async function nearest(path: string): Promise<Look> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { dev } = await stat(at, { bigint: true })
      return { at, isThere: at === path, device: dev }
    } catch (error) {
      // Below a file there is nothing: the file itself is then what is in the way.
      if ((!isAbsent(error) && errnoOf(error) !== 'ENOTDIR') || at === dirname(at)) throw error
    }
  }
}

/** The errno that writing into a folder would meet; null for none. Writes nothing. */
async function deniedBy(folder: string): Promise<string | null> {
  if (!(await stat(folder)).isDirectory()) return 'ENOTDIR'
  try {
    await access(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return errno
  }
}
