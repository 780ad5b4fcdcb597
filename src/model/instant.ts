// An instant of the record, as people read it.

/** In UTC: `2025-10-10 15:41:05`. Text that is no instant stays as it is. */
export const instant = (iso: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(iso) ? iso.slice(0, 19).replace('T', ' ') : iso
