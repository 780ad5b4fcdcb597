// The findings of an audit, grouped by what they are, with counts, names and the first paths.
import { findingCodes, type Finding, type FindingCode } from '../model/finding.ts'
import { count as thousands, counted } from '../model/counted.ts'
import { pathName, wrap } from './format.ts'
import { command, render, span, type Line, type Manner } from './paint.ts'

const marks: Readonly<Record<FindingCode, 'bad' | 'doubt' | 'dim'>> = {
  'false-claim': 'bad',
  'failed-proof': 'bad',
  'other-image': 'doubt',
  'missing-product': 'bad',
  displaced: 'bad',
  'missing-beyond': 'doubt',
  'copied-in-part': 'bad',
  'not-met': 'doubt',
  'name-taken': 'doubt',
  'same-medium': 'doubt',
  unexpected: 'doubt',
  undeclared: 'doubt',
  'never-loaded': 'bad',
  'loaded-in-part': 'bad',
  'foreign-rows': 'bad',
  'archived-over-nothing': 'bad',
  'orphan-raw': 'doubt',
  'orphan-archive': 'doubt',
  'orphan-partition': 'doubt',
  'missing-blob': 'bad',
  'wrong-size-blob': 'bad',
  'orphan-blob': 'doubt',
  writable: 'doubt',
  unclaimed: 'dim',
}

export function auditText(
  findings: readonly Finding[],
  looked: { readonly media: number; readonly seconds: string },
  manner: Manner & { readonly verbose: boolean },
): string {
  const codes = Object.keys(findingCodes).filter((code): code is FindingCode => code in findingCodes)
  const groups = codes.flatMap((code) => {
    const own = findings.filter((finding) => finding.code === code)
    return own.length === 0 ? [] : [{ code, own }]
  })
  const text = `Looked at ${counted(looked.media, 'medium', 'media')} and the stores in ${looked.seconds}. Nothing was written, no flag was believed.`
  const head = wrap(text, manner.width).map((part): Line => [part])
  const body = groups.flatMap(({ code, own }): readonly Line[] => [
    [''],
    [span(marks[code], `${code}`), `  ${findingCodes[code]}: ${thousands(own.length)}`],
    ...own.flatMap((finding) => told(finding, manner.verbose)),
  ])
  const end: Line = [
    findings.length === 0
      ? 'Database, stores and claims agree.'
      : [`${counted(findings.length, 'finding')}.`, ...wayOut(findings, manner)].join(' '),
  ]
  return render([...head, ...body, [''], end], manner)
}

const byHand: readonly FindingCode[] = [
  'displaced',
  'missing-beyond',
  'writable',
  'name-taken',
  'same-medium',
  'unexpected',
]

/** Modes, names and what belongs to no medium are put right by a person alone. */
function wayOut(findings: readonly Finding[], manner: Manner): readonly string[] {
  const mendable = findings.filter(({ code }) => !byHand.includes(code) && !code.startsWith('orphan-'))
  if (mendable.length === 0) return []
  const what =
    mendable.length < findings.length
      ? 'what can be mended'
      : findings.length === 1
        ? 'what would mend it'
        : 'what would mend them'
  // A plan does not look at each content: a verification tells whose it is, and then the plan knows.
  const isOfContents = mendable.some(({ code }) => code === 'missing-blob' || code === 'wrong-size-blob')
  return isOfContents
    ? [
        `${command('verify', manner)} finds the media that hold such contents; ${command('plan', manner)} then shows ${what}.`,
      ]
    : [`${command('plan', manner)} shows ${what}.`]
}

function told({ medium, hash, text, count, examples }: Finding, verbose: boolean): readonly Line[] {
  const shown = examples.slice(0, verbose ? examples.length : 3)
  const rest = count - shown.length
  return [
    [
      `  ${medium ?? hash ?? 'store'}${medium !== null && hash !== null ? ` (${hash.slice(0, 8)})` : ''}: ${text}`,
    ],
    ...shown.map((path): Line => [`      ${pathName(Buffer.from(path, 'latin1'))}`]),
    ...(shown.length > 0 && rest > 0 ? [[`      and ${thousands(rest)} more`]] : []),
  ]
}
