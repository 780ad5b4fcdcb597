// An installation of the older pipeline, made through its own schema: database, images, enumerations, archives and store.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sorting } from '../../src/model/older.ts'
import { openHasher } from '../../src/ports/blake3.ts'
import { ask } from './postgres.ts'

/** Its schema as it finally stood, without what no tool of it read. */
const schema = `
  create table medium (
    medium_hash text primary key, medium_human text, added_at timestamptz default now(), health text,
    image_path text, enum_done timestamptz, copy_done timestamptz, message text, problems jsonb);
  create table inode (
    medium_hash text not null references medium on delete cascade, ino bigint not null, id bigint generated always as identity,
    dev bigint, nlink bigint, size bigint, mtime bigint, blobid text, copied bool default false, copied_to text, errors text[],
    fs_type char(1), mime_type varchar(255), processed_at timestamptz, by_hash_created bool, claimed_by text, claimed_at timestamptz,
    status text default 'pending', error_type text, primary key (medium_hash, ino)) partition by list (medium_hash);
  create table path (
    medium_hash text not null, dev bigint, ino bigint not null, path bytea not null, broken bool default false, blobid text,
    exclude_reason text, primary key (medium_hash, path)) partition by list (medium_hash);
  create table blobs (blobid text primary key, last_checked timestamptz, n_hardlinks int);`

/** What befell a medium: how it is to be sorted, and which of its files have no content and no reason. */
export interface Fate {
  readonly hash: string
  readonly human: string
  readonly sorting: Sorting
  /** Names as its database spells them, in byte order. */
  readonly lost: readonly string[]
  /** Where its bytes still are. */
  readonly bytes: 'image' | 'archive' | 'nowhere'
  readonly files: number
}

export interface Installation {
  readonly folder: string
  readonly roots: readonly string[]
  readonly fates: readonly Fate[]
  /** Blobs with wrong bytes of the right size. */
  readonly rotten: readonly string[]
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32 of Tommy Ettinger, public domain). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296
  }
}

const emptyId = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const mount = (hash: string): string => `/mnt/ntt/${hash}`

const blake3 = (bytes: Buffer): string => {
  const hasher = openHasher()
  hasher.update(bytes)
  return hasher.digest().blake3
}

/**
 * So many media of each sort, with all flags set at random: times, health, copied, status, claims. Some have lost their image
 * to an archive, some their enumeration; some files are excluded, some are empty. `counts` in the order complete, copied in part, never loaded.
 */
