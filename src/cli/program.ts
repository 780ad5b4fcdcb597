// The verbs and their flags: what commander reads, what help and completion show, and which file does it.
import { Argument, Command, Option } from 'commander'
import { usualMaxAge } from '../model/budget.ts'
import { UsageError, type ExitCode } from '../model/errors.ts'
import { kindNames, targets } from '../model/medium.ts'
import type { Flags } from './flags.ts'
import { codesText, manualText, verbGroups } from './manual.ts'

declare const __NTT_VERSION__: string

type Verb = (words: readonly string[], flags: Flags & Record<string, unknown>) => Promise<ExitCode>

/** For options that may be repeated. */
const gathered = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
]

export const program = new Command('ntt')
  .description(
    'Converges old media to what their files in media.d declare, and believes nothing that it has not read back.',
  )
  .version(typeof __NTT_VERSION__ === 'string' ? __NTT_VERSION__ : 'source', '-V, --version')
  .option('-C <dir>', 'the project: the very folder that holds media.d (default: found from here upward)')
  .option('--config <file>', 'the configuration (default: ntt.yaml beside media.d)')
  .option('--db <url>', 'a PostgreSQL 15 or newer (default: one of our own under .ntt)')
  .option('--root <name=folder>', 'where a root lies; may be repeated', gathered)
  .option('--json', 'one JSON document, or one event a line; schemas are under schemas/')
  .option('--plain', 'lines only, no screen')
  .option('--no-color', 'no colours')
  .option('--ascii', 'no characters beyond ASCII')
  .option(
    '-q, --quiet',
    'no progress, only the end and what went wrong; who looks: nothing where all is well',
  )
  .option('-v, --verbose', 'say more')
  .showHelpAfterError('(ntt help shows the verbs)')
  .exitOverride()

/** Verbs whose words are the very thing that they are asked for. */
const asked: readonly string[] = ['why', 'find', 'cat', 'log', 'add', 'demo', 'completion']

/** Loads a verb when it is asked for, and runs it with all flags, its own and the common ones. */
function verb(load: () => Promise<Verb>) {
  return async (...called: unknown[]): Promise<void> => {
    const command = called.at(-1)
    if (!(command instanceof Command)) throw new TypeError('commander hands over the command last')
    // What was typed, in its order; behind it commander hands over the options and the command.
    const words = called
      .slice(0, -2)
      .flatMap((one) => (Array.isArray(one) ? one.map(String) : typeof one === 'string' ? [one] : []))
    const flags: Flags & Record<string, unknown> = command.optsWithGlobals()
    if (flags.quiet === true && asked.includes(command.name()))
      throw new UsageError(`--quiet would leave nothing of ntt ${command.name()}`, {
        hint: 'Its output is what was asked for.',
      })
    const run = await load()
    process.exitCode = await run(words, flags)
  }
}

const stage = new Option('--target <target>', 'stop before what is declared').choices(Object.keys(targets))
const only = new Option('--only <medium>', 'this medium alone; may be repeated').argParser(gathered)
const jobs = new Option('--jobs <n>', 'media at work at the same time')

program
  .command('plan')
  .argument('[media...]', 'names of media; all where left out')
  .description('look, compare, and show what apply would do and why; writes nothing')
  .addOption(stage)
  .addOption(only)
  .option('--out <file>', 'save the plan, for `ntt apply FILE`')
  .option('--redo <medium/stage>', 'show the plan with this product made again', gathered)
  .option('--device <device>', 'plan to read the medium from this drive instead of the declared one')
  .addHelpText('after', '\nExample:\n  ntt plan ceh-report --target loaded\n')
  .action(verb(async () => (await import('./plan.ts')).planVerb))

