// What went wrong with the database, in words that say what to do. No password is ever in them.
import { NttError, ObserveError, RunError, StoreError, errnoOf, messageOf } from '../../model/errors.ts'
import { stopReason } from '../errno.ts'

/** Looking fails as "not known", writing as "not done". */
export type Purpose = 'look' | 'write'

/** Codes of a server that is just starting, stopping or coming back: worth another try. */
const passing = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P03', '57P01', '57P02'])
export const willPass = (error: unknown): boolean => passing.has(errnoOf(error) ?? '')

/** User, host and database of a connection URL, for messages: never the password, wherever it stands in the URL. */
export function nameOf(url: string): string {
  const { username, host, pathname, searchParams } = new URL(url)
  const user = username || searchParams.get('user')
  const place = host || (searchParams.get('host') ?? 'localhost')
  return `${user ? `${decodeURIComponent(user)}@` : ''}${decodeURIComponent(place)}${decodeURIComponent(pathname)}`
}

const unreachable = 'Is the server running, and is the database URL (NTT_DB_URL) right?'
const refused = 'The user or the password in the database URL (NTT_DB_URL) is wrong.'

/** What to do about a failure, by the server's SQLSTATE or the system's errno. */
const hints: Readonly<Record<string, string>> = {
  ENOENT: unreachable,
  ECONNREFUSED: unreachable,
  ECONNRESET: unreachable,
  EPIPE: unreachable,
  ETIMEDOUT: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EACCES: 'The socket belongs to another user: run ntt as that user or as root.',
  '28P01': refused,
  '28000': refused,
  '3D000': 'Create the database (createdb), or correct the database URL (NTT_DB_URL).',
  '42501': 'The role lacks a privilege: grant it, or use the role that owns the tables.',
  '42P01': "The schema is not the one that ntt makes; 'ntt apply' makes it in an empty database.",
  '53100': 'The disk of the database is full.',
  '53300': 'The server has no connection left: lower --jobs, or raise its max_connections.',
  '55P03': 'Somebody else holds a table for long: try again when that has ended.',
  '25006': 'The server takes no writes (a standby, or a role that may only read).',
}

/** Node tells a refused name as one error with several causes and no message. */
const wordsOf = (error: unknown): string =>
  error instanceof AggregateError && error.message === ''
    ? error.errors.map(messageOf).join('; ')
    : messageOf(error)

/** What the driver itself says without a code: time-outs, broken connections, and passwords that were never given. */
const wordless = (words: string) => (/password|SASL/.test(words) ? refused : unreachable)

const isBug = (error: unknown) => [TypeError, RangeError, ReferenceError].some((bug) => error instanceof bug)

/** The failure of ours for one of the driver's. Ours pass as they are, and so do bugs; an interrupted call is an interruption. */
export function blame(error: unknown, name: string, purpose: Purpose, signal?: AbortSignal): unknown {
  if (signal?.aborted) return stopReason(signal, error)
  if (error instanceof NttError || isBug(error)) return error
  const [code, words] = [errnoOf(error), wordsOf(error)]
  const hint = code === undefined ? wordless(words) : hints[code]
  const parts = { cause: error, ...(hint !== undefined && { hint }) }
  if (purpose === 'look') return new ObserveError(`cannot ask the database ${name}: ${words}`, parts)
  const Failure = code === '53100' ? StoreError : RunError
  return new Failure(`cannot write to the database ${name}: ${words}`, parts)
}
