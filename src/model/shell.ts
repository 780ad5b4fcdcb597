// Words as a shell takes them for one: for commands that are told and typed as they stand.

/** The word itself where a shell does nothing with it, else between single quotes. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
