// The kernel's own drivers, where we are root and there is one: read-only, journals not replayed, in a room of its own.
import type { Entry, Volume } from '../model/entry.ts'
import type { Command } from '../model/command.ts'
import { RunError } from '../model/errors.ts'
import type { Piece, Place, Reader, Room } from '../model/world.ts'
import type { FsReader } from './reader.ts'

/** Type as blkid tells it, to the driver's name and what it must be told beside `ro`. */
const drivers: Readonly<Record<string, readonly [driver: string, ...options: readonly string[]]>> = {
  ext2: ['ext2'],
  ext3: ['ext3', 'noload'],
  ext4: ['ext4', 'noload'],
  xfs: ['xfs', 'norecovery', 'nouuid'],
  btrfs: ['btrfs', 'rescue=nologreplay', 'subvolid=5'],
  squashfs: ['squashfs'],
  erofs: ['erofs'],
  f2fs: ['f2fs', 'norecovery'],
  udf: ['udf'],
  hfs: ['hfs'],
  hfsplus: ['hfsplus', 'nls=utf8'],
  ntfs: ['ntfs3', 'nls=utf8'],
  exfat: ['exfat'],
  jfs: ['jfs'],
  reiserfs: ['reiserfs', 'nolog'],
  minix: ['minix'],
  ufs: ['ufs'],
  romfs: ['romfs'],
  cramfs: ['cramfs'],
  nilfs2: ['nilfs2', 'norecovery'],
  affs: ['affs'],
  befs: ['befs'],
  bfs: ['bfs'],
  hpfs: ['hpfs'],
  sysv: ['sysv'],
}

const mountMs = 120_000

export const kernel: FsReader = {
  name: 'kernel',
  isHearsay: true,
  reads: ({ type }) => type !== null && type in drivers,
  needs: 'root, and a driver for it',
  version,
  async *list(image, volume, world) {
    await using room = await world.room()
    await mount(image, volume, room, world)
    yield* world.walk(room.root)
  },
  async *contents(image, volume, entries, world) {
    await using room = await world.room()
    await mount(image, volume, room, world)
    const above = Buffer.from(`${room.root}/`)
    for await (const key of entries) {
      // Read as a stream: the mount lasts only until the last of them has been asked for.
      const bytes = world.fileBytes(Buffer.concat([above, key.path]))
      yield { key, size: key.size, origin: { type: 'stream', bytes } } satisfies Piece<Entry>
    }
  },
}

/** The kernel's release; null where we are not root, or it has no such driver. */
async function version(world: Reader, { type }: Volume): Promise<string | null> {
  const [driver] = drivers[type ?? ''] ?? []
  if (driver === undefined) return null
  for (const program of ['id', 'mount', 'unshare', 'nsenter']) if (!(await world.has(program))) return null
  const { stdout } = await world.probe({ file: 'id', args: ['-u'], timeoutMs: 10_000 })
  if (stdout.toString().trim() !== '0') return null
  const known = (await world.text('/proc/filesystems')) ?? ''
  if (!known.split('\n').some((line) => line.split('\t')[1] === driver) && !(await canLoad(driver, world)))
    return null
  return ((await world.text('/proc/sys/kernel/osrelease')) ?? 'of an unknown version').trim()
}

/** Whether mounting would load the driver. */
async function canLoad(driver: string, world: Reader): Promise<boolean> {
  if (!(await world.has('modprobe'))) return false
  const asked = { file: 'modprobe', args: ['-n', '-q', driver], timeoutMs: 10_000, accept: [1] }
  return (await world.probe(asked)).status === 0
}

/** What the mount is asked for. `sizelimit` ends at the partition: a driver must not read what is another's. */
export function mountCommand(
  image: string,
  volume: Pick<Volume, 'type' | 'start' | 'bytes'>,
  at: string,
): Command {
  const [driver = '', ...options] = drivers[volume.type ?? ''] ?? []
  const asked = [
    'ro',
    'nosuid',
    'nodev',
    'noexec',
    'loop',
    `offset=${volume.start}`,
    `sizelimit=${volume.bytes}`,
  ]
  return {
    file: 'mount',
    args: ['-t', driver, '-o', [...asked, ...options].join(','), '--', image, at],
    timeoutMs: mountMs,
  }
}

/** Mounts, and sees in the kernel's own table that it did: what `mount` says of itself proves nothing. */
async function mount(image: Place, volume: Volume, room: Room, world: Reader): Promise<void> {
  const path = world.path(image)
  const own = await world.stat(image)
  // A driver that reads past the end of its device may never come back.
  if (own === null || own.bytes < volume.start + volume.bytes)
    throw new RunError('the volume goes on past the end of the image: it is not mounted')
  await room.probe(mountCommand(path, volume, room.inside))
  const mounted = await room.mounted()
  const [driver] = drivers[volume.type ?? ''] ?? []
  if (mounted === null || mounted.type !== driver)
    throw new RunError(`mount ended well, but no ${driver ?? 'filesystem'} is mounted`)
  const loop = mounted.source.replace('/dev/', '/sys/block/')
  const backing = (await world.text(`${loop}/loop/backing_file`))?.replace(/\n$/, '') ?? ''
  const offset = Number((await world.text(`${loop}/loop/offset`)) ?? Number.NaN)
  const other = backing === '' ? null : await world.stat(backing)
  if (other?.ino !== own.ino || other.mtimeNs !== own.mtimeNs || offset !== volume.start)
    throw new RunError(`${mounted.source} is mounted, which holds byte ${offset} of ${backing || 'nothing'}`)
}
