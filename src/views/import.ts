// What was taken over of the older pipeline: a line for each medium as it is looked at, and the sum of them.
import { sortings, type Imported, type OlderBlobs, type Sorting } from '../model/older.ts'
import { count, counted } from '../model/counted.ts'
import { pad, readable } from './format.ts'
import { render, span, type Line, type Manner, type Style } from './paint.ts'

const words: Readonly<Record<Sorting, { readonly style: Style; readonly meaning: string }>> = {
  complete: { style: 'good', meaning: 'every file has a content or a reason' },
  'copied-in-part': { style: 'bad', meaning: 'files have no content in the store, and no reason' },
  'loaded-in-part': { style: 'bad', meaning: 'its database holds a part of the enumeration' },
  'never-loaded': { style: 'bad', meaning: 'its database holds nothing of them' },
}
const told = (sorting: Sorting): string => pad(sorting.replaceAll('-', ' '), 14)

export function importLine(one: Imported, manner: Manner): string {
  const name = (text: string): string => pad(readable(text), 32)
  if ('unknown' in one)
    return render([[`  ${name(one.hash)}  `, span('doubt', `? ${readable(one.unknown)}`)]], manner)
  const { sorting, tally, lost, paths, raw } = one
  const records = raw === null || raw === 'damaged' ? null : raw.records
  const what = {
    complete: `${counted(tally.files, 'file')}${tally.excluded === 0 ? '' : `, ${count(tally.excluded)} of them excluded`}`,
    'copied-in-part': `${count(lost)} of ${counted(tally.files, 'file')} without content and reason`,
    'loaded-in-part': `${count(paths)} of ${records === null ? 'unknown many' : count(records)} entries`,
    'never-loaded':
      records === null ? 'nothing tells what it holds' : `${counted(records, 'entry', 'entries')} enumerated`,
  }[sorting]
  const lines: Line[] = [
    [`  ${name(one.medium ?? one.hash)}  `, span(words[sorting].style, told(sorting)), `  ${what}`],
  ]
  if (one.note !== null) lines.push([`      ${readable(one.note)}`])
  return render(lines, manner)
}

interface ImportEnd {
  readonly database: string
  readonly blobs: OlderBlobs | null
  readonly settings: string | null
}

export function importText(
  imported: readonly Imported[],
  { database, blobs, settings }: ImportEnd,
  manner: Manner,
): string {
  const seen = imported.flatMap((one) => ('unknown' in one ? [] : [one]))
  const unknown = imported.length - seen.length
  const written = seen.filter(({ isNew }) => isNew).length
  const groups = sortings.flatMap((sorting): readonly Line[] => {
    const own = seen.filter((one) => one.sorting === sorting)
    if (own.length === 0) return []
    const lost = own.reduce((sum, one) => sum + one.lost, 0)
    const meaning =
      sorting === 'copied-in-part' ? `${count(lost)} ${words[sorting].meaning}` : words[sorting].meaning
    return [[`${count(own.length).padStart(6)} `, span(words[sorting].style, told(sorting)), `  ${meaning}`]]
  })
  const beside = settings === null ? '' : `, and ${settings} says where the files lie`
  return render(
    [
      [],
      [
        `Looked at ${counted(imported.length, 'medium', 'media')} of ${readable(database)}. Nothing of it was changed, no flag was believed.`,
      ],
      [],
      ...groups,
      ...(unknown === 0
        ? []
        : [
            [
              `${count(unknown).padStart(6)} `,
              span('doubt', pad('unknown', 14)),
              '  could not be looked at',
            ] as Line,
          ]),
      ...(blobs === null
        ? []
        : [
            [
              `${count(blobs.missing).padStart(6)} of ${counted(blobs.rows, 'content')} of its table are not in the store${blobs.missing === 0 ? '' : `: ${readable(blobs.examples[0] ?? '')}${blobs.missing > 1 ? ' …' : ''}`}`,
            ] as Line,
          ]),
      [],
      [
        `${counted(written, 'file was', 'files were')} written in media.d${beside}. Nothing counts before ntt has proven it.`,
      ],
      ['To see what is lost, by path, run:'],
      ['    ntt audit'],
      ['To see what ntt would do about it, run:'],
      ['    ntt plan'],
    ],
    manner,
  )
}