program
  .command('apply')
  .argument('[media...]', 'names of media, or one file saved by `ntt plan --out`')
  .description('show the plan, ask, carry it out, and verify every step')
  .addOption(stage)
  .addOption(only)
  .addOption(jobs)
  .option('-y, --yes', 'do not ask')
  .option('--wait', 'wait for media that another ntt holds')
  .option(
    '--redo <medium/stage>',
    'make this product again beside the one that is there; an image of yours is taken as it is now',
    gathered,
  )
  .option('--device <device>', 'read the medium from this drive instead of the declared one')
  .addHelpText('after', '\nExamples:\n  ntt apply --yes\n  ntt apply letters-1994 --target loaded\n')
  .action(verb(async () => (await import('./apply.ts')).applyVerb))

program
  .command('status')
  .argument('[media...]')
  .description('one line a medium: what holds, how it is known, and what it waits for')
  .addOption(only)
  .option('--watch', 'the live screen, over what others are doing')
  .addHelpText('after', '\nExample:\n  ntt status\n')
  .action(verb(async () => (await import('./status.ts')).statusVerb))

program
  .command('losses')
  .argument('[media...]', 'names of media; all where left out')
  .description(
    'what could not be read, by path: damaged files, directories where names may be missing, what failed',
  )
  .addOption(only)
  .addHelpText('after', '\nExample:\n  ntt losses ceh-report\n')
  .action(verb(async () => (await import('./losses.ts')).lossesVerb))

program
  .command('why')
  .argument('<medium>', 'a medium; or the hash of a content, or the first 8 digits of it')
  .argument('[stage]')
  .description('the facts behind every verdict; claims beside them, never used')
  .addHelpText('after', '\nExample:\n  ntt why ceh-report load\n')
  .action(verb(async () => (await import('./why.ts')).whyVerb))

program
  .command('find')
  .argument('<pattern>', "as a shell has it, for names; with a slash for whole paths: '*.doc', 'letters/**'")
  .argument('[media...]', 'names of media; all that are loaded where left out')
  .description('files by name or path, with their sizes and contents')
  .addHelpText('after', "\nExample:\n  ntt find 'LETTERS/*.TXT'\n")
  .action(verb(async () => (await import('./find.ts')).findVerb))

program
  .command('cat')
  .argument('<medium>', 'a medium, or MEDIUM/2 for its partition 2')
  .argument('<path>', 'as `ntt find` shows it')
  .description('the content of one file, to stdout; read and compared with its hash before')
  .addHelpText('after', '\nExample:\n  ntt cat letters-1994 README.TXT\n')
  .action(verb(async () => (await import('./cat.ts')).catVerb))

program
  .command('verify')
  .argument('[media...]')
  .description('prove again what is there; runs nothing')
  .addOption(only)
  .addOption(jobs)
  .addOption(
    new Option('--depth <depth>', 'counts and sizes (where left out), or every byte').choices([
      'counts',
      'hash',
    ]),
  )
  .option('--budget <amount>', 'what was proven longest ago first, for so long (10m) or so much (20GB)')
  .option(
    '--max-age <time>',
    `with --budget: leave alone what was proven later than so long ago (default: ${usualMaxAge})`,
  )
  .option('--log', 'whether proofs, runs and the event log are as they were written; changes nothing')
  .addHelpText(
    'after',
    '\nExamples:\n  ntt verify --depth hash\n  ntt verify --budget 10m\n  ntt verify --log\n',
  )
  .action(verb(async () => (await import('./verify.ts')).verifyVerb))

program
  .command('validate')
  .argument('[file...]', 'files or folders; all of media.d where left out')
  .description('media.d against its schema: every problem of every file at once, each with its place')
  .addHelpText('after', '\nExample:\n  ntt validate\n')
  .action(verb(async () => (await import('./validate.ts')).validateVerb))

