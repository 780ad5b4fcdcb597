// `ntt help` as a manual: the way through the verbs, what keys and signals do, exit codes, files and variables.
import { exitCodes, seriousness } from '../model/errors.ts'

/** Verbs that look at media, and write nothing. */
export const lookers: readonly string[] = [
  'plan',
  'status',
  'why',
  'losses',
  'find',
  'cat',
  'audit',
  'log',
  'doctor',
]

/** Verbs by what they do to the world, in the order in which a person meets them. */
export const verbGroups: Readonly<Record<string, readonly string[]>> = {
  'Declare:': ['add', 'import', 'validate'],
  'Look, and write nothing:': lookers,
  'Do:': ['apply', 'verify', 'rebuild'],
  'Try, and type less:': ['demo', 'completion'],
}

/** Columns of a name with what stands before and behind it, and of a whole line. */
const [nameWidth, width] = [23, 84]

/** A name and its words, which go on below their own first one. */
function row(name: string, text: string): string {
  const lines = text.split(' ').reduce<string[]>((told, word) => {
    const last = told.at(-1)
    return last === undefined || nameWidth + last.length + 1 + word.length > width
      ? [...told, word]
      : [...told.slice(0, -1), `${last} ${word}`]
  }, [])
  return lines.map((line, place) => `${(place === 0 ? `  ${name}` : '').padEnd(nameWidth)}${line}\n`).join('')
}

const way = `
The way:
  ntt add SOURCE       look at a disc, a drive, an image or a folder, and write its
                       file into media.d
  ntt plan             what would be done with it, and why
  ntt apply            show the plan, ask, do it, and read every product back
  ntt status           where every medium stands; --watch is the live screen
  ntt why MEDIUM       the facts behind every verdict

On a terminal ntt apply is a screen; ? explains its keys and signs. One medium that
fails never stops another. ^C stops after the running steps, ^C again stops now.
Running again is always safe, and there is never anything to unlock.
`

const places = `
Files:
  media.d/NAME.yaml    what is declared of the medium NAME
  ntt.yaml             where things are kept, where that is not .ntt
  .ntt/                products, a PostgreSQL of its own, log/events.jsonl

Variables:
  NTT_DB_URL           as --db
  NTT_IMAGE_ROOT  NTT_RAW_ROOT  NTT_BY_HASH_ROOT  NTT_IMAGES_ROOT (archives)
  NTT_STATE_ROOT  NTT_LOG_ROOT  NTT_POSTGRES_ROOT
                       as --root; ntt doctor shows each value and its source
  NTT_JOBS             media at work at the same time
  NO_COLOR  CI  TERM=dumb
                       lines only, and no colours

ntt help VERB has examples. ntt demo makes a project to try all of this on.
README.md has the rest.
`

/** What a command may end with. */
export const codesText = (): string =>
  `Exit codes; the most serious wins (${seriousness.filter(Boolean).join(', ')}):\n${Object.entries(exitCodes)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([code, meaning]) => row(code, meaning))
    .join('')}`

/** What stands behind the flags and the verbs. */
export const manualText = (): string => `${way}\n${codesText()}${places}`
