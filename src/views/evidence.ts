// What became of the evidence: what was read, what is told of it, and every place where it does not hold.
import type { Evidence } from '../model/evidence.ts'
import { count, counted } from '../model/counted.ts'
import { render, span, type Line, type Manner } from './paint.ts'

const shown = 50

export function evidenceText({ proofs, sealed, open, log, head, flaws }: Evidence, manner: Manner): string {
  const lines: Line[] = [
    [
      `Read ${counted(proofs, 'proof')}, the seals of ${counted(sealed, 'run')}, and ${counted(log.lines, 'line')} of the log in ${counted(log.files.length, 'file')}.`,
    ],
    ...(open.length === 0
      ? []
      : [
          told(
            `${counted(open.length, 'run')} began and did not end (at work, killed, or broken off by an error): ${some(open)}`,
          ),
        ]),
    ...(log.torn.length === 0
      ? []
      : [
          told(
            `${counted(log.torn.length, 'line')} broken off, as a power cut or a full disk leaves them: ${some(log.torn)}`,
          ),
        ]),
    ...Object.entries(log.elsewhere).map(([host, runs]) =>
      told(`the log of ${counted(runs, 'run')} is on ${host}: run ntt verify --log there`),
    ),
    ...flaws.slice(0, shown).map(({ where, text }): Line => ['  ', span('bad', '!'), `  ${where}: ${text}`]),
    ...(flaws.length > shown
      ? [[`     and ${count(flaws.length - shown)} more: ntt verify --log --json`] as const]
      : []),
    [''],
    flaws.length === 0
      ? [span('good', 'Nothing was altered, dropped, moved or put in.')]
      : [span('bad', `The evidence does not hold in ${counted(flaws.length, 'place')}.`)],
    [span('dim', `Evidence ${head}`)],
  ]
  return render(lines, manner)
}

const told = (text: string): Line => ['  ', span('doubt', '-'), `  ${text}`]

const some = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(', ')}${names.length > 3 ? `, and ${count(names.length - 3)} more` : ''}`
