// load: an enumeration into the database, beside the older algorithm and a bare COPY of the same rows.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Measurements } from '../bars.ts'
import { median, pairedRatio, type Sample, type Series } from '../figures.ts'
import { run, shell } from '../measure.ts'
import { loadOlder, prepareOlder } from '../peers/older-load.ts'
import { begunProject, serverSeconds, startServer, stageTime, type Project } from '../project.ts'
import type { Findings } from '../report.ts'
import type { Server } from '../../src/ports/server/index.ts'
import type { Bench, Section } from './section.ts'
import { enumeration, recordsYaml, type Enumeration } from './sets.ts'

const sizes = { small: 1_000_000, middle: 5_000_000, large: 11_000_000 } as const
type Size = keyof typeof sizes

interface Loaded extends Sample {
  readonly whole: number
  readonly bytesAPath: number
}

export const load: Section = async (bench) => {
  const bar: Measurements = {}
  const tables: Findings['tables'][number][] = []
  const peaks: number[] = []
  const wanted: readonly (readonly [Size, number])[] = bench.quick
    ? [['small', 100_000]]
    : (Object.entries(sizes) as [Size, number][])
  for (const [size, paths] of wanted) {
    const set = await enumeration(bench, paths)
    // The older algorithm takes minutes for the large ones.
    const rounds = Math.min(bench.rounds, size === 'small' ? bench.rounds : size === 'middle' ? 3 : 2)
    const ours: Loaded[] = []
    const [bare, older]: [Sample[], Sample[]] = [[], []]
    const turns = [
      async () => {
        const found = await loadOurs(bench, set)
        ours.push(found.ours)
        bare.push(found.bare)
      },
      async () => older.push(await loadTheirs(bench, set)),
    ]
    for (let round = 0; round < rounds; round += 1) {
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn()
      bench.tell(
        `${paths} paths  round ${round + 1}/${rounds}  ntt ${ours.at(-1)?.seconds.toFixed(2)} s, bare ${bare.at(-1)?.seconds.toFixed(2)} s, older ${older.at(-1)?.seconds.toFixed(2)} s`,
      )
    }
    const seconds = (samples: readonly Sample[]): readonly number[] => samples.map((sample) => sample.seconds)
    bar[`load/older/${size}`] = pairedRatio(seconds(older), seconds(ours))
    bar[`load/bare/${size}`] = pairedRatio(seconds(bare), seconds(ours))
    bar['load/bytes'] = median(ours.map(({ bytesAPath }) => bytesAPath))
    peaks.push(...ours.map(({ peakBytes }) => peakBytes))
    const whole: Series = {
      name: 'ntt apply, whole',
      samples: ours.map((one) => ({ ...one, seconds: one.whole })),
    }
    tables.push({
      title: `${paths.toLocaleString('en-US')} paths`,
      series: [
        { name: 'ntt, load stage', samples: ours },
        whole,
        { name: 'bare COPY, no keys', samples: bare },
        { name: 'older algorithm', samples: older },
      ],
    })
  }
  const beside = await loadBeside(bench)
  return {
    section: 'load',
    tables,
    bars: { ...bar, ...beside.bars, 'load/memory': Math.max(...peaks) / 1e6 },
    notes: [
      `databases: ${bench.store().note}; each contender has a new one with the settings of the embedded server`,
      'ntt, load stage: rows, keys, attach, and the counts and digest read back from the rows',
      'CPU here includes the database server’s',
      ...beside.notes,
    ],
  }
}

/** A project whose raws lie among the data. */
async function begin({ work }: Bench, folder: string, raws: string): Promise<Project> {
  const project = await begunProject(work, join(folder, 'project'))
  writeFileSync(join(project.folder, 'ntt.yaml'), `roots:\n  raw: ${JSON.stringify(raws)}\n`)
  await run(shell('sync'))
  return project
}

async function loadOurs(bench: Bench, { folder: raws, hash, paths }: Enumeration) {
  const store = bench.store()
  const folder = store.fresh()
  const project = await begin(bench, folder, raws)
  try {
    project.medium('raw', recordsYaml(join(folder, 'trees'), hash))
    const server = serverSeconds(project.folder)
    const told = await project.ntt(['apply', '--yes', 'raw'])
    const cpuSeconds = told.cpuSeconds + serverSeconds(project.folder) - server
    const stage = stageTime(told.events, 'load', 'raw')
    const client = await connect(project.server)
    try {
      const bytesAPath = (await sizeOf(client, hash)) / paths
      const ours: Loaded = { ...told, cpuSeconds, seconds: stage.all, whole: told.seconds, bytesAPath }
      return { ours, bare: await bareCopy(client, project.folder, hash) }
    } finally {
      await client.end()
    }
  } finally {
    await project.close()
    store.release()
  }
}

async function connect(server: Server | null): Promise<pg.Client> {
  if (server === null) throw new Error('the project has no server')
  const { socket, port, user, database } = server
  const client = new pg.Client({ host: socket, port, user, database })
  await client.connect()
  return client
}

