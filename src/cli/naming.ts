// A medium's name out of what people or drives call it: what a file name in media.d may hold, and nothing else.

/** Lower case, letters and digits of ASCII and `. _ + -`, at most 60; empty where nothing of that is left. */
export const nameOf = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._+-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 60)
