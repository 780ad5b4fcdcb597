// What blkid and partx say of an image: commands, and their output parsed. Both work on a plain file, without root.
import type { Command } from '../../model/command.ts'
import { ObserveError } from '../../model/errors.ts'
import type { Range } from '../../model/world.ts'

/** What blkid found in a range. */
export interface Probe {
  /** TYPE, or null where nothing was recognised. */
  readonly type: string | null
  /** `filesystem`, `raid`, `crypto`, `other`; empty where nothing was recognised. */
  readonly usage: string
  readonly label: Buffer
  readonly uuid: string
  /** Scheme of a partition table, or null. */
  readonly table: string | null
  /** Types that are there at the same time, where blkid will not decide between them. */
  readonly candidates: readonly string[]
}

const probeMs = 60_000

/** Asks what lies in a range of an image; `type` asks for that one only. Ends with 2 where there is nothing, 8 where there is too much. */
export const blkid = (image: string, range: Range | null, type?: string): Command => ({
  file: 'blkid',
  args: [
    '-p',
    '--output=udev',
    ...(range === null ? [] : ['-O', String(range.start), '-S', String(range.end - range.start)]),
    ...(type === undefined ? [] : ['-n', type]),
    '--',
    image,
  ],
  accept: [2, 8],
  timeoutMs: probeMs,
})

/** `ID_FS_LABEL_ENC=l\x5c\x20\xe9` and its like, one a line. */
export function parseBlkid(stdout: Buffer): Probe {
  const found = new Map(
    stdout
      .toString('latin1')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  const text = (key: string): string => unescapeHex(found.get(key) ?? '').toString('latin1')
  const candidates = (found.get('ID_FS_AMBIVALENT') ?? '')
    .split(' ')
    .flatMap((one) => one.split(':')[1] ?? [])
  return {
    type: text('ID_FS_TYPE') || candidates[0] || null,
    usage: text('ID_FS_USAGE'),
    label: unescapeHex(found.get('ID_FS_LABEL_ENC') ?? ''),
    uuid: text('ID_FS_UUID_ENC'),
    table: text('ID_PART_TABLE_TYPE') || null,
    candidates: [...new Set(candidates)],
  }
}

/** `\xHH` into bytes; whatever else stands there stands for itself. */
export function unescapeHex(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\x([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  )
}

/** One line of a partition table. */
export interface Partition {
  readonly number: number
  /** Bytes in the image. */
  readonly start: number
  readonly bytes: number
  readonly type: string
  readonly scheme: string
}

const sector = 512

/** Asks for the partition table; ends with 1 where there is none. A disk with large sectors keeps it elsewhere. */
export const partx = (image: string, sectorBytes = sector): Command => ({
  file: 'partx',
  args: ['-P', '-S', String(sectorBytes), '-o', 'NR,START,SECTORS,TYPE,SCHEME', '--', image],
  accept: [1],
  timeoutMs: probeMs,
})

/** `NR="1" START="2048" SECTORS="16384" TYPE="0x83" SCHEME="dos"`, one a line; starts and sizes in units of 512. */
export function parsePartx(stdout: Buffer): readonly Partition[] {
  const lines = stdout.toString('latin1').split('\n')
  return lines
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const field = new Map([...line.matchAll(/([A-Z]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]))
      const number = (key: string): number => {
        const value = Number(field.get(key) || Number.NaN)
        if (!Number.isSafeInteger(value)) throw new ObserveError(`partx said what it never says: ${line}`)
        return value
      }
      return {
        number: number('NR'),
        start: number('START') * sector,
        bytes: number('SECTORS') * sector,
        type: field.get('TYPE') ?? '',
        scheme: field.get('SCHEME') ?? '',
      }
    })
}
