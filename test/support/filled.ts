// A volume that another Linux fills and then reads: an independent witness of what is in it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inUml } from './uml.ts'

export interface Witness {
  /** `type nlink size seconds mode uid target path` of each entry, as find(1) prints them. */
  readonly lines: readonly string[]
  /** Path to the first 16 digits of the SHA-256 of each file. */
  readonly sums: ReadonlyMap<string, string>
}

/** How a volume is mounted at `/media/m`: for the script, and then to be looked at. `$loop` is its device. */
export interface Mounting {
  readonly filesystem: string
  readonly mount: string
  readonly look: string
}

/** The script runs in the root of the volume. */
export function filled(image: string, { filesystem, mount, look }: Mounting, script: string): Witness {
  const folder = join(image, '..')
  inUml(
    folder,
    [filesystem],
    `
      loop=$(attach ${image})
      ${mount}
      ( cd /media/m; ${script}
      )
      umount /media/m
      ${look}
      cd /media/m
      find . -printf '%y %n %s %T@ %m %U %l %P\\0' > ${folder}/found
      find . -type f -exec sha256sum -z {} + > ${folder}/sums
      cd /
    `,
  )
  const zeros = (file: string): string[] => readFileSync(join(folder, file), 'utf8').split('\0').slice(0, -1)
  const sums = zeros('sums').map((one): [string, string] => [one.slice(68), one.slice(0, 16)])
  // Of folders every driver tells other sizes and counts; of times only the seconds are compared.
  const lines = zeros('found').map((line) =>
    line.replace(/^d \d+ \d+/, 'd 1 0').replace(/^(\w \d+ \d+ -?\d+)\.\d+/, '$1'),
  )
  return { lines: lines.toSorted(), sums: new Map(sums) }
}
