// npm run bench: makes its data, runs the real stages and their peers side by side, and prints what was measured.
import { mkdirSync, realpathSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sectionNames, type SectionName } from './bars.ts'
import { describeMachine } from './machine.ts'
import { repository } from './project.ts'
import { text, type Findings, type Report } from './report.ts'
import { archive } from './sections/archive.ts'
import { copy } from './sections/copy.ts'
import { enumerate } from './sections/enumerate.ts'
import { load } from './sections/load.ts'
import { media } from './sections/media.ts'
import { plan } from './sections/plan.ts'
import type { Bench, Section } from './sections/section.ts'
import { clearWork, openStore, type Store } from './store.ts'

const usage = `npm run bench -- [SECTION…] [--quick] [--rounds N] [--json FILE] [--dir DIR]

  SECTION     ${sectionNames.join(', ')}; all where none is named
  --quick     small data and one round: under two minutes in all; its ratios are only hints
  --rounds N  rounds of each comparison (5)
  --json F    also write everything that was measured to a file
  --dir DIR   where data and stores lie: a real disk, not tmpfs (.bench)
`

/** What its data and stores take at the most, in GB. */
const [quickGb, wholeGb] = [8, 60]

const sections: Readonly<Record<SectionName, Section>> = { load, copy, enumerate, archive, plan, media }

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'string' },
      dir: { type: 'string', default: join(repository, '.bench') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const wanted = sectionNames.filter((name) => positionals.length === 0 || positionals.includes(name))
  const strangers = positionals.filter((name) => !sectionNames.some((known) => known === name))
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (values.help || strangers.length > 0 || !(rounds >= 1)) {
    process.stdout.write(usage)
    process.exitCode = values.help ? 0 : 1
    return
  }
  clearWork(join(values.dir, 'work'))
  mkdirSync(join(values.dir, 'work'), { recursive: true })
  mkdirSync(join(values.dir, 'data'), { recursive: true })
  const folder = realpathSync(values.dir)
  const work = join(folder, 'work')
  const tell = (line: string): void => void process.stderr.write(`${line}\n`)
  const { bavail, bsize } = statfsSync(folder)
  const [free, needed] = [Math.floor((bavail * bsize) / 1e9), values.quick ? quickGb : wholeGb]
  if (free < needed)
    tell(`${folder} has ${free} GB free, and a run may take ${needed} GB: it may end in the middle`)
  let store: Store | null = null
  const bench: Bench = {
    quick: values.quick,
    rounds,
    data: join(folder, 'data'),
    work,
    store: () => (store ??= openStore(work, values.quick ? 8 : 40)),
    tell,
  }
  const machine = await describeMachine({ data: bench.data, store: bench.store().fresh() }, repository)
  bench.store().release()
  const findings: Findings[] = []
  const at = new Date().toISOString()
  try {
    for (const name of wanted) {
      tell(`-- ${name}`)
      findings.push(await sections[name](bench))
      const report: Report = { at, quick: values.quick, rounds, machine, findings }
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
    }
  } finally {
    // Of a run that breaks off as well.
    process.stdout.write(text({ at, quick: values.quick, rounds, machine, findings }))
    try {
      bench.store().release()
      rmSync(work, { recursive: true, force: true })
    } catch (error) {
      // Why the run broke off is not to be told as this: something of it may be at work there still.
      tell(`${work} is left, and the next run takes it away: ${String(error)}`)
      process.exitCode = 1
    }
  }
}

// Leaving by `exit` takes the mount away.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
await main()
