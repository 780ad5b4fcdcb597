// ntt completion: scripts for bash, zsh and fish, made from the verbs and flags that there are; and the names that they ask for.
import type { Config } from '../config.ts'
import { mediumName, nameProblem } from '../desired.ts'
import { UsageError } from '../model/errors.ts'
import type { ExitCode } from '../model/errors.ts'
import { stageNames } from '../model/medium.ts'
import type { Flags } from './flags.ts'
import { readMediaFolder } from './folder.ts'
import type { Out } from './out.ts'
import { configOf, outOf } from './verb.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** What commander knows of a command; no more of it is needed here. */
export interface Described {
  name(): string
  description(): string
  readonly options: readonly {
    readonly long?: string | undefined
    readonly short?: string | undefined
    readonly description: string
    /** `--target <target>`, as it was declared. */
    readonly flags: string
    readonly argChoices?: readonly string[] | undefined
  }[]
  readonly registeredArguments: readonly {
    name(): string
    readonly argChoices?: readonly string[] | undefined
  }[]
  readonly commands: readonly Described[]
}

/** What a word may be: one of these, a file, a folder, a medium, or any text (an empty list). */
type Wanted = readonly string[] | 'file' | 'folder' | 'medium'

interface Flag {
  readonly names: readonly string[]
  readonly about: string
  /** null: it takes no value. */
  readonly value: Wanted | null
}

interface Verb {
  readonly name: string
  readonly about: string
  readonly flags: readonly Flag[]
  /** One for each place; the last also for all that follow. */
  readonly places: readonly Wanted[]
}

export const completionVerb =
  (program: Described) =>
  async ([shell]: readonly string[], flags: Flags & { readonly names?: boolean }): Promise<ExitCode> => {
    const out = outOf(configOf(flags, true))
    return flags.names === true ? completionNames(configOf(flags), out) : completion(program, shell, out)
  }

/** Writes the script of a shell; its first lines say where it goes. */
export function completion(program: Described, wanted: string | undefined, out: Out): ExitCode {
  const shell = shells.find((one) => one === wanted)
  if (shell === undefined) throw new UsageError('for which shell?', { hint: `One of ${shells.join(', ')}.` })
  const verbs = program.commands.map(verbOf)
  const common = flagsOf(program)
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell]
  out.write(write(verbs, common))
  return 0
}

/** Writes the names of the declared media, a line each: only those that no shell would read as anything else. */
export async function completionNames(
  config: Pick<Config, 'media' | 'project'>,
  out: Out,
): Promise<ExitCode> {
  const { files } = await readMediaFolder(config.media, config.project)
  const names = files.map(({ file }) => mediumName(file)).filter((name) => nameProblem(name) === null)
  out.write(names.map((name) => `${name}\n`).join(''))
  return 0
}

const verbOf = (command: Described): Verb => ({
  name: command.name(),
  about: command.description(),
  flags: flagsOf(command),
  places: command.registeredArguments.map((one) => one.argChoices ?? wantedOf(one.name())),
})

const flagsOf = ({ options }: Described): readonly Flag[] =>
  options.map(({ long, short, description, flags, argChoices }) => {
    const [, value] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? []
    return {
      names: [short, long].flatMap((name) => (name === undefined ? [] : [name])),
      about: description,
      value: value === undefined ? null : (argChoices ?? wantedOf(value)),
    }
  })

/** By the name of a place, as the help shows it. */
function wantedOf(name: string): Wanted {
  switch (name.replace(/\.\.\.$/, '')) {
    case 'medium':
    case 'media':
      return 'medium'
    case 'stage':
      return stageNames
    case 'shell':
      return shells
    case 'file':
    case 'files':
    case 'source':
    case 'device':
      return 'file'
    case 'dir':
    case 'folder':
      return 'folder'
    default:
      return []
  }
}

