// copy: contents into the store, proven and committed, beside what people would pick instead.
import { join } from 'node:path'
import type { Measurements } from '../bars.ts'
import { pairedRatio, type Sample, type Series } from '../figures.ts'
import { interleave, run, settle, shell, type Contender } from '../measure.ts'
import * as peers from '../peers/stores.ts'
import { begunProject, stageTime, type Project } from '../project.ts'
import type { Findings } from '../report.ts'
import type { Store } from '../store.ts'
import type { Bench, Section } from './section.ts'
import * as sets from './sets.ts'

/** What `ntt` needed: `seconds` is all of `ntt apply` up to copied, from the shell's start to its exit. */
interface Copied extends Sample {
  /** The copy stage with its witness, by the event log. */
  readonly stage: number
  readonly again: number
  readonly againStage: number
}

interface Set {
  readonly name: 'small' | 'big' | 'cd'
  readonly title: string
  readonly tree: string
  /** Declarations of the medium and of another one with the same content, for a target. */
  readonly first: (target: string) => string
  readonly again: ((target: string) => string) | null
  readonly archive: boolean
  /** What is read by whomever. */
  readonly reads: readonly string[]
}

export const copy: Section = async (bench) => {
  const findings = []
  const [small, big, disc] = [await sets.small(bench), await sets.big(bench), await sets.disc(bench)]
  const bar: Measurements = {}
  const plain = (tree: string) => (target: string) => sets.directoryYaml(tree, target)
  for (const set of [
    {
      name: 'small',
      title: 'many small files',
      tree: small.tree,
      first: plain(small.tree),
      again: plain(small.again),
      archive: false,
      reads: [small.tree, small.again],
    },
    {
      name: 'cd',
      title: 'a CD image',
      tree: disc.tree,
      first: (target) => sets.imageYaml(disc.image, target),
      again: (target) => sets.imageYaml(disc.again, target),
      archive: true,
      reads: [disc.tree, disc.image, disc.again],
    },
    {
      name: 'big',
      title: 'one big file',
      tree: big,
      first: plain(big),
      again: null,
      archive: false,
      reads: [big],
    },
  ] satisfies readonly Set[])
    findings.push(await copySet(bench, set, bar))
  const peaks = findings.map(({ peak }) => peak)
  return {
    section: 'copy',
    tables: findings.flatMap(({ tables }) => tables),
    bars: { ...bar, 'copy/memory': Math.max(...peaks) / 2 ** 20 },
    notes: [
      `stores: ${bench.store().note}`,
      'sources lie on the filesystem of the working folder and were read once before',
      'the kernel here may have no isofs: peers take the tree that the CD image was made of, ntt reads the image itself',
      'one fsync per file: measured on a tenth of the files, times ten',
      'ntt, whole: everything that `ntt apply` does up to copied (identity, enumeration, load, copy, each with its proof)',
    ],
  } satisfies Findings
}

