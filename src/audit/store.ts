// The store of contents and the table of contents against each other, name by name and size by size.
import { counted } from '../model/counted.ts'
import { examplesKept, finding, type Finding, type FindingCode } from '../model/finding.ts'
import { olderEmpty } from '../model/older.ts'
import { shellWord } from '../model/shell.ts'
import { inPlaceOf, needRoot } from '../model/store.ts'
import type { Place, Reader } from '../model/world.ts'

const batch = 1000

/** Every blob that the database knows is looked at on the disk, with its size. */
export async function auditBlobs(world: Reader): Promise<readonly Finding[]> {
  // Another filesystem in the place of the store, or none, says nothing about its contents.
  await needRoot('by-hash', (sql, params) => world.query(sql, params), world)
  const missing = gather(
    'missing-blob',
    (count) =>
      `${counted(count, 'content')} that the database knows ${count === 1 ? 'is' : 'are'} not in the store`,
  )
  const wrong = gather(
    'wrong-size-blob',
    (count) =>
      `${counted(count, 'content has', 'contents have')} another size in the store than in the database`,
  )
  for await (const rows of blobRows(world)) {
    const held = await world.blobs(rows.map(({ id }) => id))
    for (const { id, size } of rows) {
      const bytes = held.get(id)
      if (bytes === undefined) {
        const instead = missing.isFull() ? '' : await inPlaceOf(id, world)
        missing.add(instead === '' ? id : `${id} (${instead})`)
      } else if (bytes !== size) wrong.add(`${id} (${size} expected, ${bytes} found)`)
    }
  }
  return [...missing.done(), ...wrong.done()]
}

async function* blobRows(world: Reader): AsyncGenerator<readonly { id: string; size: number }[]> {
  let last = ''
  for (;;) {
    const rows = await world.query<{ id: string; size: string }>(
      `select encode(blob_id, 'hex') as id, size::text from blob where blob_id > decode($1, 'hex') order by blob_id limit ${batch}`,
      [last],
    )
    if (rows.length === 0) return
    yield rows.map(({ id, size }) => ({ id, size: Number(size) }))
    last = rows.at(-1)?.id ?? last
  }
}

/** Every name of the store is looked up in the database; and whether somebody may write to it. */
export async function auditStore(world: Reader): Promise<readonly Finding[]> {
  const orphan = gather(
    'orphan-blob',
    (count) =>
      `${counted(count, 'content')} of the store ${count === 1 ? 'is' : 'are'} not known to the database`,
  )
  const root = world.path('by-hash:')
  const writable = gather(
    'writable',
    (count) =>
      `${counted(count, 'name')} of the store can be written to; where the filesystem keeps modes, this puts it right: chmod -R go-w ${shellWord(root)}; find ${shellWord(root)}/?? -type f -exec chmod a-w {} +`,
  )
  // Who may write to a folder may put another content in the place of one.
  const isFolder = async (place: Place, name: string): Promise<boolean> => {
    const found = await world.stat(place)
    if (found !== null && found.kind !== 'directory') orphan.add(`${name} (no folder)`)
    else if (((found?.mode ?? 0) & 0o022) !== 0) writable.add(`${name}/`)
    return found?.kind === 'directory'
  }
  await isFolder('by-hash:', root)
  const isOurs = (name: string): boolean => /^[0-9a-f]{2}$/.test(name)
  const tops = (await world.names('by-hash:')) ?? []
  for (const name of tops) if (!isOurs(name) && !isOfFilesystem(name)) orphan.add(name)
  for (const first of tops.filter(isOurs)) {
    if (!(await isFolder(`by-hash:${first}`, first))) continue
    const inside = (await world.names(`by-hash:${first}`)) ?? []
    for (const name of inside) if (!isOurs(name)) orphan.add(`${first}/${name}`)
    for (const second of inside.filter(isOurs)) {
      if (!(await isFolder(`by-hash:${first}/${second}`, `${first}/${second}`))) continue
      const names = (await world.names(`by-hash:${first}/${second}`)) ?? []
      const ids = names.filter((name) => /^[0-9a-f]{64}$/.test(name))
      for (const id of await world.writable(ids)) writable.add(id)
      // What was put aside was found to be wrong, and told; it is kept on purpose.
      const strangers = names.filter((name) => !ids.includes(name) && !/^[0-9a-f]{64}\.aside-/.test(name))
      for (const name of strangers) orphan.add(`${first}/${second}/${name}`)
      const rows = await world.query<{ id: string }>(
        `select encode(blob_id, 'hex') as id from blob where blob_id = any (select decode(unnest($1::text[]), 'hex'))`,
        [ids],
      )
      const known = new Set(rows.map(({ id }) => id))
      const unknown = ids.filter((id) => !known.has(id) && id !== olderEmpty)
      const files = await world.blobs(unknown)
      for (const id of unknown) orphan.add(files.has(id) ? id : `${id} (no file)`)
    }
  }
  return [...orphan.done(), ...writable.done()]
}

/** At the root of a store, which may be that of a filesystem: hidden names, ours among them, and what a mount point has by itself. */
const isOfFilesystem = (name: string): boolean => name.startsWith('.') || name === 'lost+found'

/** Counts all, keeps the first few. */
function gather(
  code: FindingCode,
  text: (count: number) => string,
): { add(name: string): void; isFull(): boolean; done(): readonly Finding[] } {
  let count = 0
  const examples: string[] = []
  return {
    add(name) {
      count += 1
      if (examples.length < examplesKept) examples.push(name)
    },
    isFull: () => examples.length >= examplesKept,
    done: () => (count === 0 ? [] : [finding(code, null, count, text(count), examples)]),
  }
}
