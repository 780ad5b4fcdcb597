// Cue sheets: what the tracks of a raw CD image are, as whoever made the image wrote it down. Pure.

/** A track of a cue sheet. */
export interface Track {
  /** The file that it is in, as the sheet names it. */
  readonly file: string
  readonly number: number
  /** `AUDIO`, `MODE1/2352`, … */
  readonly mode: string
  readonly title: string | null
}

/** The tracks that a cue sheet lists for a file; of a sheet for one file all of them. What is not understood is left out. */
export function parseCue(text: string, file: string): readonly Track[] {
  const tracks: (Track & { title: string | null })[] = []
  let own = ''
  for (const line of text.split(/\r?\n/)) {
    own =
      /^\s*FILE\s+(?:"([^"]+)"|(\S+))/i
        .exec(line)
        ?.slice(1)
        .find((one) => one !== undefined) ?? own
    const track = /^\s*TRACK\s+(\d+)\s+(\S+)/i.exec(line)
    if (track !== null)
      tracks.push({ file: own, number: Number(track[1]), mode: (track[2] ?? '').toUpperCase(), title: null })
    const title = /^\s*TITLE\s+"?([^"]*)"?/i.exec(line)?.[1] ?? null
    const last = tracks.at(-1)
    if (title !== null && last !== undefined) last.title = title
  }
  const files = new Set(tracks.map((track) => track.file))
  return tracks.filter((track) => files.size === 1 || baseName(track.file) === file)
}

const baseName = (path: string): string => path.split(/[\\/]/).at(-1) ?? path
