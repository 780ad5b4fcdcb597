// plan: what it costs to look, at one medium, at a dozen and at very many; and to start at all.
import { mkdirSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import type { VolumeReport } from '../../src/model/entry.ts'
import type { Measurements } from '../bars.ts'
import { writeRaw } from '../data/enumerations.ts'
import { median, pairedRatio, type Sample } from '../figures.ts'
import { run, shell } from '../measure.ts'
import { makeProject, ntt, startServer, type Project } from '../project.ts'
import type { Bench, Section } from './section.ts'
import * as sets from './sets.ts'

export const plan: Section = async (bench) => {
  const bar: Measurements = {}
  const version = await many(bench.quick ? 10 : 20, () => run({ file: ntt, args: ['--version'] }))
  bar['plan/version'] = mean(version) * 1000

  const servers = await serverStarts(bench)
  bar['plan/server-first'] = median(servers.first)
  bar['plan/server'] = median(servers.again)

  const store = bench.store()
  // The same dozen with many paths and with few: what a plan costs must not hang on them.
  const place = store.fresh()
  const [long, short] = bench.quick ? [1_000, 10] : [100_000, 1_000]
  const dozen = await manyMedia(bench, join(place, 'long'), 12, long)
  const brief = await manyMedia(bench, join(place, 'short'), 12, short)
  const [twelve, twelveShort]: [Sample[], Sample[]] = [[], []]
  for (let round = 0; round < (bench.quick ? 3 : 10); round += 1) {
    twelve.push(await dozen.ntt(['plan']))
    twelveShort.push(await brief.ntt(['plan']))
  }
  bar['plan/twelve'] = mean(twelve) * 1000
  const few = await transactions(dozen)
  await dozen.close()
  await brief.close()
  store.release()

  // 100 million paths: 21 GB of database and 10 GB of enumerations, loaded in eight minutes.
  const [count, paths] = bench.quick ? [24, 200] : [1_000, 100_000]
  const project = await manyMedia(bench, store.fresh(), count, paths)
  const [plans, nothings]: [Sample[], Sample[]] = [[], []]
  for (let round = 0; round < Math.max(3, bench.rounds); round += 1) {
    plans.push(await project.ntt(['plan']))
    nothings.push(await project.ntt(['apply', '--yes']))
  }
  const seconds = (samples: readonly Sample[]): readonly number[] => samples.map((sample) => sample.seconds)
  bar['plan/thousand'] = median(seconds(plans))
  bar['plan/nothing'] = pairedRatio(seconds(nothings), seconds(plans))
  bar['plan/queries'] = ((await transactions(project)) - few) / (count - 12)
  await project.close()
  store.release()
  return {
    section: 'plan',
    tables: [
      {
        title: 'to look',
        series: [
          { name: 'ntt --version', samples: version },
          { name: `ntt plan, 12 media of ${long} paths`, samples: twelve },
          { name: `ntt plan, 12 media of ${short} paths`, samples: twelveShort },
          { name: `ntt plan, ${count} met media of ${paths} paths`, samples: plans },
          { name: `ntt apply, ${count} media, nothing to do`, samples: nothings },
        ],
      },
    ],
    bars: bar,
    notes: [
      `12 media of ${long} paths / of ${short}: CPU ${(mean(twelve) / mean(twelveShort)).toFixed(2)}, wall ${(median(twelve.map(({ seconds }) => seconds)) / median(twelveShort.map(({ seconds }) => seconds))).toFixed(2)}`,
      'CPU is that of ntt, without the database server',
      'queries: transactions that the server counted in one plan; the bar is how many more each further medium brings',
      `embedded database: first start ${median(servers.first).toFixed(2)} s (initdb), later ${(median(servers.again) * 1000).toFixed(0)} ms`,
    ],
  }
}

async function many<T>(times: number, work: () => Promise<T>): Promise<readonly T[]> {
  const found: T[] = []
  for (let time = 0; time < times; time += 1) found.push(await work())
  return found
}

/** Processor time is told in ticks of 10 ms; the mean of many is finer than its ticks. */
const mean = (samples: readonly Sample[]): number =>
  samples.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / samples.length

async function serverStarts(bench: Bench) {
  const [first, again]: [number[], number[]] = [[], []]
  for (let round = 0; round < bench.rounds; round += 1) {
    const folder = join(bench.store().fresh(), 'server')
    mkdirSync(folder)
    for (const times of [first, again]) {
      const began = performance.now()
      const server = await startServer(folder)
      times.push((performance.now() - began) / 1000)
      await server.leave()
    }
    bench.store().release()
  }
  return { first, again }
}

/** Media that are met: each an enumeration of its own, loaded by `ntt` itself. */
async function manyMedia(bench: Bench, folder: string, count: number, paths: number): Promise<Project> {
  const project = await makeProject(join(folder, 'project'))
  const raws = join(project.state, 'raw')
  mkdirSync(raws, { recursive: true })
  const volume: VolumeReport = { ...sets.treeVolume, reader: 'walk' }
  for (let made = 0; made < count; made += 1) {
    const hash = createHash('sha256').update(`met ${made}`).digest('hex').slice(0, 32)
    await writeRaw(join(raws, `${hash}.raw`), { hash, paths, volume })
    const name = `met-${String(made).padStart(4, '0')}`
    project.medium(name, sets.recordsYaml(join(folder, 'trees'), hash))
  }
  bench.tell(`loading ${count} media of ${paths} paths`)
  await project.ntt(['apply', '--yes', '--jobs', '2'])
  await run(shell('sync'))
  return project
}

/** Transactions that the server counts for one plan. */
async function transactions(project: Project): Promise<number> {
  const before = await counted(project)
  await project.ntt(['plan'])
  return (await counted(project)) - before
}

/** Sessions that have ended have told the server what they did. Our own question counts once. */
async function counted(project: Project): Promise<number> {
  if (project.server === null) throw new Error('the project has no server')
  const { socket, port, user, database } = project.server
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const client = new pg.Client({ host: socket, port, user, database })
  await client.connect()
  try {
    const { rows } = await client.query<{ count: number }>(
      'select (xact_commit + xact_rollback)::float8 as count from pg_stat_database where datname = current_database()',
    )
    return rows[0]?.count ?? Number.NaN
  } finally {
    await client.end()
  }
}
