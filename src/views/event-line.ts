// What one event says as a line, for those who read lines.
import { mismatch } from '../model/check.ts'
import { count, counted } from '../model/counted.ts'
import type { Event } from '../model/event.ts'
import { duration, pathName, readable, size } from './format.ts'
import { span, typed, type Line, type Manner } from './paint.ts'

/** What one event says; null for those that say nothing in this form. */
export function lineOf(event: Event, verbose: boolean, dated: boolean, manner: Manner): Line | null {
  switch (event.type) {
    case 'run.started':
      return dated
        ? [
            span('bold', `run ${readable(event.run)}`),
            readable(` on ${event.host}: ntt ${event.arguments.join(' ')}`),
          ]
        : null
    case 'plan.ready':
    case 'step.progress':
    case 'run.finished':
      return null
    case 'step.started':
      return [
        event.action === 'prove' ? 'verifying: ' : 'starts: ',
        readable(typed(event.because.text, manner)),
      ]
    case 'step.verifying':
      return verbose ? [span('dim', `verifying at depth ${event.depth}`)] : null
    case 'step.line':
      if (event.notable === true) return [readable(event.text)]
      return verbose ? [span('dim', `| ${readable(event.text)}`)] : null
    case 'step.checked':
      return verbose
        ? [`${event.check.ok ? 'ok' : 'not ok'}: ${event.check.name} ${readable(event.check.actual)}`]
        : null
    case 'step.lost':
      return [
        span(
          'doubt',
          `${counted(event.lost.files, 'file')} lost in whole or in part, ${size(event.lost.bytes)}`,
        ),
      ]
    case 'step.done': {
      const word = event.action === 'run' ? 'done and proven' : 'proven'
      const figures = figuresText(event.figures)
      return [span('good', word), ` in ${duration(event.durationSec)}${figures === '' ? '' : `: ${figures}`}`]
    }
    case 'step.failed': {
      const hint = event.hint === undefined ? '' : `   next: ${readable(typed(event.hint, manner))}`
      const word = event.tag === 'interrupted' ? span('doubt', 'interrupted: ') : span('bad', 'failed: ')
      return [word, `${readable(event.message)}${hint}`]
    }
    case 'step.contradicted':
      return [span('bad', 'contradicted: '), readable(mismatch(event.check))]
    case 'step.held':
      if (event.action === 'keep')
        return [span('good', 'met meanwhile: '), readable(typed(event.because.text, manner))]
      return event.action === 'wait'
        ? [span('dim', readable(typed(event.because.text, manner)))]
        : [
            span('doubt', event.action === 'refuse' ? 'refused: ' : 'unknown: '),
            readable(typed(event.because.text, manner)),
          ]
    case 'medium.waiting':
      return event.text === '' ? null : [span('doubt', 'waiting: '), readable(event.text)]
    case 'store.read':
      return [`store: ${counted(event.blobs, 'content')}, ${size(event.bytes)} read back`]
    case 'store.bad':
      return [span('bad', `store: ${event.blob} ${readable(event.text)}`), holders(event)]
    case 'run.stopping':
      return [span('doubt', readable(event.text))]
    default:
      return event satisfies never
  }
}

const pathsOfBad = 3

/** Whose content it is: by paths, as far as they are known, else by names of media. */
function holders({ media, paths }: Extract<Event, { type: 'store.bad' }>): string {
  const named =
    paths.length > 0 ? paths.map((path) => pathName(Buffer.from(path, 'latin1'))) : media.map(readable)
  if (named.length === 0) return ''
  // Of each medium one path is told, and of the first hundred media only.
  const rest = media.length - pathsOfBad
  return ` (of ${named.slice(0, pathsOfBad).join(', ')}${rest > 0 ? `, and ${count(rest)} more media` : ''})`
}

/** `records 1,161, bytes 1.4 MB`, in the order in which the stage gave them. */
const figuresText = (figures: Readonly<Record<string, number>>): string =>
  Object.entries(figures)
    // What there is none of is not worth its words on a line.
    .filter(([, value]) => value !== 0)
    .map(([name, value]) =>
      name.endsWith('bytes') ? `${readable(name)} ${size(value)}` : `${readable(name)} ${count(value)}`,
    )
    .join(', ')
    .replaceAll('_', ' ')
