// Fixed plans and events for the tests of the views: what a run of a few media tells.
import type { Event, Happening } from '../../src/model/event.ts'
import type { KindName, StageName, Target } from '../../src/model/medium.ts'
import { stageNames } from '../../src/model/medium.ts'
import type { Action, Lane, Plan, ReasonCode, Step } from '../../src/model/stage.ts'

export const hashOf = (name: string): string => Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32)

export const at = (medium: string, stage: StageName) => ({ medium, hash: hashOf(medium), stage }) as const

/** Stamps happenings, each `stepMs` after the one before. */
export function stamped(happenings: readonly Happening[], stepMs = 1000): readonly Event[] {
  const start = Date.parse('2026-03-01T12:00:00.000Z')
  return happenings.map((happening, place) => ({
    ...happening,
    ts: new Date(start + place * stepMs).toISOString(),
    run: '01JTESTRUN',
    host: 'lab',
    pid: 4711,
    seq: place + 1,
  }))
}

export const step = (
  medium: string,
  stage: StageName,
  action: Action,
  code: ReasonCode,
  text: string,
  more: Partial<Step> = {},
): Step => ({
  medium,
  stage,
  action,
  because: { code, text },
  contradicts: null,
  of: action === 'unknown' ? null : 'f'.repeat(64),
  proof: action === 'keep' ? { at: '2026-02-27T09:30:00.000Z', depth: 'counts' } : null,
  ...more,
})

export const lane = (
  medium: string,
  kind: KindName,
  bytes: number | null,
  holds: StageName | null,
  steps: readonly Step[],
  more: Partial<Lane> = {},
): Lane => ({
  medium,
  label: null,
  kind,
  hash: hashOf(medium),
  hashVersion: 'v2',
  bytes,
  health: null,
  target: 'archived' satisfies Target,
  steps,
  claims: [],
  holds,
  exclusive: null,
  ...more,
})

export const planOf = (...lanes: readonly Lane[]): Plan => ({
  version: 1,
  at: '2026-03-01T12:00:00.000Z',
  lanes,
})

export const newLane = (medium: string, kind: KindName = 'floppy', bytes = 1_474_560): Lane =>
  lane(
    medium,
    kind,
    bytes,
    null,
    stageNames.map((stage) =>
      step(medium, stage, 'run', 'absent', stage === 'image' ? 'no image yet' : `no ${stage} yet`),
    ),
  )

export const metLane = (medium: string): Lane =>
  lane(
    medium,
    'optical',
    43_122_688,
    'archive',
    stageNames.map((stage) => step(medium, stage, 'keep', 'proven', `${stage} is there`)),
  )

/** The plan that cli.md shows: a new floppy, a CD that is imaged, a false claim, another disc in the drive, a met one. */
export const tour: Plan = planOf(
  newLane('ceh-001'),
  lane('ceh-002', 'optical', 43_122_688, 'image', [
    step('ceh-002', 'image', 'keep', 'proven', '43,122,688 bytes, all rescued, blake3 9f2c61d0…'),
    step('ceh-002', 'enumerate', 'run', 'absent', 'no enumeration'),
    step('ceh-002', 'load', 'run', 'absent', 'no rows'),
    step('ceh-002', 'copy', 'run', 'absent', 'no outcomes'),
    step('ceh-002', 'archive', 'run', 'absent', 'no archive'),
  ]),
  metLane('ceh-004'),
  lane(
    'ceh-005',
    'optical',
    null,
    null,
    [
      step(
        'ceh-005',
        'image',
        'refuse',
        'wrong-medium',
        'the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005',
      ),
      step('ceh-005', 'enumerate', 'wait', 'waits', 'waits for image'),
      step('ceh-005', 'load', 'wait', 'waits', 'waits for image'),
    ],
    { hash: null, hashVersion: null },
  ),
  lane(
    'ceh-006',
    'optical',
    67_108_864,
    'enumerate',
    [
      step('ceh-006', 'image', 'keep', 'proven', '67,108,864 bytes'),
      step('ceh-006', 'enumerate', 'keep', 'proven', '1,161 records: 1,056 files, 105 others'),
      step('ceh-006', 'load', 'run', 'absent', 'no rows'),
      step('ceh-006', 'copy', 'run', 'absent', 'no outcomes; medium.copy_done is set, and is not believed', {
        contradicts: 'claim',
      }),
      step('ceh-006', 'archive', 'prove', 'unproven', 'an archive of 2025-10-10; never verified'),
    ],
    { claims: [{ stage: 'copy', text: 'the database claims copy_done (2025-10-10 15:41:05)' }] },
  ),
)