program
  .command('add')
  .argument('<source>', 'a device, an image file or a folder')
  .description('look at a source and write its file; never over another')
  .option('--name <name>', 'the name of its file')
  .option('--label <label>', 'what people call it')
  .addOption(
    new Option('--kind <kind>', 'what sort of carrier; to be said where nothing on it tells').choices(
      kindNames,
    ),
  )
  .addOption(new Option('--target <target>', 'how far it is to go').choices(Object.keys(targets)))
  .addHelpText('after', '\nExample:\n  mkdir -p box/media.d && ntt -C box add test/images/floppy.img\n')
  .action(verb(async () => (await import('./add-verb.ts')).addVerb))

program
  .command('import')
  .argument('<url>', 'the database of the older pipeline, which is only read')
  .description(
    'take over what the older pipeline left, where it lies: a file for each medium, and nothing believed',
  )
  .addHelpText(
    'after',
    `
Where its files lie is said as for every verb: --root image=…, raw, by-hash and archive, or its own variables.

Example:
  ntt import postgres:///copyjob --root image=/data/fast/img --root raw=/data/fast/raw \\
    --root by-hash=/data/fast/ntt/by-hash --root archive=/data/cold/img-read
`,
  )
  .action(verb(async () => (await import('./import.ts')).importVerb))

program
  .command('doctor')
  .description('tools, database, roots, space and privileges: each problem with its fix')
  .addHelpText('after', '\nExample:\n  ntt doctor\n')
  .action(verb(async () => (await import('./doctor/index.ts')).doctorVerb))

program
  .command('rebuild')
  .description(
    'make the catalogue again from media.d, enumerations, archives and the store, when the database is gone',
  )
  .addOption(jobs)
  .option('-y, --yes', 'do not ask')
  .addHelpText('after', '\nExample:\n  ntt rebuild --yes\n')
  .action(verb(async () => (await import('./rebuild.ts')).rebuildVerb))

program
  .command('audit')
  .description(
    'all that media.d, database, stores and claims say against each other; believes no flag, writes nothing',
  )
  .addHelpText('after', '\nExample:\n  ntt audit\n')
  .action(verb(async () => (await import('./audit.ts')).auditVerb))

program
  .command('log')
  .argument('[medium]')
  .description('what happened, from the event log')
  .option('--runs', 'the runs, one line each, for --run and --replay')
  .option('--run <run>', 'this run alone')
  .option('--replay <run>', 'that run once more, on the screen that showed it')
  .option('--speed <times>', 'how much faster than it was', '1')
  .option('--all', 'all lines or runs, not the last ones alone')
  .option('-f, --follow', 'go on as it happens, until ^C')
  .addHelpText('after', '\nExamples:\n  ntt log ceh-report\n  ntt log --runs\n  ntt log --follow\n')
  .action(verb(async () => (await import('./log.ts')).logVerb))

program
  .command('demo')
  .argument('[dir]', 'a folder that is empty or not there yet', 'ntt-demo')
  .description('a throw-away project of real images with planted faults; no hardware, no root')
  .addHelpText('after', '\nExample:\n  ntt demo\n')
  .action(verb(async () => (await import('./demo.ts')).demoVerb))

program
  .command('completion')
  .addArgument(new Argument('[shell]', 'which shell').choices(['bash', 'zsh', 'fish']))
  .description('a script that lets a shell complete verbs, flags, stages and names of media')
  .addOption(new Option('--names', 'the names of the declared media, for that script').hideHelp())
  .addHelpText('after', '\nExample:\n  . <(ntt completion bash)\n')
  .action(verb(async () => (await import('./completion.ts')).completionVerb(program)))

for (const one of program.commands) {
  one.showHelpAfterError(`(ntt help ${one.name()} shows how it is used)`)
  one.addHelpText('after', codesText())
}
for (const [heading, names] of Object.entries(verbGroups))
  for (const name of names) program.commands.find((one) => one.name() === name)?.helpGroup(heading)
program.addHelpText('after', manualText()).addHelpCommand(
  new Command('help')
    .argument('[verb]')
    .helpOption(false)
    .description('this text, or all about one verb')
    .helpGroup(Object.keys(verbGroups).at(-1) ?? ''),
)
