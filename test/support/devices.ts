// Devices that fail, without root: a file served by nbdkit through FUSE, with real EIO where a map says so.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

export interface Device {
  readonly path: string
  /** Every read fails from now on, or works again. */
  readonly fail: (isFailing: boolean) => void
  /** Unplugs it: its name is gone. */
  readonly remove: () => Promise<void>
}

/** `[first byte, bytes]` of what cannot be read. */
export type Bad = readonly (readonly [number, number])[]

/** Serves `image` at a path below `folder`; `delayMs`: for each read. */
export async function device(
  folder: string,
  image: string,
  options: { readonly bad?: Bad; readonly delayMs?: number; readonly name?: string } = {},
): Promise<Device> {
  const at = join(folder, options.name ?? 'drive')
  const trigger = `${at}.fails`
  const map = `${at}.bad`
  mkdirSync(at)
  writeFileSync(map, mapOf(options.bad ?? [], readFileSync(image).length))
  const server = spawn(
    'nbdfuse',
    // prettier-ignore
    [
      '-r', at, '[', 'nbdkit', '--exit-with-parent', 'file', image,
      '--filter=error', 'error=EIO', 'error-pread-rate=100%', `error-pread-file=${trigger}`,
      '--filter=ddrescue', `ddrescue-mapfile=${map}`,
      ...(options.delayMs === undefined ? [] : ['--filter=delay', `rdelay=${options.delayMs}ms`]),
      ']',
    ],
    { stdio: 'ignore' },
  )
  const mounted = () => spawnSync('mountpoint', ['-q', at]).status === 0
  const remove = async (): Promise<void> => {
    spawnSync('fusermount3', ['-u', '-z', at])
    if (server.exitCode === null) server.kill('SIGTERM')
    for (let tries = 0; mounted() && tries < 50; tries += 1) await sleep(50)
  }
  onTestFinished(remove)
  for (let tries = 0; !mounted(); tries += 1) {
    if (tries > 100) throw new Error('nbdfuse does not serve')
    await sleep(50)
  }
  return {
    path: join(at, 'nbd'),
    fail: (isFailing) => (isFailing ? writeFileSync(trigger, '') : rmSync(trigger, { force: true })),
    remove,
  }
}

/** A ddrescue map with these ranges bad and all else read. */
export function mapOf(bad: Bad, bytes: number): string {
  const hex = (value: number): string => `0x${value.toString(16)}`
  const lines = ['# Mapfile', '0x0 + 1']
  let at = 0
  for (const [start, length] of bad) {
    if (start > at) lines.push(`${hex(at)} ${hex(start - at)} +`)
    lines.push(`${hex(start)} ${hex(length)} -`)
    at = start + length
  }
  if (at < bytes) lines.push(`${hex(at)} ${hex(bytes - at)} +`)
  return `${lines.join('\n')}\n`
}