/** A run over three media: one converges with a loss, one fails its verification, one is refused. */
export const shortRun: readonly Happening[] = [
  { type: 'run.started', verb: 'apply', version: '0.1.0', arguments: ['apply', '--yes'] },
  { type: 'plan.ready', lanes: tour.lanes },
  {
    type: 'step.started',
    ...at('ceh-001', 'image'),
    action: 'run',
    because: { code: 'absent', text: 'no image yet' },
  },
  {
    type: 'step.progress',
    ...at('ceh-001', 'image'),
    done: 0,
    total: 1_474_560,
    unit: 'bytes',
  },
  {
    type: 'step.progress',
    ...at('ceh-001', 'image'),
    done: 737_280,
    total: 1_474_560,
    unit: 'bytes',
  },
  { type: 'step.line', ...at('ceh-001', 'image'), text: 'ddrescue: pass 1 of 3' },
  { type: 'step.verifying', ...at('ceh-001', 'image'), depth: 'hash' },
  {
    type: 'step.checked',
    ...at('ceh-001', 'image'),
    check: { name: 'bytes', ok: true, expected: '1474560', actual: '1474560' },
  },
  {
    type: 'step.done',
    ...at('ceh-001', 'image'),
    action: 'run',
    depth: 'hash',
    durationSec: 6.25,
    figures: { bytes: 1_474_560 },
    health: 'ok',
  },
  {
    type: 'step.started',
    ...at('ceh-006', 'load'),
    action: 'run',
    because: { code: 'absent', text: 'no rows' },
  },
  { type: 'step.progress', ...at('ceh-006', 'load'), done: 1161, total: 1161, unit: 'rows' },
  { type: 'step.verifying', ...at('ceh-006', 'load'), depth: 'counts' },
  {
    type: 'step.contradicted',
    ...at('ceh-006', 'load'),
    check: { name: 'paths', ok: false, expected: '1161', actual: '0' },
  },
  {
    type: 'step.failed',
    ...at('ceh-006', 'load'),
    tag: 'verify',
    message: 'verification failed: paths: expected 1161, found 0',
    hint: 'ntt why ceh-006 load',
    durationSec: 0.5,
  },
  {
    type: 'step.held',
    medium: 'ceh-005',
    hash: null,
    stage: 'image',
    action: 'refuse',
    because: { code: 'wrong-medium', text: 'the disc in /dev/sr0 is HOLIDAY_98, declared CEH_005' },
  },
  {
    type: 'medium.waiting',
    medium: 'ceh-005',
    hash: null,
    text: 'insert the disc labelled CEH_005 into sr0',
  },
  ...(['enumerate', 'load', 'copy', 'archive'] as const).flatMap((stage): Happening[] => [
    {
      type: 'step.started',
      ...at('ceh-001', stage),
      action: 'run',
      because: { code: 'absent', text: `no ${stage} yet` },
    },
    { type: 'step.verifying', ...at('ceh-001', stage), depth: 'counts' },
    ...(stage === 'copy'
      ? [
          {
            type: 'step.lost',
            ...at('ceh-001', stage),
            lost: { files: 12, bytes: 40_960, paths: ['LETTERS/M\xfcLLER.DOC', 'A\x1b[31m.TXT'] },
          } as const,
        ]
      : []),
    {
      type: 'step.done',
      ...at('ceh-001', stage),
      action: 'run',
      depth: 'counts',
      durationSec: 1,
      figures:
        stage === 'load'
          ? { records: 18, inodes: 18 }
          : stage === 'copy'
            ? { files: 18, bytes: 90_000 }
            : { bytes: 700_000 },
    },
  ]),
  {
    type: 'step.failed',
    ...at('ceh-002', 'enumerate'),
    tag: 'run',
    message: 'bsdtar ended with exit code 1',
    status: 1,
    errno: 'EIO',
    stderr: 'bsdtar: Truncated input file',
    durationSec: 2.5,
  },
  {
    type: 'store.read',
    from: '000000000000',
    to: '00ffffffffff',
    blobs: 1200,
    bytes: 3_400_000,
    bad: 1,
    durationSec: 2.5,
  },
  {
    type: 'store.bad',
    blob: 'ab'.repeat(32),
    text: 'is not in the store',
    media: ['ceh-001'],
    paths: ['ceh-001: LETTERS/M\xfcLLER.DOC'],
  },
  { type: 'run.stopping', text: 'stopping after the running steps' },
  {
    type: 'run.finished',
    exitCode: 3,
    durationSec: 31.5,
    converged: 1,
    failed: 3,
    evidence: 'e5'.repeat(32),
  },
]
