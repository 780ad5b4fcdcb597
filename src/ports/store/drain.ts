// A content that comes as a stream: read to its end, or the reason why it cannot be had.
import { ObserveError } from '../../model/errors.ts'
import type { Kept } from './jobs.ts'

/** Hands all of a stream to `take`. A stream that says ObserveError is a content that cannot be had; others end all. */
export async function drain(
  bytes: AsyncIterable<Buffer>,
  take: (chunk: Buffer) => void | Promise<void>,
): Promise<Kept | null> {
  const stream = bytes[Symbol.asyncIterator]()
  try {
    for (;;) {
      let next: IteratorResult<Buffer>
      try {
        next = await stream.next()
      } catch (error) {
        if (error instanceof ObserveError) return { class: 'unreadable', message: error.message }
        throw error
      }
      if (next.done === true) return null
      await take(next.value)
    }
  } catch (error) {
    await stream.return?.()
    throw error
  }
}

export const sizeChanged = (expected: number, found: number): Kept => ({
  class: 'size-changed',
  message: `${expected} bytes when it was enumerated, ${found} now`,
})
