declare module 'pg-copy-streams' {
  import type { Writable } from 'node:stream'
  import type { Submittable } from 'pg'

  /** `COPY … FROM STDIN`; finishes when the server has taken it all, `rowCount` then says how many. */
  export function from(sql: string): Writable & Submittable & { readonly rowCount: number }
}
