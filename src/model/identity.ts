// Which medium it is: the hashes of the older pipeline over the ends of a source, and what sort of carrier it looks like.
import { ObserveError } from './errors.ts'
import type { HashVersion, KindName } from './medium.ts'
import type { Range } from './world.ts'

const sector = 512
const sampleSectors = 2048
/** 1 MiB at either end. */
const sampleBytes = sector * sampleSectors

/** BLAKE3-256 over the chunks, one after the other. Ports bring it: the ground imports no package. */
export type Blake3 = (chunks: readonly Buffer[]) => Buffer

/** v0: the beginning only, an accident of October 2025. v1: both ends. v2: size, model and serial before both ends. */
export type SampledVersion = Extract<HashVersion, 'v0' | 'v1' | 'v2'>

/** What is known of a source beside its bytes. Image files have neither model nor serial. */
export interface Traits {
  readonly bytes: number
  readonly model?: string
  readonly serial?: string
}

/**
 * What must be read of a source of so many bytes. Head: the first 2,048 sectors of 512 bytes; tail: the 2,048 sectors from
 * max(0, sectors - 2048), where a last part of a sector counts as one. Of sources below 2 MiB both hold what there is, and overlap:
 * of 1,474,560 bytes the head is 0 to 1,048,576 and the tail 425,984 to 1,474,560; below 1 MiB each is the whole.
 */
export function samples(bytes: number): { readonly head: Range; readonly tail: Range } {
  const sectors = Math.ceil(bytes / sector)
  return {
    head: { start: 0, end: Math.min(bytes, sampleBytes) },
    tail: { start: Math.max(0, sectors - sampleSectors) * sector, end: bytes },
  }
}

/** As the hash wants it: spaces to one `_`, other signs dropped, 64 characters, `unknown` for none. */
export const cleanTrait = (text: string | undefined): string =>
  (text ?? '')
    .replaceAll(/ +/g, '_')
    .replaceAll(/[^A-Za-z0-9_-]/g, '')
    .slice(0, 64) || 'unknown'

/**
 * The medium_hash, 32 hex digits. `head` and `tail` are the bytes of `samples`, with zeros for sectors that cannot be read.
 * Throws ObserveError where they are not of that length: an identity of fewer bytes is the identity of something else.
 */
export function mediumHash(
  version: SampledVersion,
  traits: Traits,
  head: Buffer,
  tail: Buffer,
  blake3: Blake3,
): string {
  if (traits.bytes <= 0) throw new ObserveError('it is empty, and nothing has the identity of nothing')
  const expected = samples(traits.bytes)
  for (const [name, bytes, range] of [
    ['head', head, expected.head] as const,
    ['tail', tail, expected.tail] as const,
  ]) {
    const length = range.end - range.start
    if (bytes.length !== length) {
      throw new ObserveError(`${bytes.length} bytes of the ${name} were read in place of ${length}`)
    }
  }
  return cut(blake3(sampled(version, traits, head, tail)))
}

function sampled(version: SampledVersion, traits: Traits, head: Buffer, tail: Buffer): readonly Buffer[] {
  switch (version) {
    case 'v0':
      return [head]
    case 'v1':
      return [head, tail]
    case 'v2': {
      const { bytes, model, serial } = traits
      const text = `SIZE:${bytes}|MODEL:${cleanTrait(model)}|SERIAL:${cleanTrait(serial)}|`
      return [Buffer.from(text), head, tail]
    }
    default:
      return version satisfies never
  }
}

/** A directory is what it is declared as, wherever it is mounted. */
export const directoryHash = (name: string, blake3: Blake3): string =>
  cut(blake3([Buffer.from(`DIRECTORY:${name}`)]))

function cut(digest: Buffer): string {
  if (digest.length !== 32) throw new Error(`a BLAKE3 digest of ${digest.length} bytes`)
  return digest.toString('hex', 0, 16)
}

/** The largest floppy, 2.88 MB. */
const floppyBytes = 2_949_120
/** ISO 9660 and UDF put their volume descriptors there, one every 2,048 bytes. */
const descriptors = 32_768

/** What sort of carrier an image looks like, by its size and its first bytes (at least 64 KiB where there are so many). */
export function guessKind(bytes: number, head: Buffer): KindName {
  for (let at = descriptors; at + 6 <= Math.min(head.length, descriptors + 16 * 2048); at += 2048) {
    const word = head.toString('latin1', at + 1, at + 6)
    if (word === 'CD001' || word === 'NSR02' || word === 'NSR03') return 'optical'
  }
  // Raw sectors of a CD, 2,352 bytes each, begin with this sign; the descriptor is 24 bytes or 16 into the 17th.
  if (head.subarray(0, 12).equals(rawSync)) return 'optical'
  return bytes <= floppyBytes ? 'floppy' : 'disk'
}

const rawSync = Buffer.from('00ffffffffffffffffffff00', 'hex')
