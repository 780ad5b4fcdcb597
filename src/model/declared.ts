// Media that media.d declares against media that the catalogue has met: who is told by only one of the two.

interface Declared {
  readonly name: string
  /** null: nobody could tell which medium it is; its name then speaks for it. */
  readonly hash: string | null
}

interface Met {
  readonly name: string | null
  readonly hash: string
}

export interface Strangers<D, M> {
  /** Declared, and the catalogue has never met them. */
  readonly unmet: readonly D[]
  /** Met, and no file declares them any more. */
  readonly undeclared: readonly M[]
}

export function strangers<D extends Declared, M extends Met>(
  declared: readonly D[],
  met: readonly M[],
): Strangers<D, M> {
  const [hashes, names] = [new Set(met.map(({ hash }) => hash)), new Set(met.map(({ name }) => name))]
  const declaredHashes = new Set(declared.map(({ hash }) => hash))
  const declaredNames = new Set(declared.flatMap(({ name, hash }) => (hash === null ? [name] : [])))
  return {
    unmet: declared.filter(({ name, hash }) => (hash === null ? !names.has(name) : !hashes.has(hash))),
    undeclared: met.filter(
      ({ name, hash }) => !declaredHashes.has(hash) && (name === null || !declaredNames.has(name)),
    ),
  }
}
