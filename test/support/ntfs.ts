// Volumes of NTFS, made by mkntfs and filled through ntfs-3g; and what ntfs-3g reads of them, as the independent witness.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { make } from './looking.ts'

/** An empty volume. */
export function emptyNtfs(image: string, bytes: number, ...options: readonly string[]): string {
  writeFileSync(image, '')
  truncateSync(image, bytes)
  make('mkntfs', '-F', '-Q', '-q', ...options, image)
  return image
}

/** Mounted only while `work` runs; then ntfs-3g has ended, and all is in the image. */
export async function throughNtfs3g<T>(
  image: string,
  options: string,
  work: (mount: string) => T | Promise<T>,
): Promise<T> {
  const mount = `${image}.mount`
  mkdirSync(mount, { recursive: true })
  const driver = spawn('ntfs-3g', ['-o', `no_detach,${options}`, image, mount], { stdio: 'pipe' })
  const said: Buffer[] = []
  driver.stderr.on('data', (chunk: Buffer) => said.push(chunk))
  const ended = once(driver, 'exit')
  let isMounted = false
  for (let turn = 0; turn < 600 && driver.exitCode === null && !isMounted; turn += 1) {
    isMounted = readFileSync('/proc/mounts', 'utf8').includes(` ${mount} fuse`)
    if (!isMounted) await wait(50)
  }
  if (!isMounted) throw new Error(`ntfs-3g did not mount ${image}: ${Buffer.concat(said).toString()}`)
  try {
    return await work(mount)
  } finally {
    make('fusermount3', '-u', mount)
    await ended
  }
}
