// Numbers of things as people read them, in the words of facts and of screens alike.

/** 1161 → `1,161`. */
export const count = (n: number | bigint): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',')

/** `1 file`, `1,056 files`. */
export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`
