// What the rows of a medium were made from, as `generation.origin` keeps it.

export interface LoadOrigin {
  /** Digest of the records, whatever their order: an enumeration made again, of the same, is the same. */
  readonly content: string
  /** Fingerprint of what became of the volumes. */
  readonly volumes: string
  /** What of the image was not read when it was made (unreadPrint); null where nobody said. */
  readonly unread: string | null
  /** Entries; null where the file does not tell without being read whole. */
  readonly records: number | null
}

/** `<records> <digest of the records> <fingerprint of the volumes>`, and what was unread. */
export const loadOriginText = ({ content, volumes, unread }: LoadOrigin, records: number): string =>
  `${records} ${content} ${volumes}${unread === null ? '' : ` ${unread}`}`

/** null: nobody said what the rows were made from, or in no words of ours. */
export function parseLoadOrigin(text: string): (LoadOrigin & { readonly records: number }) | null {
  const [, records, content, volumes, unread = null] =
    /^([0-9]+) (\S+) ([0-9a-f]{16})(?: ([0-9a-f]{16}))?$/.exec(text) ?? []
  if (records === undefined || content === undefined || volumes === undefined) return null
  return { content, volumes, unread, records: Number(records) }
}
