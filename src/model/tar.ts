// tar headers: members into blocks and blocks into members. Names are bytes.
//
// Written is the GNU format: long names as bytes in members of their own (type L, K), large numbers in base 256; GNU tar,
// bsdtar, 7-Zip and busybox read it. Read (untar.ts) are that, plain ustar and pax.

export type TarType = 'file' | 'link' | 'symlink' | 'directory' | 'fifo' | 'char' | 'block'

export interface TarHeader {
  readonly name: Buffer
  readonly type: TarType
  /** Bytes of content; 0 for all but files. */
  readonly size: number
  /** Where a link leads; null for others. */
  readonly target: Buffer | null
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970. */
  readonly mtime: number
  /** Of a device node. */
  readonly major: number
  readonly minor: number
}

/** A stream is not a tar archive, or not one to its end. */
export class TarError extends Error {}

export const tarBlock = 512
const types: readonly (readonly [TarType, string])[] = [
  ['file', '0'],
  ['link', '1'],
  ['symlink', '2'],
  ['char', '3'],
  ['block', '4'],
  ['directory', '5'],
  ['fifo', '6'],
]
const flagOf = new Map(types)
const typeOf = new Map<string, TarType>([
  ...types.map(([type, flag]): [string, TarType] => [flag, type]),
  ['\0', 'file'],
  ['7', 'file'],
])

/** A time as a header has it: whole seconds; 0 where none is known. */
export const tarTime = (mtimeNs: bigint | null): number =>
  mtimeNs === null ? 0 : Number(BigInt.asIntN(64, mtimeNs) / 1_000_000_000n)

/** A regular file's header with the values that an archive of ours has. */
export const plainHeader = (name: string, size: number, mtime: number): TarHeader => ({
  name: Buffer.from(name),
  type: 'file',
  size,
  target: null,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime,
  major: 0,
  minor: 0,
})

/** The blocks before a member's content. */
export function tarHeader(header: TarHeader): Buffer {
  const name = header.type === 'directory' ? Buffer.concat([header.name, Buffer.from('/')]) : header.name
  const target = header.target ?? Buffer.alloc(0)
  return Buffer.concat([
    ...(name.length > 100 ? [long('L', name)] : []),
    ...(target.length > 100 ? [long('K', target)] : []),
    headerBlock(header, name.subarray(0, 100), target.subarray(0, 100), flagOf.get(header.type) ?? '0'),
  ])
}

/** How many bytes follow a member's content, up to the next block. */
export const paddingOf = (size: number): number => (tarBlock - (size % tarBlock)) % tarBlock

export const tarPadding = (size: number): Buffer => Buffer.alloc(paddingOf(size))

/** What ends an archive. */
export const tarEnd = Buffer.alloc(2 * tarBlock)

/** How many bytes a member takes in the archive. */
export const tarBytes = (header: TarHeader): number =>
  tarHeader(header).length + header.size + paddingOf(header.size)

function long(flag: 'L' | 'K', text: Buffer): Buffer {
  const content = Buffer.concat([text, Buffer.alloc(1)])
  const head = plainHeader('././@LongLink', content.length, 0)
  return Buffer.concat([
    headerBlock(head, head.name, Buffer.alloc(0), flag),
    content,
    tarPadding(content.length),
  ])
}

