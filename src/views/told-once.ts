// A long reason that many media share (a root that is away, a database that does not answer) is told with the first of them.
import type { Lane, Step } from '../model/stage.ts'

/** Shorter ones cost no more than saying that they are the same. */
const long = 100

export function toldOnce(lanes: readonly Lane[]): readonly Lane[] {
  const first = new Map<string, string>()
  return lanes.map((lane) => ({
    ...lane,
    steps: lane.steps.map((step): Step => {
      const { code, text } = step.because
      if (text.length < long) return step
      const before = first.get(text)
      if (before === undefined) {
        first.set(text, lane.medium)
        return step
      }
      const same = before === lane.medium ? 'the same' : `the same as of ${before}`
      return { ...step, because: { code, text: same } }
    }),
  }))
}
