// gitignore patterns: what is wrong with one. git itself passes over these in silence, and then excludes nothing.

/** Why a pattern can never do what its writer means, with what to write instead; null where it is sound. */
export function patternProblem(pattern: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000\n\r]/.test(pattern)) return 'a pattern is one line: write each as its own item'
  if (pattern.trim() === '') return 'an empty pattern excludes nothing'
  if (pattern.startsWith('#'))
    return `this is a comment to gitignore: write "\\${pattern}" for names that begin with #`
  if (/(^|[^\\])(\\\\)*\\$/.test(pattern)) return 'a backslash at the end escapes nothing'
  if (/(^|[^\\])(\\\\)* +$/.test(pattern))
    return 'spaces at the end are ignored: write a backslash before each that is meant'
  const body = pattern.replace(/^!/, '')
  if (body === '' || /^\/+$/.test(body)) return 'there is no name in it'
  if (/^\.{1,2}\/|\/\.{1,2}(\/|$)|^\.{1,2}$|\/\//.test(body))
    return 'paths begin at the filesystem\'s root and have no ".", ".." or "//" in them'
  return bracketProblem(body)
}

/** What is wrong with the first unsound character class. */
function bracketProblem(pattern: string): string | null {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') at += 1
    else if (pattern[at] === '[') {
      const inside = /^\[[!^]?((?:\]|\\.|\[:[a-z]+:\]|[^\]\\])(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]/.exec(
        pattern.slice(at),
      )
      if (inside === null) return 'a "[" without its "]": write "\\[" for a name with a bracket in it'
      for (const [range, from = '', to = ''] of (inside[1] ?? '').matchAll(/([^\\[\]])-([^\\[\]])/g)) {
        if (from > to) return `the range ${range} runs backwards`
      }
      at += inside[0].length - 1
    }
  }
  return null
}