function headerBlock(header: TarHeader, name: Buffer, target: Buffer, flag: string): Buffer {
  const out = Buffer.alloc(tarBlock)
  name.copy(out, 0)
  number(out, 100, 8, header.mode)
  number(out, 108, 8, header.uid)
  number(out, 116, 8, header.gid)
  number(out, 124, 12, header.size)
  number(out, 136, 12, header.mtime)
  out.write(flag, 156, 'latin1')
  target.copy(out, 157)
  out.write('ustar  \0', 257, 'latin1')
  if (header.type === 'char' || header.type === 'block') {
    number(out, 329, 8, header.major)
    number(out, 337, 8, header.minor)
  }
  out.write(`${checksum(out).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return out
}

/** Octal where it fits, else base 256 with the top bit set, as two's complement. */
function number(out: Buffer, at: number, length: number, value: number): void {
  const octal = value < 0 ? '' : value.toString(8)
  if (value >= 0 && octal.length < length) {
    out.write(`${octal.padStart(length - 1, '0')}\0`, at, 'latin1')
    return
  }
  let rest = BigInt(value)
  for (let index = length - 1; index >= 0; index -= 1) {
    out[at + index] = Number(rest & 0xffn)
    rest >>= 8n
  }
  out[at] = value < 0 ? 0xff : 0x80
}

export function readNumber(head: Buffer, at: number, length: number): number {
  const first = head[at] ?? 0
  if ((first & 0x80) !== 0) {
    let value = BigInt((first & 0x40) === 0 ? first & 0x7f : first | -0x80)
    for (let index = 1; index < length; index += 1) value = value * 256n + BigInt(head[at + index] ?? 0)
    return Number(value)
  }
  const text = head.toString('latin1', at, at + length).replace(/^ +|[\0 ].*$/gs, '')
  if (text === '') return 0
  if (!/^[0-7]+$/.test(text))
    throw new TarError(`a header holds ${JSON.stringify(text)} where a number belongs`)
  return Number.parseInt(text, 8)
}

/** The sum of all bytes, those of the checksum itself counted as spaces. */
function checksum(head: Buffer): number {
  let sum = 8 * 0x20
  for (let index = 0; index < tarBlock; index += 1) if (index < 148 || index >= 156) sum += head[index] ?? 0
  return sum
}

/** Whether a block has the checksum that it states. */
export const hasChecksum = (head: Buffer): boolean => readNumber(head, 148, 8) === checksum(head)

export const untilNul = (bytes: Buffer): Buffer => {
  const end = bytes.indexOf(0)
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end))
}

/** The single header of a block, where it is one; null else. For looking into the middle of an archive. */
export function headerAt(head: Buffer): TarHeader | null {
  if (head.length < tarBlock || head.every((byte) => byte === 0)) return null
  try {
    return hasChecksum(head) ? parseHeader(head, {}) : null
  } catch (error) {
    if (error instanceof TarError) return null
    throw error
  }
}

/** What a member before this one said of it. */
export interface Overrides {
  readonly name?: Buffer
  readonly target?: Buffer
  readonly size?: number
}

/** The header of a block whose checksum has been compared; `size` is what the block itself says. */
export function parseHeader(head: Buffer, { name, target }: Overrides): TarHeader {
  const flag = head.toString('latin1', 156, 157)
  const type = typeOf.get(flag)
  if (type === undefined) throw new TarError(`a member of type ${JSON.stringify(flag)} cannot be read`)
  const isGnu = head.toString('latin1', 257, 265) === 'ustar  \0'
  const isUstar = head.toString('latin1', 257, 262) === 'ustar' && !isGnu
  const prefix = isUstar ? untilNul(head.subarray(345, 500)) : Buffer.alloc(0)
  const short = untilNul(head.subarray(0, 100))
  const joined = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), short]) : short
  const whole = name ?? joined
  const isLink = type === 'link' || type === 'symlink'
  const isNode = type === 'char' || type === 'block'
  return {
    name: type === 'directory' && whole.at(-1) === 0x2f ? whole.subarray(0, -1) : whole,
    type,
    size: readNumber(head, 124, 12),
    target: isLink ? (target ?? untilNul(head.subarray(157, 257))) : null,
    mode: readNumber(head, 100, 8) & 0o7777,
    uid: readNumber(head, 108, 8),
    gid: readNumber(head, 116, 8),
    mtime: readNumber(head, 136, 12),
    major: isNode ? readNumber(head, 329, 8) : 0,
    minor: isNode ? readNumber(head, 337, 8) : 0,
  }
}
