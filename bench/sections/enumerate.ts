// enumerate: every entry as a record, beside the program that lists them without a thought of tomorrow.
import { join } from 'node:path'
import type { Measurements } from '../bars.ts'
import { pairedRatio, type Sample } from '../figures.ts'
import { interleave, run, shell, type Contender, type Program } from '../measure.ts'
import { begunProject, stageTime, type Project } from '../project.ts'
import type { Bench, Section } from './section.ts'
import * as sets from './sets.ts'

export const enumerate: Section = async (bench) => {
  const store = bench.store()
  const [tree, disc] = [await sets.listing(bench), await sets.disc(bench)]
  const stick = join(await sets.fat(bench, disc.tree), 'stick.img')
  const bar: Measurements = {}
  const tables = []
  for (const { name, title, yaml, bare } of [
    {
      name: 'directory',
      title: 'a directory tree',
      yaml: sets.directoryYaml(tree, 'enumerated'),
      bare: shell(
        'find "$1" -printf "%y %i %n %s %T@ %m %U %G %P\\0%l\\0" >"$2"; sync -f "$2"',
        tree,
        join(store.folder, 'found'),
      ),
    },
    {
      name: 'iso',
      title: 'a CD image',
      yaml: sets.imageYaml(disc.image, 'enumerated'),
      bare: shell('bsdtar -cf - --format=gnutar "@$1" >/dev/null', disc.image),
    },
    {
      name: 'fat',
      title: 'a FAT image',
      yaml: sets.imageYaml(stick, 'enumerated'),
      bare: shell('fiwalk -z -g -O -x "$1" >"$2"; sync -f "$2"', stick, join(store.folder, 'found')),
    },
  ] satisfies readonly { name: 'directory' | 'iso' | 'fat'; title: string; yaml: string; bare: Program }[]) {
    const theirs: Contender = {
      name: `bare: ${bare.args[1]?.split(' ')[0] ?? ''}`,
      async prepare() {
        store.fresh()
      },
      run: () => run(bare),
      async clear() {
        store.release()
      },
    }
    const ours = ourContender(bench, yaml)
    const series = await interleave([ours, theirs], bench.rounds, (text) => bench.tell(`${name}  ${text}`))
    const [mine, other] = series.map(({ samples }) => samples.map(({ seconds }) => seconds))
    bar[`enumerate/${name}`] = pairedRatio(mine ?? [], other ?? [])
    const whole = ours.samples.map((sample) => ({ ...sample, seconds: sample.all }))
    const [first, ...rest] = series
    tables.push({
      title,
      series: [
        ...(first === undefined ? [] : [first]),
        { name: 'ntt, stage with its proof', samples: whole },
        ...rest,
      ],
    })
  }
  return {
    section: 'enumerate',
    tables,
    bars: bar,
    notes: [
      'ntt: the stage up to the point where its witness begins; the file of records is durable by then',
      'the bare tool of the ISO is bsdtar, of FAT fiwalk: what people would list them with; ntt reads both itself',
    ],
  }
}

interface Enumerated extends Sample {
  readonly all: number
}

function ourContender(bench: Bench, yaml: string): Contender & { readonly samples: Enumerated[] } {
  const store = bench.store()
  let project: Project | null = null
  const samples: Enumerated[] = []
  return {
    name: 'ntt, enumerate stage',
    samples,
    async prepare() {
      project = await begunProject(bench.work, join(store.fresh(), 'project'))
      project.medium('medium', yaml.replace('enumerated', 'imaged'))
      await project.ntt(['apply', '--yes', 'medium'])
      project.medium('medium', yaml)
    },
    async run() {
      if (project === null) throw new Error('not prepared')
      const told = await project.ntt(['apply', '--yes', 'medium'])
      const { all, work } = stageTime(told.events, 'enum', 'medium')
      const sample = { ...told, seconds: work, all }
      samples.push(sample)
      return sample
    },
    async clear() {
      await project?.close()
      project = null
      store.release()
    },
  }
}