/** A text between single quotes, for any of the three. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

const values = (verbs: readonly Verb[], common: readonly Flag[]): readonly Flag[] =>
  [...common, ...verbs.flatMap(({ flags }) => flags)].filter(({ value }) => value !== null)

function bashScript(verbs: readonly Verb[], common: readonly Flag[]): string {
  const list = (wanted: Wanted): string => {
    if (wanted === 'file') return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")'
    if (wanted === 'folder') return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur")'
    const words = wanted === 'medium' ? '$(ntt completion --names 2>/dev/null)' : wanted.join(' ')
    return `COMPREPLY=($(compgen -W "${words}" -- "$cur"))`
  }
  const names = (flags: readonly Flag[]): string => flags.flatMap((flag) => flag.names).join(' ')
  const takers = values(verbs, common)
  const cases = verbs.flatMap(({ name, flags, places }) => [
    `    ${name})`,
    `      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W "${names([...flags, ...common])}" -- "$cur"))`,
    ...places.map((wanted, index) =>
      index === places.length - 1
        ? `      else ${list(wanted)}`
        : `      elif ((place == ${index})); then ${list(wanted)}`,
    ),
    '      fi ;;',
  ])
  return [
    '# bash: put this into ~/.local/share/bash-completion/completions/ntt',
    '_ntt() {',
    "  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= place=0 i word IFS=$' \\t\\n'",
    '  COMPREPLY=()',
    '  case $before in',
    ...merged(takers).map(([flag, wanted]) => `    ${flag}) ${list(wanted)}; return ;;`),
    '  esac',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    word=${COMP_WORDS[i]}',
    `    case $word in ${takers.flatMap((flag) => flag.names).join('|')}) ((i++)); continue ;; -*) continue ;; esac`,
    '    if [[ -z $verb ]]; then verb=$word; else ((place++)); fi',
    '  done',
    '  case $verb in',
    `    '') COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(' ')} ${names(common)}" -- "$cur")) ;;`,
    ...cases,
    '  esac',
    '}',
    'complete -F _ntt ntt',
    '',
  ].join('\n')
}

/** The first meaning of each flag that takes a value: a name means the same in every verb. */
const merged = (flags: readonly Flag[]): readonly (readonly [string, Wanted])[] => [
  ...new Map(
    flags.flatMap(({ names, value }) => names.map((name) => [name, value ?? []] as const)).toReversed(),
  ),
]

function zshScript(verbs: readonly Verb[], common: readonly Flag[]): string {
  const action = (wanted: Wanted): string => {
    if (wanted === 'file') return '_files'
    if (wanted === 'folder') return '_files -/'
    return wanted === 'medium' ? '_ntt_media' : `(${wanted.join(' ')})`
  }
  const safe = (text: string): string => text.replaceAll(/[[\]:\\]/g, String.raw`\$&`)
  const specs = (flags: readonly Flag[]): readonly string[] =>
    flags.flatMap(({ names, about, value }) =>
      names.map((name) =>
        quoted(`${name}[${safe(about)}]${value === null ? '' : `:value:${action(value)}`}`),
      ),
    )
  const places = (wanted: readonly Wanted[]): readonly string[] =>
    wanted.map((one, index) => quoted(`${index === wanted.length - 1 ? '*' : index + 1}:word:${action(one)}`))
  return [
    '#compdef ntt',
    '# zsh: put this into a folder of $fpath, under the name _ntt',
    '_ntt_media() { local -a media; media=(${(f)"$(ntt completion --names 2>/dev/null)"}); compadd -a media }',
    '_ntt() {',
    '  local state line; local -a verbs',
    `  _arguments -C ${specs(common).join(' ')} '1:verb:->verb' '*::word:->word'`,
    '  case $state in',
    '    verb)',
    `      verbs=(${verbs.map(({ name, about }) => quoted(`${name}:${safe(about)}`)).join(' ')})`,
    '      _describe verb verbs ;;',
    '    word)',
    '      case $line[1] in',
    ...verbs.map(
      ({ name, flags, places: at }) =>
        `        ${name}) _arguments ${[...specs([...flags, ...common]), ...places(at)].join(' ')} ;;`,
    ),
    '      esac ;;',
    '  esac',
    '}',
    '_ntt "$@"',
    '',
  ].join('\n')
}

function fishScript(verbs: readonly Verb[], common: readonly Flag[]): string {
  const taking = (wanted: Wanted): string => {
    if (wanted === 'file') return ' --force-files'
    if (wanted === 'folder') return " --exclusive --arguments '(__fish_complete_directories)'"
    return ` --exclusive --arguments ${quoted(wanted === 'medium' ? '(ntt completion --names 2>/dev/null)' : wanted.join(' '))}`
  }
  const escaped = (text: string): string =>
    `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)}'`
  const flag = (condition: string, { names, about, value }: Flag): string => {
    const shown = names.map((name) =>
      name.startsWith('--') ? `--long-option ${name.slice(2)}` : `--short-option ${name.slice(1)}`,
    )
    return `complete --command ntt${condition} ${shown.join(' ')} --description ${escaped(about)}${value === null ? '' : taking(value)}`
  }
  return [
    '# fish: put this into ~/.config/fish/completions/ntt.fish',
    'complete --command ntt --no-files',
    ...common.map((one) => flag('', one)),
    ...verbs.flatMap(({ name, about, flags, places }) => {
      const condition = ` --condition '__fish_seen_subcommand_from ${name}'`
      return [
        `complete --command ntt --condition __fish_use_subcommand --arguments ${name} --description ${escaped(about)}`,
        ...flags.map((one) => flag(condition, one)),
        ...places.map(
          (wanted) => `complete --command ntt${condition}${taking(wanted).replace(' --exclusive', '')}`,
        ),
      ]
    }),
    '',
  ].join('\n')
}
