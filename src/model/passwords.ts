// Passwords in what was typed: they are shown and written down nowhere.

/** Words from a command line, with the passwords of all URLs in them left out. */
export const withoutPasswords = (words: readonly string[]): readonly string[] =>
  words.map((word) =>
    word.replace(/(:\/\/[^:@/?#\s]*):[^/?#\s]*@/g, '$1:…@').replace(/([?&]password=)[^&\s]*/g, '$1…'),
  )
