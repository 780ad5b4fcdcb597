// media: eight at once on the cores that there are, and seven beside one whose drive is slow.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Measurements } from '../bars.ts'
import { median, pairedRatio, type Sample } from '../figures.ts'
import { run, shell } from '../measure.ts'
import { begunProject, serverSeconds, type LogLine } from '../project.ts'
import type { Bench, Section } from './section.ts'
import * as sets from './sets.ts'

const count = 8

export const media: Section = async (bench) => {
  const discs = []
  for (let made = 0; made < count; made += 1)
    discs.push(
      await sets.disc(bench, `many-${made}`, ...(bench.quick ? ([5e6, 60] as const) : ([150e6] as const))),
    )
  const images = discs.map(({ image }) => image)
  const [one, eight, alone, beside]: [Sample[], Sample[], Sample[], Sample[]] = [[], [], [], []]
  const cores: number[] = []
  const [fastAlone, fastBeside]: [number[], number[]] = [[], []]
  for (let round = 0; round < bench.rounds; round += 1) {
    one.push((await converge(bench, images.slice(0, 1))).told)
    const all = await converge(bench, images)
    eight.push(all.told)
    cores.push(all.cores)
    const seven = await converge(bench, images.slice(1))
    alone.push(seven.told)
    fastAlone.push(lastOf(seven.told.events, 'medium-0'))
    const slow = await withSlowDrive(bench, images[0] ?? '', (path) =>
      converge(bench, [path, ...images.slice(1)]),
    )
    beside.push(slow.told)
    fastBeside.push(lastOf(slow.told.events, 'medium-0'))
    bench.tell(
      `round ${round + 1}/${bench.rounds}  eight at once ${all.told.seconds.toFixed(2)} s on ${all.cores.toFixed(2)} cores`,
    )
  }
  const peak = (samples: readonly Sample[]): number => median(samples.map(({ treeBytes }) => treeBytes))
  const bars: Measurements = {
    'media/cores': median(cores) / availableParallelism(),
    'media/memory': peak(eight) / peak(one),
    'media/slow': pairedRatio(fastBeside, fastAlone),
  }
  return {
    section: 'media',
    tables: [
      {
        title: 'CD images, each up to its archive',
        series: [
          { name: 'one', samples: one },
          { name: 'eight at once', samples: eight },
          { name: 'seven at once', samples: alone },
          { name: 'seven and one on a slow drive', samples: beside },
        ],
      },
    ],
    bars,
    notes: [
      `cores in use: ${median(cores).toFixed(2)} of ${availableParallelism()}, by ntt, its programs and its database server`,
      `memory: one medium ${Math.round(peak(one) / 2 ** 20)} MiB, eight at once ${Math.round(peak(eight) / 2 ** 20)} MiB, children included`,
      'the slow drive is an image behind nbdkit with a limited rate',
    ],
  }
}

async function converge(bench: Bench, images: readonly string[]) {
  const store = bench.store()
  const project = await begunProject(bench.work, join(store.fresh(), 'project'))
  try {
    const names = images.map((_, at) =>
      images.length === count ? `medium-${at}` : `medium-${at + count - images.length}`,
    )
    for (const [at, name] of names.entries())
      project.medium(name, sets.imageYaml(images[at] ?? '', 'archived'))
    await run(shell('sync'))
    const before = serverSeconds(project.folder)
    const told = await project.ntt(['apply', '--yes', '--jobs', String(count), ...names])
    const server = serverSeconds(project.folder) - before
    return { told, cores: (told.cpuSeconds + server) / told.seconds }
  } finally {
    await project.close()
    store.release()
  }
}

/** Seconds from the beginning of a run until the last medium but one was archived. */
function lastOf(events: readonly LogLine[], without: string): number {
  const time = (line: LogLine | undefined): number => Date.parse(String(line?.['ts']))
  const ends = events.filter(({ event, medium }) => event === 'archive_success' && medium !== without)
  return (Math.max(...ends.map(time)) - time(events[0])) / 1000
}

/** Lends an image that is read at a few MB a second. */
async function withSlowDrive<T>(bench: Bench, image: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = join(bench.work, 'slow')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'disc.iso')
  await run(shell(': >"$1"', path))
  const rate = bench.quick ? '40M' : '200M'
  const child = spawn(
    'nbdfuse',
    [
      '--readonly',
      path,
      '[',
      'nbdkit',
      '--exit-with-parent',
      '--filter=rate',
      'file',
      image,
      `rate=${rate}`,
      ']',
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise((resolve) => child.on('close', resolve))
  try {
    for (let waited = 0; !readFileSync('/proc/self/mounts', 'utf8').includes(path); waited += 1) {
      if (waited > 200) throw new Error('nbdfuse does not mount')
      await sleep(50)
    }
    return await use(path)
  } finally {
    await run({ file: 'fusermount3', args: ['-u', path], accept: [1] })
    await ended
  }
}
