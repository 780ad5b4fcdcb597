// What is known of media before one is looked at: the catalogue's, and identities that were worked out before.
import type { Declaration, Identity, KindName } from '../model/medium.ts'
import type { Reader, Transaction } from '../model/world.ts'

/** An identity that was worked out, of exactly one look at a source. */
export interface CachedIdentity extends Identity {
  readonly source: string
  /** Size, times and expectations when it was worked out: another look makes it worthless. */
  readonly looked: string
}

/** What is known of media before one is looked at. */
export interface Known {
  readonly cache: ReadonlyMap<string, CachedIdentity>
  /** Media that the catalogue has met. */
  readonly media: readonly (Pick<Identity, 'hash' | 'version'> & {
    readonly name: string | null
    readonly kind: KindName | null
  })[]
  readonly declared: readonly Pick<Declaration, 'name' | 'hash' | 'file'>[]
  /** Of these kinds what is read is the drive itself: its model and serial are the medium's. */
  isDrive(kind: KindName): boolean
  /** Told of what was worked out; whoever may write keeps it with `remember`. */
  learned(identity: CachedIdentity): void
}

/** The cache and the catalogue's media, in two questions whatever their number. */
export async function readKnown(query: Reader['query']): Promise<Pick<Known, 'cache' | 'media'>> {
  const rows = await query<CachedRow>(cacheSql)
  const media = await query<Known['media'][number]>(mediaSql)
  const cache = rows.map(({ bytes, ...row }): [string, CachedIdentity] => [
    row.source,
    { ...row, bytes: bytes === null ? null : Number(bytes) },
  ])
  return { cache: new Map(cache), media }
}

interface CachedRow extends Omit<CachedIdentity, 'bytes'> {
  readonly bytes: string | null
}

const cacheSql = `
  select source, looked, medium_hash as hash, hash_version as version, kind, bytes::text as bytes from identity`
const mediaSql = `select medium_hash as hash, hash_version as version, name, kind from medium`

/** Keeps what was worked out; only for those who may write. */
export async function remember(tx: Transaction, learned: readonly CachedIdentity[]): Promise<void> {
  for (const { source, looked, hash, version, kind, bytes } of learned) {
    await tx.execute(rememberSql, [source, looked, hash, version, kind, bytes])
  }
}

const rememberSql = `
  insert into identity (source, looked, medium_hash, hash_version, kind, bytes) values ($1, $2, $3, $4, $5, $6)
  on conflict (source) do update
    set looked = excluded.looked, medium_hash = excluded.medium_hash, hash_version = excluded.hash_version,
        kind = excluded.kind, bytes = excluded.bytes`
