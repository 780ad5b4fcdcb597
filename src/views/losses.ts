// What is lost of each medium, a line for each thing, and the sums.
import { volumeName } from '../model/entry.ts'
import { isLost, type Loss } from '../model/loss.ts'
import { count, counted } from '../model/counted.ts'
import { pathName, size } from './format.ts'
import { span, type Line } from './paint.ts'

/** Sums of one medium, told when its last loss has passed. */
export class LossTally {
  #counts = new Map<Loss['kind'] | 'waived', number>()
  #outside = 0
  #bytes = 0
  #isLost = false

  add(loss: Loss): void {
    const kind = loss.kind === 'volume' && !isLost(loss) ? 'waived' : loss.kind
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    if (isLost(loss)) this.#isLost = true
    if (loss.kind === 'outside' && isLost(loss)) this.#outside += loss.bytes
    if (loss.kind === 'damaged') this.#bytes += loss.bytes ?? 0
  }

  line(medium: string): Line {
    const of = (kind: Loss['kind'] | 'waived'): number => this.#counts.get(kind) ?? 0
    const parts = [
      ...(of('volume') > 0 ? [`${counted(of('volume'), 'volume')} not read whole`] : []),
      ...(of('names') > 0 ? [`names may be missing in ${counted(of('names'), 'place')}`] : []),
      ...(of('damaged') > 0
        ? [`${counted(of('damaged'), 'file')} damaged (${count(this.#bytes)} bytes)`]
        : []),
      ...(of('failed') > 0 ? [`${counted(of('failed'), 'file')} failed`] : []),
      ...(this.#outside > 0 ? [`${count(this.#outside)} bytes unread outside of files that are known`] : []),
      ...(of('waived') > 0 ? [`${counted(of('waived'), 'volume')} waived`] : []),
      ...(of('excluded') > 0 ? [`${counted(of('excluded'), 'file')} left out by rule`] : []),
    ]
    const unknown = parts.length > 0 ? 'more may be' : 'it is not known whether anything is lost'
    const end =
      of('unknown') > 0 ? [...parts, unknown] : this.#isLost || parts.length > 0 ? parts : ['nothing is lost']
    return [span('bold', medium), `  ${end.join(', ')}`]
  }
}

const wide = 10

export function lossLine(loss: Loss): Line {
  const kind = `  ${loss.kind.padEnd(wide)}`
  switch (loss.kind) {
    case 'volume': {
      const place = volumeName(loss.fs)
      return [
        span('doubt', kind),
        `${place} (${loss.type ?? 'no filesystem that is known'}) ${loss.outcome}: ${loss.text}`,
      ]
    }
    case 'names':
      return [span('bad', kind), `${named(loss.path)}  ${loss.text}`]
    case 'damaged':
      return [span('bad', kind), `${named(loss.path)}  of ${count(loss.size)} bytes, ${loss.text}`]
    case 'failed':
      return [span('bad', kind), `${named(loss.path)}  ${loss.text}`]
    case 'excluded':
      return [span('dim', kind), `${named(loss.path)}  ${size(loss.size)}, by ${loss.text}`]
    case 'outside':
      return [
        span(loss.isHarmless ? 'dim' : 'doubt', kind),
        `${count(loss.bytes)} bytes unread: ${loss.text}`,
      ]
    case 'unknown':
      return [span('doubt', kind), loss.text]
    default:
      return loss satisfies never
  }
}

const named = (path: string): string => (path === '' ? '(the root)' : pathName(Buffer.from(path, 'latin1')))
