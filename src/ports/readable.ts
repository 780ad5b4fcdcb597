// What may be opened to be read: files, folders and drives. A pipe would wait for a writer, and some devices never end.
import { ObserveError } from '../model/errors.ts'

/** What a call of stat tells of a name. */
interface Found {
  isFile(): boolean
  isDirectory(): boolean
  isBlockDevice(): boolean
}

/** Throws ObserveError for anything else that lies at `path`: it is there, and it is never looked into. */
export function needReadable(found: Found, path: string): void {
  if (found.isFile() || found.isDirectory() || found.isBlockDevice()) return
  throw new ObserveError(`${path} is neither a file nor a folder nor a drive`, {
    hint: 'Whatever it is (a pipe, a socket, a terminal), it is not opened: move it away.',
  })
}

/** Throws ObserveError for a folder too: an event log is a file. */
export function needFile(found: Found, path: string): void {
  needReadable(found, path)
  if (!found.isDirectory()) return
  throw new ObserveError(`${path} is a folder, and the event log is a file`, {
    hint: 'Move it away: the next run begins a new log.',
  })
}
