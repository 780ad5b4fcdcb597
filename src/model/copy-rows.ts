// Rows out of the text that `COPY (…) TO STDOUT` sends.
import { ObserveError } from './errors.ts'

/**
 * Each row as `pattern` takes it apart, a chunk's rows at a time. Throws ObserveError where a row is another, or was cut: what the
 * server did not say to its end is not known.
 */
export async function* rowsOf(
  text: AsyncIterable<Buffer>,
  pattern: RegExp,
): AsyncGenerator<readonly RegExpExecArray[]> {
  let rest = ''
  for await (const chunk of text) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    yield lines.map((line) => {
      const row = pattern.exec(line)
      if (row === null) throw new ObserveError(`the server sent a row that is none: ${line}`)
      return row
    })
  }
  if (rest !== '') throw new ObserveError('the server sent a row without an end')
}

/** A field that may be null. */
export const numberOrNull = (field: string | undefined): number | null =>
  field === undefined || field === '\\N' ? null : Number(field)
