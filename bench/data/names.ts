// Names as people give them: a little tree of words, some of them not UTF-8.
import type { Random } from './random.ts'

const words = (
  'archive backup case census chapter copy country data draft export field file final folder form home index ' +
  'interview letter list mail map month notes office old paper photo project report scan source statement survey ' +
  'table temp test transcript version witness work year'
).split(' ')
const endings = 'doc txt xls jpg pdf html dbf wpd gif eml zip mdb c py'.split(' ')

/** A folder's name, `interview-1994-7 1c`; the number makes it the only one beside its likes. */
export const folderName = (random: Random, number: number): string =>
  `${random.pick(words)}-${random.between(1985, 2012)}-${random.between(1, 12)} ${number.toString(36)}`

/** A file's name; the number makes it the only one in its folder. One in 500 holds a byte that is not UTF-8. */
export const fileName = (random: Random, number: number): string =>
  `${random.pick(words)}${random.between(0, 499) === 0 ? '\xe9' : '_'}${random.pick(words)} ${number}.${random.pick(endings)}`
