// How to speak: lines or a screen, colours, characters beyond ASCII.
import { withoutPasswords } from '../model/passwords.ts'

/** What was typed about it. */
export interface DisplayFlags {
  /** false: `--no-color`. */
  readonly color?: boolean
  readonly plain?: boolean
  readonly ascii?: boolean
}

/** What this process was started in. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly cores: number
  readonly isTerminal: boolean
}

/** How to speak. `plain`: lines only, not one escape byte. */
export interface Display {
  /** What was typed to lead here (`-C box --root archive=/mnt/cold`), so that commands that are told can be typed as they stand. */
  readonly leading: readonly string[]
  readonly plain: boolean
  readonly color: boolean
  readonly ascii: boolean
}

/** Where a command is to look, as it was typed. */
interface LeadingFlags {
  /** The folder after -C. */
  readonly directory?: string
  readonly config?: string
  readonly db?: string
  readonly root?: readonly string[]
}

/** The words of these flags, without a password. */
const leadingWords = ({ directory, config, db, root = [] }: LeadingFlags): readonly string[] => [
  ...(directory === undefined ? [] : ['-C', directory]),
  ...(config === undefined ? [] : ['--config', config]),
  ...(db === undefined ? [] : ['--db', ...withoutPasswords([db])]),
  ...root.flatMap((one) => ['--root', one]),
]

/** Decides, and writes down in `from` why. */
export function chooseDisplay(
  flags: DisplayFlags & LeadingFlags,
  { environment, isTerminal }: Pick<Surroundings, 'environment' | 'isTerminal'>,
  from: Record<string, string>,
): Display {
  const isSet = (name: string): boolean => !['', '0', 'false'].includes(environment[name] ?? '')
  const reasons: readonly (readonly [string, boolean])[] = [
    ['--plain', flags.plain === true],
    ['no terminal', !isTerminal],
    ['NO_COLOR', (environment['NO_COLOR'] ?? '') !== ''],
    ['CI', isSet('CI')],
    ['TERM=dumb', environment['TERM'] === 'dumb'],
  ]
  const plain = reasons.find(([, holds]) => holds)
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].find((name) => (environment[name] ?? '') !== '')
  const utf8 = locale !== undefined && /utf-?8/i.test(environment[locale] ?? '')
  from['display.plain'] = plain?.[0] ?? 'default'
  from['display.color'] = flags.color === false ? '--no-color' : (plain?.[0] ?? 'default')
  from['display.ascii'] = flags.ascii === true ? '--ascii' : (locale ?? 'no locale')
  return {
    leading: leadingWords(flags),
    plain: plain !== undefined,
    color: flags.color !== false && plain === undefined,
    ascii: flags.ascii === true || !utf8,
  }
}
