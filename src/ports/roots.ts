// Places to paths: where the named roots lie on this machine. No name leads out of its root.
import { isAbsolute, join } from 'node:path'
import { rootNames, type Place, type RootName } from '../model/world.ts'

/** Absolute paths of the roots on this machine. */
export type Roots = Readonly<Record<RootName, string>>

export interface Located {
  readonly path: string
  /** null: an absolute place, which is not ours to write. */
  readonly root: RootName | null
  /** Below the root, or the absolute path again. */
  readonly name: string
}

/** The absolute path of a place. A place that is none is a bug of ours, not a failure. */
export function locate(place: Place, roots: Roots): Located {
  if (place.includes('\0')) throw new TypeError(`not a place: ${JSON.stringify(place)}`)
  if (isAbsolute(place)) return { path: place, root: null, name: place }
  const colon = place.indexOf(':')
  const root = rootNames.find((name) => name === place.slice(0, Math.max(colon, 0)))
  if (root === undefined) throw new TypeError(`not a place: ${JSON.stringify(place)}`)
  const name = place.slice(colon + 1)
  if (isAbsolute(name) || name.split('/').includes('..')) {
    throw new TypeError(`a place that leaves its root: ${JSON.stringify(place)}`)
  }
  return { path: join(roots[root], name), root, name }
}
