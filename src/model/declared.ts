// Media that media.d declares against media that the catalogue has met: who is told by only one of the two, and whose name is another's.
import type { Declaration } from './medium.ts'

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

type Told = Pick<Declaration, 'name' | 'file' | 'hash' | 'source'>

/** The name belongs to another medium in the catalogue: files that were exchanged or copied would lend one the other's products. */
export function nameTaken(
  { name, file }: Pick<Told, 'name' | 'file'>,
  hash: string,
  {
    media,
    declared,
  }: { readonly media: readonly Met[]; readonly declared: readonly Pick<Told, 'name' | 'file' | 'hash'>[] },
): string | null {
  const owner = media.find((one) => one.name === name)
  if (owner === undefined || owner.hash === hash) return null
  const met = media.find((one) => one.hash === hash)?.name ?? null
  const now = declared.find((one) => one.hash === owner.hash)
  const is = `${file} declares the medium ${hash}${met === null ? '' : `, which is ${met} in the database`}`
  return now === undefined
    ? `${is}, and ${name} is ${owner.hash} there: write \`medium_hash: ${owner.hash}\` if it is that, or give the file a name of its own`
    : `${is}, and ${name} is ${owner.hash} there, which ${now.file} declares by now: exchange the two back, or give ${file} another name and run ntt verify ${now.name} first`
}

/** By its file, or by a file name of 32 hex digits. */
export const declaredHash = ({ hash, source }: Pick<Told, 'hash' | 'source'>): string | undefined =>
  hash ?? (source.type === 'image' ? /(?:^|\/)([0-9a-f]{32})\.[^/]*$/.exec(source.path)?.[1] : undefined)

/** The file that says of itself that it is this medium: by its `medium_hash`, or else by the name of its image. null: none does. */
export const ownerOf = <D extends Told>(hash: string, declared: readonly D[]): D | null =>
  declared.find((one) => one.hash === hash) ?? declared.find((one) => declaredHash(one) === hash) ?? null
