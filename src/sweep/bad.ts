// Contents of the store that are not what their names say, told to people and to the media that hold them.
import { stageNamed } from '../apply/hands.ts'
import { ObserveError } from '../model/errors.ts'
import type { Medium } from '../model/medium.ts'
import type { Observed, Proof } from '../model/stage.ts'
import { observeStage } from '../observe.ts'
import type { SweepHands } from './hands.ts'

export interface Bad {
  readonly blob: string
  readonly is: 'missing' | 'unreadable' | 'altered' | 'resized'
  readonly text: string
}

/** Of so many media that hold one, a path is told. */
const pathsTold = 100

/** To people, by medium and path; and to the record of each declared medium, so that its next plan repairs it. */
export async function tellBad(
  bad: readonly Bad[],
  media: readonly Observed[],
  hands: SweepHands,
): Promise<void> {
  const owners = await hands.query<Owner>(ownersOf, [bad.map(({ blob }) => blob)])
  const byBlob = Map.groupBy(owners, ({ blob }) => blob)
  for (const { blob, text } of bad) {
    const own = byBlob.get(blob) ?? []
    hands.emit({
      type: 'store.bad',
      blob,
      text,
      media: own.map(nameOf),
      paths: own
        .slice(0, pathsTold)
        .map((owner) => `${nameOf(owner)}: ${owner.path?.toString('latin1') ?? ''}`),
    })
  }
  for (const [hash, own] of Map.groupBy(owners, (owner) => owner.hash)) {
    const observed = media.find(({ medium }) => medium.hash === hash)
    if (observed === undefined || observed.medium.hash === null) continue
    const blobs = new Set(own.map(({ blob }) => blob))
    await contradict(
      observed.medium,
      bad.filter(({ blob }) => blobs.has(blob)),
      hands,
    )
  }
}

async function contradict(medium: Medium, bad: readonly Bad[], hands: SweepHands): Promise<void> {
  const held = await hands.hold(medium)
  try {
    const { run, host } = hands
    const stage = stageNamed(hands.stages, 'copy')
    const seen = await observeStage(stage, medium, hands.reader(medium.name))
    if ('unknown' in seen) throw new ObserveError(seen.unknown.text)
    const check = {
      name: 'contents read back from the store',
      ok: false,
      expected: '0 bad',
      actual: `${bad.length} bad: ${bad
        .slice(0, 3)
        .map(({ blob, text }) => `${blob.slice(0, 16)}… ${text}`)
        .join('; ')}`,
    }
    const proof: Proof = {
      stage: 'copy',
      of: seen.of,
      depth: 'hash',
      ok: false,
      checks: [check],
      figures: { bad: bad.length },
      facts: { bad: bad.slice(0, 1000).map(({ blob, is }) => `${blob} ${is}`) },
      content: null,
      run,
      host,
      at: hands.now().toISOString(),
    }
    await hands.record(medium, proof, undefined)
    hands.emit({
      type: 'step.contradicted',
      medium: medium.name,
      hash: medium.hash,
      stage: 'copy',
      check,
    })
  } finally {
    await held.release()
  }
}

interface Owner {
  readonly blob: string
  readonly hash: string
  readonly name: string | null
  readonly path: Buffer | null
}

const nameOf = ({ name, hash }: Owner): string => name ?? hash

/** Each medium that holds one of these, with one of its files. No index leads there: it is asked only when something is wrong. */
const ownersOf = `
  select encode(o.blob_id, 'hex') as blob, m.medium_hash as hash, m.name,
         (select p.path from path p where p.medium_id = o.medium_id and p.fs = o.fs and p.ino = o.ino order by p.path limit 1) as path
    from (select distinct on (blob_id, medium_id) blob_id, medium_id, fs, ino from outcome
           where blob_id = any (select decode(b, 'hex') from unnest($1::text[]) as b) order by blob_id, medium_id, fs, ino) o
    join medium m using (medium_id) order by 1, 2`
