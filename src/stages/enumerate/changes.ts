// How two enumerations of a medium differ: what is changed, new or gone, counted, and the first few by path.
import { createHash } from 'node:crypto'
import { count } from '../../model/counted.ts'
import type { Entry } from '../../model/entry.ts'
import type { RawRecord } from '../../model/raw/index.ts'

type Records = AsyncIterable<readonly RawRecord[]>

/** So many records are held against each other; of more it is said that nobody compared them. */
const mostEntries = 1_000_000
const namesKept = 3

/**
 * A sentence; empty where the entries are the same. `before` is gone through twice: what is gone is named the second time. No more
 * than `most` entries are held, whatever either has.
 */
export async function changesOf(before: () => Records, after: Records, most = mostEntries): Promise<string> {
  const tooMany = `more than ${count(most)} entries, which are not compared by path`
  const known = new Map<number, number>()
  for await (const [fs, entry] of entriesOf(before())) {
    if (known.size === most) return tooMany
    known.set(keyOf(fs, entry), factsOf(entry))
  }
  const [changed, folders, added, gone] = [new Named(), new Named(), new Named(), new Named()]
  let met = 0
  for await (const [fs, entry] of entriesOf(after)) {
    met += 1
    if (met > most) return tooMany
    const key = keyOf(fs, entry)
    const facts = known.get(key)
    known.delete(key)
    if (facts === undefined) added.take(entry)
    else if (facts !== factsOf(entry)) (entry.type === 'd' ? folders : changed).take(entry)
  }
  if (known.size > 0)
    for await (const [fs, entry] of entriesOf(before())) if (known.has(keyOf(fs, entry))) gone.take(entry)
  const told = [changed.told('changed'), added.told('new'), gone.told('gone')].filter((text) => text !== '')
  // A directory changes with what lies in it; by itself it is told only where nothing else is.
  return told.length > 0 ? told.join(', ') : folders.told('changed')
}

async function* entriesOf(records: Records): AsyncGenerator<readonly [fs: number, entry: Entry]> {
  for await (const batch of records)
    for (const record of batch) if ('entry' in record) yield [record.fs, record.entry]
}

/** 48 bits of a digest: among a million names two are the same once in 500 times, and then one less is told. */
const digest = (...parts: readonly (string | Buffer)[]): number => {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest().readUIntBE(0, 6)
}

const keyOf = (fs: number, { path }: Entry): number => digest(`${fs} `, path)
const factsOf = ({ type, ino, nlink, size, mtimeNs, mode, uid, gid, rdev, target }: Entry): number =>
  digest([type, ino, nlink, size, mtimeNs, mode, uid, gid, rdev].join(' '), target ?? '')

/** Counts all, names the first few. */
class Named {
  #count = 0
  readonly #names: string[] = []
  take({ path }: Entry): void {
    this.#count += 1
    if (this.#names.length < namesKept) this.#names.push(path.length === 0 ? '.' : path.toString('utf8'))
  }
  told(what: string): string {
    if (this.#count === 0) return ''
    return `${count(this.#count)} ${what} (${this.#names.join(', ')}${this.#names.length < this.#count ? ', …' : ''})`
  }
}
