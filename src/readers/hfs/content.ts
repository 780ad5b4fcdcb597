// The bytes of files of HFS and HFS+: where they lie, or, where Mac OS has compressed them, unpacked by sleuthkit.
import { ObserveError } from '../../model/errors.ts'
import { icat, unpacked } from '../icat.ts'
import { byRangesOr } from '../reader.ts'
import { forkStep } from './walk.ts'

export const contents = byRangesOr(
  (image, { start }, world) =>
    async function* ({ ino }) {
      // A file of which only the name is known is none that sleuthkit could unpack.
      if (ino >= forkStep) throw new ObserveError('its record in the catalog cannot be read')
      yield* unpacked(() => icat(world.path(image), start, ino), world)
    },
)
