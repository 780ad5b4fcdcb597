// Which medium a declaration is about: declared, remembered, or worked out from the ends of its source.
import type { Known } from './identify/known.ts'
import { fingerprint } from './model/canonical.ts'
import { declaredHash, nameTaken } from './model/declared.ts'
import { ObserveError } from './model/errors.ts'
import { directoryHash, guessKind } from './model/identity.ts'
import { otherThan, putIn } from './model/match.ts'
import type { Declaration, HashVersion, Identity, KindName } from './model/medium.ts'
import { imagePlace } from './model/places.ts'
import { readRange } from './model/range.ts'
import {
  blake3By,
  hashOf,
  kindByName,
  lookAtSource,
  unexpected,
  versionOf,
  volumeLabel,
  type SourceLook,
} from './model/source.ts'
import type { Unidentified } from './model/stage.ts'
import type { FileStat, Reader } from './model/world.ts'

export type Unknown = Pick<Unidentified, 'because' | 'action' | 'displaced'>

export async function identify(
  declaration: Declaration,
  world: Reader,
  known: Known,
): Promise<Identity | Unknown> {
  // Told without a look where the file says it; else when it was found out, now or when it was looked at under another name.
  const declared = declaredHash(declaration)
  const taken = declared === undefined ? null : nameTaken(declaration, declared, known)
  if (taken !== null) return refuse('wrong-medium', taken)
  const identity = await identifySource(declaration, world, known)
  if ('because' in identity) return identity
  const found = nameTaken(declaration, identity.hash, known)
  return found === null ? identity : refuse('wrong-medium', found)
}

async function identifySource(
  declaration: Declaration,
  world: Reader,
  known: Known,
): Promise<Identity | Unknown> {
  const { source } = declaration
  switch (source.type) {
    case 'directory': {
      const hash = declaration.hash ?? directoryHash(declaration.name, blake3By(world))
      const version = declaration.hash === null ? 'directory' : 'declared'
      return { hash, version, kind: 'directory', bytes: null }
    }
    case 'image':
      return identifyImage(declaration, world, known)
    case 'device':
      return identifyDevice(declaration, world, known)
    default:
      return source satisfies never
  }
}

/** What is known without looking: by declaration, by a file name of 32 hex digits, or because it was met before. */
function beforehand(
  declaration: Declaration,
  known: Known,
): (Omit<Identity, 'kind'> & { kind: KindName | null }) | null {
  const { name, kind } = declaration
  const declared = declaredHash(declaration)
  const met = known.media.find((one) => (declared === undefined ? one.name === name : one.hash === declared))
  const is = declared ?? met?.hash
  if (is === undefined) return null
  const version: HashVersion = declared === undefined ? (met?.version ?? 'v2') : 'declared'
  return { hash: is, version, kind: kind ?? met?.kind ?? null, bytes: null }
}

async function identifyImage(
  declaration: Declaration,
  world: Reader,
  known: Known,
): Promise<Identity | Unknown> {
  const { path } = declaration.source
  const before = beforehand(declaration, known)
  const stat = await world.stat(path)
  if (stat === null) {
    // Its bytes may live in our own image root or in an archive: the stages will see.
    if (before !== null) return { ...before, kind: before.kind ?? kindByName(path) }
    return unknown('source-away', `${path} is not there`)
  }
  if (stat.kind === 'directory')
    return {
      ...refuse('wrong-medium', `${path} is a directory: declare it as \`directory:\``),
      ...(before !== null && { displaced: before.hash }),
    }
  const looked = lookKey(stat, declaration)
  const cached = known.cache.get(path)
  if (cached?.looked === looked) return cached
  // First of all: of what may not be read, the program that tells labels says that there is none.
  const head = await readRange(world, path, { start: 0, end: Math.min(stat.bytes, 128 * 1024) })
  const surprise = await surpriseOf(declaration, stat, world)
  if (surprise !== null) return tellSurprise(declaration, surprise, before, world)
  const declared = before?.version === 'declared' ? before : null
  if (stat.bytes === 0 && declared === null) {
    return {
      ...refuse('incomplete', `${path} has 0 bytes: nothing of this medium is in it`),
      ...(before !== null && { displaced: before.hash }),
    }
  }
  const kind = declaration.kind ?? guessKind(stat.bytes, head)
  const identity =
    declared === null
      ? await workOut(declaration, kind, before, world)
      : { ...declared, kind, bytes: stat.bytes }
  if ('because' in identity) return identity
  known.learned({ ...identity, source: path, looked })
  return identity
}

/** What the cache is good for: this state of the source, and these wishes of the person. */
const lookKey = ({ bytes, mtimeNs, ino }: FileStat, { expect, hash, kind }: Declaration): string =>
  fingerprint({ bytes, mtimeNs, ino, expect, hash, kind })

async function surpriseOf(
  { expect, source }: Declaration,
  stat: FileStat,
  world: Reader,
): Promise<string | null> {
  const { model: _model, serial: _serial, ...ofFiles } = expect
  const label = expect.volume === undefined ? null : await volumeLabel(source.path, world)
  return unexpected(ofFiles, { bytes: stat.bytes, model: null, serial: null }, label)
}

/** Another medium lies there; or the very one, and it is its file that says something else of it by now. */
async function tellSurprise(
  { source, file }: Declaration,
  surprise: string,
  before: Pick<Identity, 'hash' | 'version'> | null,
  world: Reader,
): Promise<Unknown> {
  const is = before === null ? null : await isStill(source.path, before, world)
  if (before !== null && is === true)
    return refuse(
      'wrong-medium',
      `${source.path} is the medium ${before.hash}, and ${file} expects another: ${surprise}; correct \`expect\` there if it is the right one`,
    )
  return {
    ...refuse('wrong-medium', `${source.path} is another medium: ${surprise}`),
    ...(before !== null && is === false && { displaced: before.hash }),
  }
}

