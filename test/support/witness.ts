// What all readers together say of an image, and what drivers of Linux say of it: each volume as path to kind, size and digest.
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry, VolumeReport } from '../../src/model/entry.ts'
import { readerNamed } from '../../src/readers/index.ts'
import { findVolumes } from '../../src/readers/volumes/index.ts'
import { gather, tasksFor } from '../../src/stages/enumerate/gather.ts'
import { looking } from './looking.ts'
import { contentsOf } from './reading.ts'
import { inUml } from './uml.ts'

/** Path (Latin-1) to `kind`, for files `f size digest`. */
export type Holding = ReadonlyMap<string, string>

export interface VolumeSeen {
  readonly report: VolumeReport
  readonly holding: Holding
  readonly errors: number
}

/** Enumerates an image as the stage does, and reads every file of it. */
export async function readAll(image: string): Promise<readonly VolumeSeen[]> {
  const world = looking()
  const bytes = statSync(image).size
  const found = await findVolumes(image, bytes, world)
  for (const tasks = tasksFor(found, bytes, { partitions: {} }); ;) {
    const reports: VolumeReport[] = []
    const entries = new Map<number, Entry[]>()
    const errors = new Map<number, number>()
    try {
      for await (const batch of gather({ place: image, unread: [] }, tasks, reports, world))
        for (const record of batch) {
          if ('error' in record) errors.set(record.fs, (errors.get(record.fs) ?? 0) + 1)
          else {
            const own = entries.get(record.fs) ?? []
            own.push({ ...record.entry, path: Buffer.from(record.entry.path) })
            entries.set(record.fs, own)
          }
        }
    } catch (error) {
      // A reader that failed was taken out; without one the volume ends as unreadable.
      if (error instanceof Error && 'tag' in error && error.tag === 'reader') continue
      throw error
    }
    const seen: VolumeSeen[] = []
    for (const report of reports) {
      const own = entries.get(report.fs) ?? []
      seen.push({ report, holding: await holdingOf(image, report, own), errors: errors.get(report.fs) ?? 0 })
    }
    return seen
  }
}

async function holdingOf(image: string, report: VolumeReport, entries: readonly Entry[]): Promise<Holding> {
  const reader = readerNamed(report.reader)
  const digests =
    reader === null ? new Map<string, string>() : await contentsOf(reader, image, report, entries)
  return new Map(
    entries.map(({ path, type, size }) => {
      const name = path.toString('latin1')
      return [name, type === 'f' ? `f ${size} ${digests.get(name) ?? 'unread'}` : type]
    }),
  )
}

/** What a driver of Linux is asked to look at. */
export interface Look {
  readonly name: string
  readonly image: string
  /** As `mount -t` names it, with its options. */
  readonly driver: string
  readonly options?: string
  readonly start: number
  readonly bytes: number
}

/** All of them in one small Linux. A volume that does not mount is not in the answer. */
export function lookByUml(folder: string, looks: readonly Look[]): ReadonlyMap<string, Holding> {
  const script = looks.flatMap(({ name, image, driver, options = 'ro', start, bytes }) => [
    `L=$(losetup -r -f --show -o ${start} --sizelimit ${bytes} '${image}')`,
    `if mount -t ${driver} -o '${options}' $L /media/m; then`,
    `( cd /media/m; find . -printf '%y %s %P\\0' > '${folder}/${name}.names'`,
    `find . -type f -print0 | xargs -0 -r sha256sum -z > '${folder}/${name}.sums' ); umount /media/m; fi`,
  ])
  const filesystems = [...new Set(looks.map(({ driver }) => (driver.startsWith('ext') ? 'ext' : driver)))]
  inUml(folder, filesystems, script.join('\n'))
  const seen = new Map<string, Holding>()
  for (const { name } of looks) {
    const names = recordsOf(join(folder, `${name}.names`))
    if (names === null) continue
    const sums = new Map(
      (recordsOf(join(folder, `${name}.sums`)) ?? []).map((line) => [line.slice(68), line.slice(0, 16)]),
    )
    seen.set(
      name,
      new Map(
        names.map((line) => {
          const [, kind = '', size = '', path = ''] = /^(\S) (\d+) (.*)$/s.exec(line) ?? []
          return [path, kind === 'f' ? `f ${size} ${sums.get(path) ?? 'unread'}` : kind]
        }),
      ),
    )
  }
  return seen
}

function recordsOf(file: string): readonly string[] | null {
  try {
    return readFileSync(file, 'latin1')
      .split('\0')
      .filter((line) => line !== '')
  } catch {
    return null
  }
}

export interface Difference {
  readonly missing: readonly string[]
  readonly extra: readonly string[]
  readonly wrong: readonly string[]
}

/** Nothing in any of the three: both hold the same. */
export function difference(expected: Holding, actual: Holding): Difference {
  return {
    missing: [...expected.keys()].filter((path) => !actual.has(path)),
    extra: [...actual.keys()].filter((path) => !expected.has(path)),
    wrong: [...expected].flatMap(([path, what]) =>
      actual.has(path) && actual.get(path) !== what ? [`${path}: ${what} // ${actual.get(path)}`] : [],
    ),
  }
}

/** Over all paths, sizes and digests of contents. */
export function digestOf(holding: Holding): string {
  const lines = [...holding].map(([path, what]) => `${path}\0${what}\n`).toSorted()
  return createHash('sha256').update(lines.join(''), 'latin1').digest('hex').slice(0, 16)
}

export const counted = (holding: Holding): string => {
  const count = (kind: string): number => [...holding.values()].filter((what) => what.startsWith(kind)).length
  return `${count('f')} files, ${count('d')} directories, ${holding.size - count('f') - count('d')} others`
}