export async function olderInstallation(
  folder: string,
  url: string,
  [complete, inPart, never]: readonly [number, number, number],
  seed: number,
): Promise<Installation> {
  const next = random(seed)
  const chance = (share: number): boolean => next() < share
  const roots = { image: 'img', raw: 'raw', 'by-hash': 'ntt/by-hash', archive: 'img-read' }
  for (const root of Object.values(roots)) mkdirSync(join(folder, root), { recursive: true })
  await ask(url, schema)
  const fates: Fate[] = []
  const rotten: string[] = []
  const store = (content: Buffer): string => {
    const id = content.length === 0 ? emptyId : blake3(content)
    const at = join(folder, roots['by-hash'], id.slice(0, 2), id.slice(2, 4))
    mkdirSync(at, { recursive: true })
    writeFileSync(join(at, id), content, { mode: 0o644 })
    return id
  }
  const drop = (id: string): void =>
    rmSync(join(folder, roots['by-hash'], id.slice(0, 2), id.slice(2, 4), id), { force: true })

  for (let index = 0; index < complete + inPart + never; index += 1) {
    const sorting: Sorting =
      index < complete ? 'complete' : index < complete + inPart ? 'copied-in-part' : 'never-loaded'
    const hash = Array.from({ length: 32 }, () => Math.floor(next() * 16).toString(16)).join('')
    const human = `FLOPPY ${String(index).padStart(3, '0')}`
    const tree = join(folder, 'tree')
    mkdirSync(tree)
    const files = Array.from({ length: 3 + Math.floor(next() * 6) }, (_, at) => {
      const shared = chance(0.3)
      const content =
        at === 2
          ? Buffer.alloc(0)
          : Buffer.from(`${shared ? 'the same letter' : `letter ${index}`} ${at}\n`.repeat(3 + at * 40))
      const name = `LETTER${at}.TXT`
      writeFileSync(join(tree, name), content)
      return { ino: at + 2, name, content, path: `${mount(hash)}/${name}` }
    })
    const image = join(folder, roots.image, `${hash}.img`)
    execFileSync('mkfs.vfat', ['-C', '-F', '12', '-i', String(10_000_000 + index), image, '160'])
    execFileSync('sh', ['-c', `mcopy -i "$1" "$2"/* ::`, 'sh', image, tree], {
      env: { ...process.env, MTOOLS_SKIP_CHECK: '1' },
    })
    rmSync(tree, { recursive: true })
    const bytes =
      sorting !== 'complete' && index % 7 === 3 ? 'nowhere' : index % 4 === 1 ? 'archive' : 'image'
    const hasRaw = sorting === 'never-loaded' || chance(0.7)
    if (hasRaw) {
      const record = (type: string, ino: number, size: number, path: string): string =>
        `${[type, 1793, ino, 1, size, 900_000_000, path].join('\x1c')}\0`
      const root = record('d', 1, 7168, mount(hash))
      const rest = files.map(({ ino, content, path }) => record('f', ino, content.length, path))
      writeFileSync(join(folder, roots.raw, `${hash}.raw`), root + rest.join(''))
    }
    if (bytes !== 'image') {
      if (bytes === 'archive')
        execFileSync('tar', [
          '--zstd',
          '-cf',
          join(folder, roots.archive, `${hash}.tar.zst`),
          '-C',
          join(folder, roots.image),
          `${hash}.img`,
        ])
      rmSync(image)
    }

    const time = (): string | null =>
      chance(0.5) ? `2025-10-${String(1 + Math.floor(next() * 28)).padStart(2, '0')} 12:00:00+00` : null
    await ask(
      url,
      'insert into medium (medium_hash, medium_human, health, image_path, enum_done, copy_done, message) values ($1, $2, $3, $4, $5, $6, $7)',
      [
        hash,
        human,
        ['ok', 'incomplete', 'corrupt', 'failed', 'NULL', null][Math.floor(next() * 6)],
        bytes === 'image' ? image : null,
        time(),
        time(),
        chance(0.8) ? `Box ${index}, "the red one": ${chance(0.5) ? 'left' : 'right'}` : null,
      ],
    )
    const lost: string[] = []
    if (sorting !== 'never-loaded') {
      for (const table of ['inode', 'path'])
        await ask(
          url,
          `create table ${table}_p_${hash.slice(0, 8)} partition of ${table} for values in ('${hash}')`,
        )
      const rows = files.map(({ ino, name, content, path }, at) => {
        const isExcluded = sorting === 'complete' && at === 0 && chance(0.2)
        const isLost = sorting === 'copied-in-part' && (at === 1 || (content.length > 0 && chance(0.3)))
        if (isLost) lost.push(path)
        const how = isLost ? Math.floor(next() * 3) : -1
        const own = Buffer.concat([content, Buffer.from(name)])
        // What is lost must not be kept by another medium of the same content.
        const blob = isExcluded || how === 0 ? null : how === -1 ? store(content) : store(own)
        if (how === 1 && blob !== null) drop(blob)
        return { ino, size: content.length, path, blob, isExcluded }
      })
      const flags = rows.map(() => [
        chance(0.5),
        ['pending', 'success', 'failed_retryable', 'failed_permanent'][Math.floor(next() * 4)],
        [null, 'worker-03', 'NON_FILE', 'EXCLUDED', 'MAX_RETRIES_EXCEEDED', 'IO_ERROR_SKIP'][
          Math.floor(next() * 6)
        ],
      ])
      await ask(
        url,
        `insert into inode (medium_hash, ino, dev, nlink, size, mtime, blobid, fs_type, copied, status, claimed_by)
         select $1, ino, 1793, 1, size, 900000000, blob, 'f', copied, status, claimed
           from unnest($2::int8[], $3::int8[], $4::text[], $5::bool[], $6::text[], $7::text[]) as n (ino, size, blob, copied, status, claimed)
         union all select $1, 1, 1793, 1, 7168, 900000000, null, 'd', true, 'success', 'NON_FILE'`,
        [
          hash,
          rows.map(({ ino }) => ino),
          rows.map(({ size }) => size),
          rows.map(({ blob }) => blob),
          flags.map(([copied]) => copied),
          flags.map(([, status]) => status),
          flags.map(([, , claimed]) => claimed),
        ],
      )
      await ask(
        url,
        `insert into path (medium_hash, dev, ino, path, exclude_reason)
         select $1, 1793, ino, decode(path, 'hex'), reason from unnest($2::int8[], $3::text[], $4::text[]) as n (ino, path, reason)
         union all select $1, 1793, 1, decode($5, 'hex'), null`,
        [
          hash,
          rows.map(({ ino }) => ino),
          rows.map(({ path }) => Buffer.from(path).toString('hex')),
          rows.map(({ isExcluded }) => (isExcluded ? 'pattern_match' : null)),
          Buffer.from(mount(hash)).toString('hex'),
        ],
      )
      const own = rows.find(({ blob, size }) => blob !== null && blob !== emptyId && size > 200)
      if (sorting === 'complete' && index % 9 === 0 && own?.blob != null) {
        const at = join(folder, roots['by-hash'], own.blob.slice(0, 2), own.blob.slice(2, 4), own.blob)
        rotten.push(own.blob)
        writeFileSync(at, Buffer.alloc(own.size, 'x'))
      }
    }
    fates.push({ hash, human, sorting, lost: lost.toSorted(), bytes, files: files.length })
  }
  await ask(url, 'insert into blobs (blobid) select distinct blobid from inode where blobid is not null')
  return {
    folder,
    roots: Object.entries(roots).flatMap(([name, path]) => ['--root', `${name}=${join(folder, path)}`]),
    fates,
    rotten,
  }
}