async function copySet(bench: Bench, set: Set, bar: Measurements) {
  for (const path of set.reads) await sets.warm(path)
  const store = bench.store()
  const ours = nttContender(bench, set, 'copied')
  const whole = set.archive ? [nttContender(bench, { ...set, again: null }, 'archived')] : []
  const few = await sets.tenth(bench)
  // A quick run has those that a bar is about.
  const others = [
    peers.cp,
    ...(bench.quick && set.name !== 'small' ? [] : [peers.resticOff]),
    peers.resticDefault,
    peers.borgDefault,
    ...(bench.quick ? [] : [peers.rsync]),
  ].map((peer) => peerContender(store, set.tree, peer))
  const fsyncEach = peers.fsyncEach(bench.quick)
  const slow = set.name === 'small' ? [tenTimes(peerContender(store, few, fsyncEach))] : []
  const disc = set.archive ? [discByHand(store, set)] : []
  const contenders: readonly Contender[] = [ours, ...whole, ...others, ...slow, ...disc]
  const settled = contenders.map((contender) => ({
    ...contender,
    async prepare(round: number) {
      await contender.prepare?.(round)
      await settle(bench)
    },
  }))
  const series = await interleave(settled, bench.rounds, (text) => bench.tell(`${set.name}  ${text}`))
  const samples = ours.samples
  const of = (name: string): readonly number[] =>
    series.find((one) => one.name === name)?.samples.map(({ seconds }) => seconds) ?? []
  const stage = samples.map((sample) => sample.stage)
  const hold = (name: string, peer: peers.Peer): void => {
    const key = `copy/${set.name}/${name}` as keyof Measurements
    bar[key] = pairedRatio(stage, of(peer.name))
  }
  hold('cp', peers.cp)
  hold('restic', peers.resticDefault)
  hold('borg', peers.borgDefault)
  if (set.name === 'small') {
    hold('restic-off', peers.resticOff)
    hold('fsync-each', fsyncEach)
    bar['copy/small/again'] = pairedRatio(
      samples.map(({ againStage }) => againStage),
      stage,
    )
  }
  if (set.archive) {
    bar['copy/cd/again'] = pairedRatio(
      samples.map(({ againStage }) => againStage),
      stage,
    )
    bar['copy/cd/archive'] = pairedRatio(of(oursTo('archived')), of(byHand))
  }
  const derived = (name: string, figure: 'stage' | 'again' | 'againStage'): Series => ({
    name,
    samples: samples.map((sample) => ({ ...sample, seconds: sample[figure] })),
  })
  const [first, ...rest] = series
  return {
    peak: Math.max(...samples.map(({ peakBytes }) => peakBytes)),
    tables: [
      {
        title: set.title,
        series: [
          derived('ntt, copy stage', 'stage'),
          ...(first === undefined ? [] : [{ ...first, name: 'ntt, whole' }]),
          ...(set.again === null
            ? []
            : [
                derived('ntt, copy stage, content known', 'againStage'),
                derived('ntt, whole, content known', 'again'),
              ]),
          ...rest,
        ],
      },
    ],
  }
}

/** A project with the folders of its store where the run is not a quick one; and the first medium declared. */
async function begin({ quick, store, work }: Bench, set: Set, target: Target): Promise<Project> {
  const project = await begunProject(work, join(store().fresh(), 'project'))
  if (!quick) peers.makeFolders(join(project.state, 'by-hash'))
  project.medium('first', set.first(target))
  return project
}

type Target = 'copied' | 'archived'

const oursTo = (target: Target): string => (target === 'copied' ? 'ntt' : 'ntt, whole, up to its archive')

function nttContender(bench: Bench, set: Set, target: Target): Contender & { readonly samples: Copied[] } {
  let project: Project | null = null
  const samples: Copied[] = []
  return {
    name: oursTo(target),
    samples,
    async prepare() {
      project = await begin(bench, set, target)
    },
    async run() {
      if (project === null) throw new Error('not prepared')
      const first = await project.ntt(['apply', '--yes', 'first'])
      let again = null
      if (set.again !== null) {
        project.medium('again', set.again('copied'))
        again = await project.ntt(['apply', '--yes', 'again'])
      }
      const sample = {
        ...first,
        stage: stageTime(first.events, 'copy', 'first').all,
        again: again?.seconds ?? Number.NaN,
        againStage: again === null ? Number.NaN : stageTime(again.events, 'copy', 'again').all,
      }
      samples.push(sample)
      return sample
    },
    async clear() {
      await project?.close()
      project = null
      bench.store().release()
    },
  }
}

const peerContender = (store: Store, tree: string, peer: peers.Peer): Contender => ({
  name: peer.name,
  async prepare() {
    const folder = store.fresh()
    await peer.begin?.(folder)
  },
  run: () => run(peer.keep(tree, store.folder)),
  async clear() {
    store.release()
  },
})

/** One that was given a tenth of the files. */
const tenTimes = (contender: Contender): Contender => ({
  ...contender,
  async run(round) {
    const sample = await contender.run(round)
    return { ...sample, seconds: sample.seconds * 10, cpuSeconds: sample.cpuSeconds * 10 }
  },
})

const byHand = 'cp + sync, b3sum, zstd -3 -T0'

const discByHand = (store: Store, set: Set): Contender => ({
  name: byHand,
  async prepare() {
    store.fresh()
  },
  run: () =>
    run(
      shell(
        'cp -a "$1" "$3/copy"; sync -f "$3"; b3sum "$2" >"$3/sum"; zstd -q -3 -T0 "$2" -o "$3/disc.zst"; sync -f "$3"',
        set.tree,
        join(set.tree, '../disc.iso'),
        store.folder,
      ),
    ),
  async clear() {
    store.release()
  },
})
