// archive: image, map and records as one tar.zst, beside tar and zstd; its proof; and what is read from its middle.
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { framesOf, readSeekTable } from '../../src/model/seekable.ts'
import { unpackFrames } from '../../src/ports/zstd.ts'
import { median, pairedRatio, type Sample } from '../figures.ts'
import { interleave, run, settle, shell, type Contender } from '../measure.ts'
import { begunProject, stageTime, type LogLine } from '../project.ts'
import type { Section } from './section.ts'
import * as sets from './sets.ts'

interface Archived extends Sample {
  /** Making it durable, reading it back included. */
  readonly proof: number
  readonly all: number
}

export const archive: Section = async (bench) => {
  const store = bench.store()
  const disc = await sets.disc(bench)
  await sets.warm(disc.image)
  const [made, proven]: [Archived[], Sample[]] = [[], []]
  const [seeks, streams, sizes]: [number[], number[], number[]] = [[], [], []]
  const ours: Contender = {
    name: 'ntt, archive stage',
    async run() {
      const project = await begunProject(bench.work, join(store.fresh(), 'project'))
      try {
        project.medium('disc', sets.imageYaml(disc.image, 'copied'))
        await project.ntt(['apply', '--yes', 'disc'])
        project.medium('disc', sets.imageYaml(disc.image, 'archived'))
        await settle(bench)
        const told = await project.ntt(['apply', '--yes', 'disc'])
        const { all, proof } = stageTime(told.events, 'archive', 'disc')
        const sample = { ...told, seconds: packing(told.events), proof, all }
        made.push(sample)
        const checked = await project.ntt(['verify', '--depth', 'hash', 'disc'])
        proven.push({ ...checked, seconds: stageTime(checked.events, 'archive', 'disc').all })
        const file = archiveOf(told.events, project.state)
        // The same bytes for the plain archive: what ntt packed, as tar laid it out.
        if (made.length === 1)
          await run(
            shell(
              'zstd -dcq "$1" >"$2.tar"; mkdir "$2"; tar -C "$2" -xf "$2.tar"',
              file,
              join(bench.work, 'same'),
            ),
          )
        sizes.push(statSync(file).size)
        const seek = await fromTheMiddle(file)
        seeks.push(seek.seconds)
        streams.push(
          (await run(shell('zstd -dcq "$1" | head -c "$2" >/dev/null', file, String(seek.end)))).seconds,
        )
        return sample
      } finally {
        await project.close()
        store.release()
      }
    },
  }
  const plainSizes: number[] = []
  const theirs: Contender = {
    name: 'tar | zstd -3 -T0',
    async prepare() {
      store.fresh()
      await settle(bench)
    },
    async run() {
      const into = join(store.folder, 'plain.tar.zst')
      const members = join(bench.work, 'same')
      const ran = await run(
        shell('tar -C "$1" -cf - . | zstd -q -3 -T0 -o "$2"; sync -f "$2"', members, into),
      )
      plainSizes.push(statSync(into).size)
      return ran
    },
    async clear() {
      store.release()
    },
  }
  const unpacking: Sample[] = []
  const checking: Contender = {
    name: 'zstd -dc | b3sum',
    async prepare() {
      store.fresh()
      await run(
        shell('zstd -q -3 -T0 "$1" -o "$2"', join(bench.work, 'same.tar'), join(store.folder, 'plain.zst')),
      )
      await settle(bench)
      // Ours reads the disk, so this one does too.
      await run(
        shell(
          'dd of="$1" oflag=nocache conv=notrunc,fdatasync count=0 status=none',
          join(store.folder, 'plain.zst'),
        ),
      )
    },
    async run() {
      const ran = await run(shell('zstd -dcq "$1" | b3sum >/dev/null', join(store.folder, 'plain.zst')))
      unpacking.push(ran)
      return ran
    },
    async clear() {
      store.release()
    },
  }
  // The plain ones need the members of ours, which is the first in the first round.
  const series = await interleave([ours, theirs, checking], bench.rounds, (text) => bench.tell(text))
  const [mine, plain, check] = series.map(({ samples }) => samples.map(({ seconds }) => seconds))
  const [first, ...rest] = series
  return {
    section: 'archive',
    tables: [
      {
        title: `a CD image of ${disc.files} files with its map and records`,
        series: [
          ...(first === undefined ? [] : [first]),
          { name: 'ntt, stage with its proof', samples: made.map((one) => ({ ...one, seconds: one.all })) },
          { name: 'ntt verify --depth hash', samples: proven },
          ...rest,
        ],
      },
    ],
    bars: {
      'archive/time': pairedRatio(mine ?? [], plain ?? []),
      'archive/size': pairedRatio(sizes, plainSizes),
      'archive/proof': pairedRatio(
        proven.map(({ seconds }) => seconds),
        check ?? [],
      ),
      'archive/seek': pairedRatio(seeks, streams),
    },
    notes: [
      'ntt, archive stage: until the packed file is durable; it is read back before it gets its name',
      `1 MiB from the middle: ${(median(seeks) * 1000).toFixed(0)} ms, decompressing up to it ${(median(streams) * 1000).toFixed(0)} ms`,
    ],
  }
}

/** From the stage's start to its own word that the file is packed; all of its work where it says none. */
function packing(events: readonly LogLine[]): number {
  const own = events.filter(({ medium }) => medium === 'disc')
  const start = own.find(({ event }) => event === 'archive_start')
  const packed = own.find(({ event, text }) => event === 'archive_line' && String(text).startsWith('packed'))
  if (start === undefined || packed === undefined) return stageTime(events, 'archive', 'disc').work
  return (Date.parse(String(packed['ts'])) - Date.parse(String(start['ts']))) / 1000
}

const archiveOf = (events: readonly LogLine[], state: string): string => {
  const hash = events.find(({ medium }) => medium === 'disc')?.['medium_hash']
  return join(state, 'archive', `${String(hash)}.tar.zst`)
}

/** 1 MiB from the middle of an archive's content, by its seek table. */
async function fromTheMiddle(path: string): Promise<{ readonly seconds: number; readonly end: number }> {
  const began = performance.now()
  const file = openSync(path, 'r')
  try {
    const read = async (start: number, end: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafe(end - start)
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
    }
    const frames = await readSeekTable(read, statSync(path).size)
    const last = frames?.at(-1)
    if (frames === null || last === undefined) throw new Error('the archive has no seek table')
    const start = Math.floor((last.at + last.bytes) / 2)
    const end = start + 2 ** 20
    let bytes = 0
    for await (const chunk of unpackFrames(framesOf(frames, start, end), read)) bytes += chunk.length
    if (bytes < end - start) throw new Error(`${bytes} bytes from the middle`)
    return { seconds: (performance.now() - began) / 1000, end }
  } finally {
    closeSync(file)
  }
}
