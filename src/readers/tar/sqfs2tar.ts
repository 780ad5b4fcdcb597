// squashfs through sqfs2tar: all of a volume as one stream, without root.
import { listing, versionOf, type FsReader } from '../reader.ts'
import { byTar } from './listing.ts'

/**
 * With the root as an entry, further names of a file as files of their own (they come in the order of names, not behind their
 * file), and an end with an error where something does not go into an archive: a socket would be left out without a word.
 */
const archive = (image: string) =>
  listing('sqfs2tar', ['--root-becomes', '.', '--no-hard-links', '--no-skip', '--no-xattr', image])

export const sqfs2tar: FsReader = {
  name: 'sqfs2tar',
  isHearsay: true,
  // It reads files that begin with the volume.
  reads: ({ type, start }) => type === 'squashfs' && start === 0,
  needs: 'squashfs-tools-ng',
  version: (world) => versionOf(world, 'sqfs2tar', ['--version'], /squashfs-tools-ng\) (\S+)/),
  ...byTar((image, _volume, world) => world.stream(archive(world.path(image)))),
}
