// Volumes with some of their bytes changed: what a reader says of one, beside what it said when that was sound.
import { writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Volume } from '../../src/model/entry.ts'
import { RunError } from '../../src/model/errors.ts'
import type { FsReader } from '../../src/readers/reader.ts'
import { looking } from './looking.ts'
import { listAll, type Listed } from './reading.ts'

/** A volume, and what is known of it. */
export interface Sound {
  readonly image: string
  readonly bytes: Buffer
  readonly volume: Volume
  readonly whole: Listed
}

const text = ({ path }: { readonly path: Buffer }): string => path.toString('utf8')

/** Writes the image with a change, lists it, and compares names. */
export async function listChanged(
  reader: FsReader,
  { image, bytes, volume, whole }: Sound,
  change: (bytes: Buffer) => void,
) {
  const changed = Buffer.from(bytes)
  change(changed)
  writeFileSync(image, changed)
  const world = looking()
  const listed = await listAll(reader, image, volume, world)
  const [before, now] = [new Set(whole.entries.map(text)), new Set(listed.entries.map(text))]
  return {
    ...listed,
    missing: [...before.difference(now)],
    extra: [...now.difference(before)],
    errors: listed.errors.map((error) => `${error.error} ${text(error)}`),
    messages: listed.errors.map(({ message }) => message).join(),
    world,
  }
}

/** null: the volume was refused as a whole. */
export function orRefused(error: unknown): null {
  if (error instanceof RunError) return null
  throw error
}

/** Round after round of damage: none may cost a name without a word. Returns in how many something was told. */
export async function toldOf(
  rounds: number,
  damaged: (round: number) => ReturnType<typeof listChanged>,
): Promise<number> {
  let told = 0
  for (let round = 0; round < rounds; round += 1) {
    const result = await damaged(round).catch(orRefused)
    if (result === null || result.errors.length > 0) told += 1
    else expect(result.missing).toEqual([])
  }
  return told
}