/** The partitions that hold one medium, their keys and indexes included. */
const partitions = `
  select child.oid::regclass::text as name, parent.relname as parent, pg_total_relation_size(child.oid)::float8 as bytes
    from pg_inherits join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent
   where parent.relname in ('inode', 'directory', 'entry') and child.relkind = 'r'
     and split_part(child.relname, '_', 2) = (select medium_id::text from medium where medium_hash = $1)`

interface Partition {
  readonly name: string
  readonly parent: string
  readonly bytes: number
}

async function sizeOf(client: pg.Client, hash: string): Promise<number> {
  const { rows } = await client.query<Partition>(partitions, [hash])
  if (rows.length !== 3) throw new Error(`a loaded medium has three partitions, not ${rows.length}`)
  return rows.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The limit: the server reads the very same rows from binary files into tables without a key, WAL skipped, one commit. */
async function bareCopy(client: pg.Client, folder: string, hash: string): Promise<Sample> {
  const files = join(folder, '../bare')
  mkdirSync(files)
  chmodSync(files, 0o777)
  const { rows } = await client.query<Partition>(partitions, [hash])
  for (const { name, parent } of rows)
    await client.query(`copy ${name} to '${files}/${parent}' (format binary)`)
  await client.query('checkpoint')
  await run(shell('sync'))
  const server = serverSeconds(folder)
  const began = performance.now()
  await client.query('begin')
  for (const { name, parent } of rows) {
    await client.query(`create table bare_${parent} as select * from ${name} with no data`)
    await client.query(`copy bare_${parent} from '${files}/${parent}' (format binary)`)
  }
  await client.query('commit')
  const seconds = (performance.now() - began) / 1000
  return { seconds, cpuSeconds: serverSeconds(folder) - server, peakBytes: 0, treeBytes: 0 }
}

async function loadTheirs(bench: Bench, { older, hash, paths }: Enumeration): Promise<Sample> {
  const store = bench.store()
  const folder = join(store.fresh(), 'older')
  mkdirSync(folder)
  const server = await startServer(folder)
  try {
    const client = await connect(server)
    try {
      await prepareOlder(client)
      await client.query('checkpoint')
      await run(shell('sync'))
      const [serverBefore, ownBefore] = [serverSeconds(folder), process.cpuUsage()]
      const began = performance.now()
      const loaded = await loadOlder(client, older, hash)
      const seconds = (performance.now() - began) / 1000
      const own = process.cpuUsage(ownBefore)
      const cpuSeconds = (own.user + own.system) / 1e6 + serverSeconds(folder) - serverBefore
      if (loaded !== paths) throw new Error(`the older algorithm loaded ${loaded} of ${paths} paths`)
      return { seconds, cpuSeconds, peakBytes: 0, treeBytes: 0 }
    } finally {
      await client.end()
    }
  } finally {
    await server.leave()
    store.release()
  }
}

/** Two media at once against one after the other; a reader of the parents asks all the while. */
async function loadBeside(
  bench: Bench,
): Promise<{ readonly bars: Measurements; readonly notes: readonly string[] }> {
  const paths = bench.quick ? 50_000 : 1_000_000
  const two = [await enumeration(bench, paths, 'left'), await enumeration(bench, paths, 'right')]
  const waits: number[] = []
  const [beside, after]: [number[], number[]] = [[], []]
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const jobs of round % 2 === 0 ? [2, 1] : [1, 2]) {
      const store = bench.store()
      const folder = store.fresh()
      const raws = join(folder, 'raws')
      mkdirSync(raws)
      for (const { folder: from, hash } of two)
        await run(shell('cp "$1" "$2"', join(from, `${hash}.raw`), raws))
      const project = await begin(bench, folder, raws)
      try {
        for (const [at, { hash }] of two.entries())
          project.medium(`raw${at}`, recordsYaml(join(folder, 'trees'), hash))
        const reader = await readAllTheWhile(project)
        const told = await project.ntt(['apply', '--yes', '--jobs', String(jobs), 'raw0', 'raw1'])
        const longest = await reader.stop()
        if (jobs === 2) waits.push(longest)
        ;(jobs === 2 ? beside : after).push(told.seconds)
      } finally {
        await project.close()
        store.release()
      }
    }
  }
  return {
    bars: { 'load/beside': pairedRatio(beside, after), 'load/reader': median(waits) },
    notes: [
      `two media of ${paths} paths: ${median(beside).toFixed(2)} s at once, ${median(after).toFixed(2)} s one after the other (whole ntt apply)`,
    ],
  }
}

/** Asks what a person might, through the parents and of another medium, every 10 ms; `stop` tells the longest answer in seconds. */
async function readAllTheWhile(project: Project): Promise<{ stop(): Promise<number> }> {
  const client = await connect(project.server)
  let going = true
  let longest = 0
  const asking = (async () => {
    while (going) {
      const began = performance.now()
      await client.query(
        `select count(*) from path where medium_hash = (select medium_hash from medium where name = 'begin')`,
      )
      await client.query('select count(*) from (select from entry limit 100) as hundred')
      longest = Math.max(longest, performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  return {
    async stop() {
      going = false
      await asking
      await client.end()
      return longest / 1000
    },
  }
}
