// A long reason that many media share (a root that is away, a database that does not answer) is told with the first of them.

/** Shorter ones cost no more than saying that they are the same. */
const long = 100

/** To be asked for each reason in the order in which they are shown, and for no other. */
export function toldOnce(): (medium: string, text: string) => string {
  const first = new Map<string, string>()
  return (medium, text) => {
    if (text.length < long) return text
    const before = first.get(text)
    if (before === undefined) first.set(text, medium)
    return before === undefined ? text : before === medium ? 'the same' : `the same as of ${before}`
  }
}
