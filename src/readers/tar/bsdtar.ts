// libarchive's reader of ISO 9660, with RockRidge and Joliet: all of a disc as one stream, in the order of the disc.
import { listing, versionOf, type FsReader } from '../reader.ts'
import { byTar } from './listing.ts'

/**
 * Raw names as they are on the disc. It ends with 0, having listed nothing, on an image that it does not understand: a true
 * listing has the root directory in it, and whoever asks must see it there.
 */
const archive = (image: string) => listing('bsdtar', ['-cf', '-', '--format=gnutar', `@${image}`])

export const bsdtar: FsReader = {
  name: 'bsdtar',
  isHearsay: true,
  // Of a disc with both it reads the ISO 9660 side, and of several sessions the first.
  reads: ({ type, start, scheme }) =>
    (type === 'iso9660' || type === 'udf') && start === 0 && scheme !== 'session',
  needs: 'libarchive-tools',
  version: (world) => versionOf(world, 'bsdtar', ['--version'], /bsdtar (\S+)/),
  ...byTar((image, _volume, world) => world.stream(archive(world.path(image)))),
}
