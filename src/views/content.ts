// One content: how large, whether it is there, when it was last read back, and the files that hold it.
import { count, counted } from '../model/counted.ts'
import { age, pad, pathName, readable, wrap } from './format.ts'
import { instant } from '../model/instant.ts'
import { command, render, span, type Line, type Manner, type Style } from './paint.ts'

/** What is known of a content; the document of `ntt why HASH --json`. */
export interface Content {
  readonly blob: string
  /** As the database knows it. */
  readonly size: number
  /** ISO 8601, UTC. */
  readonly stored_at: string
  readonly place: string
  /** Bytes of its file in the store; null: it is not there. */
  readonly found: number | null
  /** The last time that it was read and was what its name says, or its part of the store was; null: never since it was stored. */
  readonly read_back: {
    readonly at: string
    readonly run: string | null
    /** The medium with which it was read; null: with its part of the store. */
    readonly with: string | null
  } | null
  /** Proofs that failed over it, and nothing has mended since. */
  readonly bad: readonly { readonly medium: string; readonly at: string; readonly run: string }[]
  readonly files: number
  /** Of those: files that were not read in full, so that this content has zeros where theirs could not be read. */
  readonly damaged: number
  readonly media: number
  /** The first of its paths, as one char for each byte. */
  readonly paths: readonly { readonly medium: string; readonly path: string }[]
}

const nameWidth = 12

export function contentText(told: Content, nowMs: number, manner: Manner): string {
  const row = (name: string, text: string, style?: Style): readonly Line[] =>
    wrap(text, manner.width - nameWidth - 2).map((part, place): Line => [
      span('dim', `  ${pad(place === 0 ? name : '', nameWidth)}`),
      style === undefined ? part : span(style, part),
    ])
  const { blob, size, stored_at, place, found, read_back: read, bad, files, damaged, media, paths } = told
  const when = (at: string): string => `${instant(at)} UTC (${age(at, nowMs)})`
  const left = files - paths.length
  return render(
    [
      [span('bold', `content ${blob}`)],
      ...row('size', counted(size, 'byte')),
      ...row('stored', when(stored_at)),
      ...(found === size
        ? row('store', readable(place))
        : found === null
          ? row('store', `not there: ${readable(place)}`, 'bad')
          : row('store', `${counted(found, 'byte')} there: ${readable(place)}`, 'bad')),
      ...row(
        'read back',
        read === null
          ? 'never since it was stored'
          : `${when(read.at)}, ${read.with === null ? '' : `with ${readable(read.with)}, `}run ${read.run ?? 'unknown'}`,
      ),
      ...bad.flatMap(({ medium, at, run }) =>
        row(
          'bad',
          `a proof of ${readable(medium)} failed over it, ${when(at)}, run ${run}: ${command(`apply ${medium}`, manner)}`,
          'bad',
        ),
      ),
      ...(damaged === 0
        ? []
        : row(
            'damaged',
            `${damaged === files ? 'it' : `in ${counted(damaged, 'file')} it`} is what could be read of ${damaged === 1 ? 'a file' : 'files'}, with zeros for the rest: ${command('losses', manner)}`,
            'bad',
          )),
      ...row('held by', `${counted(files, 'file')} of ${counted(media, 'medium', 'media')}`),
      ...paths.flatMap(({ medium, path }) =>
        row('', `${readable(medium)}: ${pathName(Buffer.from(path, 'latin1'))}`),
      ),
      ...(left > 0 && paths.length > 0 ? row('', `and ${count(left)} more`) : []),
    ],
    manner,
  )
}
