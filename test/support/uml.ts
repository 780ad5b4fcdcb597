// Linux in an ordinary process, with drivers that the running kernel may lack: a maker of media, and a witness.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Modules to load for a filesystem, in this order, below the kernel's own folder. */
const modules: Readonly<Record<string, readonly string[]>> = {
  iso9660: ['drivers/cdrom/cdrom', 'fs/isofs/isofs'],
  udf: ['lib/crc-itu-t', 'drivers/cdrom/cdrom', 'fs/udf/udf'],
  vfat: [
    'fs/fat/fat',
    'fs/fat/vfat',
    'fs/nls/nls_cp437',
    'fs/nls/nls_ascii',
    'fs/nls/nls_utf8',
    'fs/nls/nls_iso8859-1',
  ],
  squashfs: ['fs/squashfs/squashfs'],
  // Through exfat-fuse.
  exfat: ['fs/fuse/fuse'],
  hfs: ['drivers/cdrom/cdrom', 'fs/nls/nls_utf8', 'fs/hfs/hfs'],
  hfsplus: ['drivers/cdrom/cdrom', 'fs/nls/nls_utf8', 'fs/hfsplus/hfsplus'],
  // Built in.
  btrfs: [],
  ext: [],
  xfs: [],
}

/**
 * Runs a script as root of a small Linux that sees the files of this machine; `/media/m` is there to mount at, and `attach FILE`
 * makes a block device of a file and prints its name. What the script prints is given back. Throws where it did not run to its end: a first command that fails ends it.
 */
export function inUml(folder: string, filesystems: readonly string[], script: string): string {
  const [init, said, ended] = ['init', 'said', 'ended'].map((name) => join(folder, `uml-${name}`)) as [
    string,
    string,
    string,
  ]
  const unknown = filesystems.find((one) => !(one in modules))
  if (unknown !== undefined) throw new Error(`nobody has said which modules ${unknown} needs`)
  const wanted = ['drivers/block/loop', ...filesystems.flatMap((one) => modules[one] ?? [])]
  const text = [
    '#!/bin/sh',
    'export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC',
    'mount -t proc proc /proc; mount -t tmpfs t /media; mkdir /media/m',
    'K=$(echo /usr/lib/uml/modules/*/kernel)',
    ...[...new Set(wanted)].map((module) => `insmod $K/${module}.ko`),
    // A file that was opened for reading first is not written to later: it is opened for both before anything else.
    'attach() { : <> "$1"; losetup -f --show "$1"; }',
    // The first process must not end: the kernel would panic.
    `( set -e; cd '${folder}'`,
    script,
    `: > '${ended}' ) > '${said}' 2>&1`,
    'cd /; umount /media/m 2>/dev/null; sync; halt -f',
  ]
  for (const left of [said, ended]) rmSync(left, { force: true })
  writeFileSync(init, `${text.join('\n')}\n`, { mode: 0o755 })
  const kernel = ['mem=384M', 'rootfstype=hostfs', 'root=/dev/root', 'rw', `init=${init}`, 'con=null']
  const options = {
    stdio: 'ignore',
    timeout: 300_000,
    env: { ...process.env, HOME: folder },
  } as const
  try {
    execFileSync('linux.uml', [...kernel, 'con0=null', 'quiet'], options)
  } catch (error) {
    // How it ends says nothing: what it left behind does.
    if (!existsSync(ended)) throw error
  }
  const told = existsSync(said) ? readFileSync(said, 'latin1') : ''
  if (!existsSync(ended)) throw new Error(`the script in the small Linux did not end: ${told}`)
  return told
}
