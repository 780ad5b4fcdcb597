// ntt cat: the content of one file of a medium, to stdout, after the store's copy of it was read and is what its name says.
import { once } from 'node:events'
import { ObserveError, UsageError, VerifyError, type ExitCode } from '../model/errors.ts'
import { blobPlace } from '../model/places.ts'
import { needRoot } from '../model/store.ts'
import { typedPath } from '../model/typed-path.ts'
import type { Reader } from '../model/world.ts'
import { pathName, readable } from '../views/format.ts'
import { command } from '../views/paint.ts'
import type { Flags } from './flags.ts'
import { entriesAt, knownMedia, knownAs, type AtPath } from './rows.ts'
import { openVerb } from './verb.ts'

/** Why there is no content, by the state of an outcome. */
const left: Readonly<Record<string, string>> = {
  x: 'it was left out, by the pattern',
  d: 'none of it could be read',
  e: 'it could not be read',
}

/** 0: the whole content. 2: what there is of it, or nothing; the rest was never read of the medium, and zeros stand there. */
export async function catVerb([medium = '', typed = '']: readonly string[], flags: Flags): Promise<ExitCode> {
  if (flags.json === true) throw new UsageError('a content is no document: ntt cat has no --json')
  const [, name = medium, partition] = /^(.+)\/(\d+)$/.exec(medium) ?? []
  await using verb = await openVerb(flags, { writes: false, named: [name] })
  const { session, manner } = verb
  const { database, media, isLoaded } = await knownMedia(verb)
  const known = knownAs(name, media, verb.declarations)
  if (known === null || !(await isLoaded(known)))
    throw new ObserveError(`${name} is not loaded: nobody knows its files`)
  const path = typedPath(typed)
  const rows = await entriesAt(path, known, database)
  const shown = pathName(path)
  const entry = only(
    partition === undefined ? rows : rows.filter(({ fs }) => fs === Number(partition)),
    `${medium} has no ${shown}`,
    command(`find '*' ${name}`, manner),
  )
  if (entry.type === 'l') throw new UsageError(`${shown} is a link to ${pathName(entry.target)}`)
  if (entry.type !== 'f') throw new UsageError(`${shown} is no file`)
  const { blob, state, detail } = entry
  if (blob === null) {
    const why =
      state === null
        ? `it is not copied yet: ${command(`plan ${name}`, manner)}`
        : `${left[state] ?? 'nobody knows why'}${detail === null ? '' : `: ${detail}`}`
    process.stderr.write(`Nothing is stored of ${shown}: ${readable(why)}\n`)
    return 2
  }
  const query: Reader['query'] = (sql, params) => database.query(sql, params)
  const world = session.eyes.reader(name)
  await needRoot('by-hash', query, world)
  const mend = [`verify --depth hash ${name}`, `apply ${name}`].map((words) => command(words, manner))
  await writeBlob(blob, world, mend.join(', then '))
  if (state === 'b') return 0
  process.stderr.write(
    `${shown} is damaged: zeros stand where the medium could not be read (${readable(detail ?? '')})\n`,
  )
  return 2
}

function only(rows: readonly AtPath[], none: string, look: string): AtPath {
  const [first, other] = rows
  if (first === undefined) throw new UsageError(none, { hint: `What it has: ${look}` })
  if (other === undefined) return first
  const partitions = new Set(rows.map(({ fs }) => fs))
  if (partitions.size === rows.length)
    throw new UsageError('more than one partition has that path', {
      hint: `Name it behind the medium: ${[...partitions].map((fs) => `MEDIUM/${fs}`).join(', ')}`,
    })
  throw new UsageError('a damaged directory holds that path more than once', {
    hint: 'ntt find shows their contents; ntt why HASH where each one lies.',
  })
}

/** Nothing is written before all of it was read and is good; what is written is held against its name once more. */
async function writeBlob(blob: string, world: Reader, mend: string): Promise<void> {
  const place = blobPlace(blob)
  const bad = (text: string): VerifyError =>
    new VerifyError(`the content ${blob} ${text}`, {
      hint: `To have it mended: ${mend}`,
    })
  if ((await world.stat(place)) === null) throw bad('is not in the store')
  if ((await world.digest(place)).blake3 !== blob)
    throw bad('is not what its name says: its file has changed')
  const hasher = world.hasher()
  for await (const chunk of world.read(place)) {
    hasher.update(chunk)
    // What was handed over may be used again before it has left.
    process.stdout.write(Buffer.from(chunk))
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
  }
  if (hasher.digest().blake3 !== blob) throw bad('changed while it was read: what was written is not it')
}
