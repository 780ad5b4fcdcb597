// What a rebuild found before it begins, and what it cannot bring back.
import { counted } from '../model/counted.ts'
import { render, span, type Line, type Manner } from './paint.ts'

export interface Rebuilding {
  /** Archives whose manifests were read. */
  readonly archives: number
  /** Archives that say something else than their name, or nothing. */
  readonly strange: readonly string[]
  /** Media whose files were lost, and are written again. */
  readonly written: readonly string[]
  /** Media whose sources are away: their archives tell which media they are. */
  readonly named: readonly string[]
  /** Enumerations of which nothing tells the medium. */
  readonly strangers: readonly string[]
  /** Where the old log is kept. */
  readonly log: readonly string[]
}

export function rebuildText(told: Rebuilding, manner: Manner): string {
  const { archives, strange, written, named, strangers, log } = told
  const doubt = (text: string): Line => ['  ', span('doubt', '-'), `  ${text}`]
  const plain = (text: string): Line => [`     ${text}`]
  return render(
    [
      [`Read the manifests of ${counted(archives, 'archive')}.`],
      ...named.map((name) => plain(`${name}: its source is away; its archive says which medium it is`)),
      ...written.map((name) => plain(`${name}: its file was lost; media.d/${name}.yaml is written again`)),
      ...strange.map((text) => doubt(`not used: ${text}`)),
      ...strangers.map((name) => doubt(`${name}: neither a file of media.d nor an archive tells its medium`)),
      ...log.map((path) => plain(`the old log is kept as ${path}`)),
      [''],
      [
        'Not brought back: the history of proofs and runs, when what was last read back, and attempts that failed.',
      ],
      ['Everything else is proven anew:'],
      [''],
    ],
    manner,
  )
}
