// The head and the end of a raw enumeration: who made it, what became of each volume, the counts and the digest.
import { canonicalJson } from '../canonical.ts'
import type { VolumeOutcome, VolumeReport } from '../entry.ts'
import { RawError, type RawCounts } from './record.ts'

/** Of what, from where, and by which program. */
export interface RawAbout {
  readonly hash: string
  /** Where the entries were read from, for people. */
  readonly source: string
  /** Program and version. */
  readonly writer: string
  /** What of the image was not read then, as unreadPrint tells; left out where there is no image. */
  readonly unread?: string
  /** BLAKE3 of the image where that took the place of another one; left out for the first. */
  readonly image?: string
}

/** What stands in the trailer. */
export interface Totals {
  readonly content: string
  readonly counts: readonly RawCounts[]
}

export const magic = 'ntt-1 '
/** `end `, 16 digits, a space, 64 hex digits, NUL. */
export const endBytes = 86

const line = (mark: string, value: unknown): Buffer => Buffer.from(`${mark} ${canonicalJson(value)}\0`)

export const headLine = (about: RawAbout): Buffer => Buffer.from(`${magic}${canonicalJson(about)}\0`)
export const volumeLine = ({ label, ...report }: VolumeReport): Buffer =>
  line('#', { ...report, label: label.toString('hex') })
export const totalsLine = (totals: Totals): Buffer => line('=', totals)

/** All of the last record but the digest, which covers it, and the NUL. `offset`: where the first volume report begins. */
export const endLine = (offset: number): Buffer => Buffer.from(`end ${String(offset).padStart(16, '0')} `)

/** Offset and digest of the last record. */
export function readEnd(text: string): { readonly offset: number; readonly digest: string } {
  const [, offset, digest] = /^end ([0-9]{16}) ([0-9a-f]{64})\0$/.exec(text) ?? []
  if (offset === undefined || digest === undefined) throw new RawError('the last record is damaged')
  return { offset: Number(offset), digest }
}

function members(text: string, what: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RawError(`the ${what} is damaged`, { cause: error })
  }
  if (typeof value !== 'object' || value === null) throw new RawError(`the ${what} is damaged`)
  return Object.fromEntries(Object.entries(value))
}

function words(from: Readonly<Record<string, unknown>>, what: string) {
  const text = (key: string): string => {
    const value = from[key]
    if (typeof value !== 'string') throw new RawError(`the ${what} has no ${key}`)
    return value
  }
  const count = (key: string): number => {
    const value = from[key]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw new RawError(`the ${what} has no ${key}`)
    }
    return value
  }
  return { text, count }
}

export function readHead(text: string): RawAbout {
  const from = members(text, 'header')
  const about = words(from, 'header')
  const unread = typeof from['unread'] === 'string' ? { unread: from['unread'] } : {}
  const image = typeof from['image'] === 'string' ? { image: from['image'] } : {}
  const made = { hash: about.text('hash'), source: about.text('source'), writer: about.text('writer') }
  return { ...made, ...unread, ...image }
}

const outcomes: readonly VolumeOutcome[] = ['read', 'empty', 'waived', 'partial', 'unreadable']

export function readVolume(text: string): VolumeReport {
  const from = members(text, 'volume report')
  const report = words(from, 'volume report')
  const outcome = outcomes.find((word) => word === from['outcome'])
  if (outcome === undefined || !/^(?:[0-9a-f]{2})*$/.test(report.text('label'))) {
    throw new RawError('the volume report is damaged')
  }
  return {
    fs: report.count('fs'),
    scheme: report.text('scheme'),
    partitionType: report.text('partitionType'),
    start: report.count('start'),
    bytes: report.count('bytes'),
    type: from['type'] === null ? null : report.text('type'),
    label: Buffer.from(report.text('label'), 'hex'),
    uuid: report.text('uuid'),
    outcome,
    reason: report.text('reason'),
    reader: report.text('reader'),
    ...(from['failed'] === undefined ? {} : { failed: readStrings(from['failed']) }),
    ...(from['mounts'] === undefined ? {} : { mounts: readStrings(from['mounts']) }),
  }
}

function readStrings(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new RawError('the volume report is damaged')
  return value
}

export function readTotals(text: string): Totals {
  const from = members(text, 'trailer')
  const rows: readonly unknown[] = Array.isArray(from['counts']) ? from['counts'] : []
  if (rows.length === 0 && !Array.isArray(from['counts'])) throw new RawError('the trailer has no counts')
  const counts = rows.map((row): RawCounts => {
    const { count } = words(members(JSON.stringify(row), 'trailer'), 'trailer')
    return {
      fs: count('fs'),
      records: count('records'),
      files: count('files'),
      directories: count('directories'),
      links: count('links'),
      others: count('others'),
      errors: count('errors'),
      bytes: count('bytes'),
      inodes: count('inodes'),
    }
  })
  return { content: words(from, 'trailer').text('content'), counts }
}

/** What stands between the records and the last record: volume reports and one line of counts, and nothing else. */
export function readSection(bytes: Buffer): {
  readonly volumes: readonly VolumeReport[]
  readonly totals: Totals
} {
  const lines = bytes.toString().split('\0')
  const [totals = '', rest] = lines.splice(-2)
  if (rest !== '' || !totals.startsWith('= ')) throw new RawError('the trailer is damaged')
  const volumes = lines.map((text) => {
    if (!text.startsWith('# ')) throw new RawError('the trailer is damaged')
    return readVolume(text.slice(2))
  })
  return { volumes, totals: readTotals(totals.slice(2)) }
}
