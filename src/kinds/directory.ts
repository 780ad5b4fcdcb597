// A directory tree: nothing to image; its files are what there is.
import type { Kind } from '../model/kind.ts'

export const directory: Kind = {
  name: 'directory',
  label: 'directory',
  stages: ['enumerate', 'load', 'copy', 'archive'],
  sources: ['directory'],
  sectorBytes: 1,
  isDrive: false,
  passes: [],
}
