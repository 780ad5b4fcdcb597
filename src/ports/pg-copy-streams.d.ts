declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream'
  import type { Submittable } from 'pg'

  /** `COPY … TO STDOUT` as a stream of the bytes that the server sends. */
  export function to(sql: string): Readable & Submittable
  /** `COPY … FROM STDIN`; finishes when the server has taken it all, `rowCount` then says how many. */
  export function from(sql: string): Writable & Submittable & { readonly rowCount: number }
}