/** By its bytes. null: they do not tell, a person made its hash up. */
async function isStill(
  path: string,
  { hash, version }: Pick<Identity, 'hash' | 'version'>,
  world: Reader,
): Promise<boolean | null> {
  const look = await lookAtSource(path, world)
  if (look === null) throw new ObserveError(`${path} went away while it was looked at`)
  if (look.bytes === 0) return false
  return versionOf(look, hash, blake3By(world)) !== null || (version === 'declared' ? null : false)
}

/** `before`: what the catalogue knows under this name; another image in its place is no longer that medium. */
async function workOut(
  { source, name }: Declaration,
  kind: KindName,
  before: Pick<Identity, 'hash' | 'version'> | null,
  world: Reader,
): Promise<Identity | Unknown> {
  const look = await lookAtSource(source.path, world)
  if (look === null) throw new ObserveError(`${source.path} went away while it was looked at`)
  const blake3 = blake3By(world)
  if (before !== null && versionOf(look, before.hash, blake3) !== null) {
    return { ...before, kind, bytes: look.bytes }
  }
  // An image has neither model nor serial, whatever lay in the drive that it was read from.
  const hash = hashOf(look, false, blake3)
  if (before !== null) {
    const advice = `give it a name of its own, or write \`medium_hash: ${before.hash}\` if it is`
    return {
      ...refuse(
        'other-image',
        `${source.path} is not the medium that ${name} was (${before.hash}): ${advice}`,
      ),
      ...(before.version !== 'declared' && { displaced: before.hash }),
    }
  }
  return { hash, version: 'v2', kind, bytes: look.bytes }
}

async function identifyDevice(
  declaration: Declaration,
  world: Reader,
  known: Known,
): Promise<Identity | Unknown> {
  const { path } = declaration.source
  const before = beforehand(declaration, known)
  const asBefore = before === null ? null : { ...before, kind: before.kind ?? kindByName(path) }
  // What is imaged already is not asked of a drive that may hold another disc by now.
  if (asBefore !== null && (await world.stat(imagePlace(asBefore))) !== null) return asBefore
  const look = await lookAtSource(path, world)
  if (look === null)
    return (
      asBefore ??
      unknown('source-away', `${path} is not there, or nothing is in it; ${putIn(declaration.name, path)}`)
    )
  const kind = declaration.kind ?? before?.kind ?? kindOf(look, path)
  if (before !== null) {
    const identity = { ...before, kind, bytes: look.bytes }
    const other = await otherThan({ ...declaration, ...identity }, look, world)
    // The stage that would read it tells what lies there instead; what is done already does not depend on it.
    return other === null ? identity : { ...identity, bytes: null }
  }
  if (look.bytes === 0) return refuse('source-away', `${path} has 0 bytes`)
  if (look.isBlind) {
    throw new ObserveError(`${path} cannot be read where its identity lies, in its first and last MiB`, {
      hint: 'To read it all the same, give it an identity of your own: `medium_hash:` with 32 hex digits.',
    })
  }
  const label = declaration.expect.volume === undefined ? null : await volumeLabel(path, world)
  const surprise = unexpected(declaration.expect, look, label)
  if (surprise !== null) return awaited(declaration, tellOther(path, surprise, look, world, known))
  const hash = hashOf(look, known.isDrive(kind), blake3By(world))
  // A medium whose file was renamed is still met under its old name, which nobody declares any more.
  const named = new Set(known.declared.map(({ name }) => name))
  const media = known.media.filter((one) => one.name !== null && named.has(one.name))
  const owner = ownerOf(look, world, { declared: known.declared, media })
  if (owner !== null && owner !== declaration.name) {
    return awaited(declaration, `what is in ${path} is ${owner} already (medium ${hash})`)
  }
  return { hash, version: 'v2', kind, bytes: look.bytes }
}

const kindOf = (look: SourceLook, path: string): KindName => {
  if (look.isRom || kindByName(path) === 'optical') return 'optical'
  return kindByName(path) === 'floppy' ? 'floppy' : guessKind(look.bytes, look.head)
}

function tellOther(path: string, surprise: string, look: SourceLook, world: Reader, known: Known): string {
  const owner = look.bytes === 0 ? null : ownerOf(look, world, known)
  return `what is in ${path} is another medium: ${surprise}${owner === null ? '' : `. It is ${owner}`}`
}

/** The name of the declared or known medium that a source is, by any of the hashes it may have. */
function ownerOf(look: SourceLook, world: Reader, known: Pick<Known, 'media' | 'declared'>): string | null {
  const blake3 = blake3By(world)
  const candidates = [
    ...known.declared.flatMap(({ name, hash }) => (hash === null ? [] : [{ name, hash }])),
    ...known.media.flatMap(({ name, hash }) => [{ name: name ?? hash, hash }]),
  ]
  return candidates.find(({ hash }) => versionOf(look, hash, blake3) !== null)?.name ?? null
}

const unknown = (code: Unknown['because']['code'], text: string): Unknown => ({
  because: { code, text },
  action: 'unknown',
})
const awaited = ({ name, source }: Declaration, text: string): Unknown =>
  refuse('wrong-medium', `${text}; ${putIn(name, source.path)}`)
const refuse = (code: Unknown['because']['code'], text: string): Unknown => ({
  because: { code, text },
  action: 'refuse',
})
