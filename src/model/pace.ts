// How far one phase of a stage is, how fast it goes, and what that says about the rest. Pure; times are milliseconds.
import type { Unit } from './world.ts'

export interface Amount {
  readonly done: number
  /** null while it is not known. */
  readonly total: number | null
}

interface Sample {
  readonly atMs: number
  readonly done: Partial<Readonly<Record<Unit, number>>>
}

/** Each unit that the stage tells, and joint samples of all of them. */
export interface Pace {
  readonly amounts: Partial<Readonly<Record<Unit, Amount>>>
  /** Oldest first, evenly spread over the phase. */
  readonly samples: readonly Sample[]
  /** Least milliseconds between two samples; doubles as the phase grows long. */
  readonly everyMs: number
  /** What a file is taken to cost beside its bytes, in bytes, as long as the samples do not speak against it. */
  readonly fileInBytes: number
}

/** As many samples as an estimate needs, and no more, however long it takes. */
const mostSamples = 64
/** Reports of several units that come this close together are one sample. */
const togetherMs = 50

/**
 * A file is opened, hashed, written, named and recorded: that costs about as much as so many bytes more. A guess from a store
 * on a disk with a journal, for an installation that has not copied yet.
 */
export const usualFileInBytes = 64_000

export const newPace = (fileInBytes = usualFileInBytes): Pace => ({
  amounts: {},
  samples: [],
  everyMs: 200,
  fileInBytes,
})

/** The pace after one more report; itself where nothing moved. */
export function paced(pace: Pace, unit: Unit, amount: Amount, atMs: number): Pace {
  const known = pace.amounts[unit]
  if (known !== undefined && known.done === amount.done && known.total === amount.total) return pace
  const amounts = { ...pace.amounts, [unit]: amount }
  const done = { ...pace.samples.at(-1)?.done, [unit]: amount.done }
  const last = pace.samples.at(-1)
  if (last !== undefined && atMs - last.atMs < togetherMs) {
    return { ...pace, amounts, samples: [...pace.samples.slice(0, -1), { atMs: last.atMs, done }] }
  }
  if (last !== undefined && atMs - last.atMs < pace.everyMs) return { ...pace, amounts }
  const all = { ...pace.samples.at(-1)?.done, ...doneOf(amounts) }
  const samples = [...pace.samples, { atMs, done: all }]
  if (samples.length <= mostSamples) return { ...pace, amounts, samples }
  return {
    ...pace,
    amounts,
    samples: samples.filter((_, place) => place % 2 === 0),
    everyMs: pace.everyMs * 2,
  }
}

const doneOf = (amounts: Pace['amounts']): Sample['done'] =>
  Object.fromEntries(Object.entries(amounts).map(([unit, { done }]) => [unit, done]))

const order: readonly Unit[] = ['bytes', 'records', 'rows', 'files']

/** The unit that a bar is drawn of: bytes where there are any to move, else the first that has something to count. */
function mainUnit({ amounts }: Pace): Unit | null {
  const told = order.filter((unit) => amounts[unit] !== undefined)
  return told.find((unit) => amounts[unit]?.total !== 0) ?? told[0] ?? null
}

/** The amount in the main unit; null before the first report. */
export function mainAmount(pace: Pace): (Amount & { readonly unit: Unit }) | null {
  const unit = mainUnit(pace)
  const amount = unit === null ? undefined : pace.amounts[unit]
  return unit === null || amount === undefined ? null : { unit, ...amount }
}

/** Done of total, 0 to 1; null while the total is not known. Never 1: that is the witness's to say. */
export function share(pace: Pace): number | null {
  const amount = mainAmount(pace)
  if (amount === null || amount.total === null || amount.total <= 0) return null
  return Math.min(0.999, Math.max(0, amount.done / amount.total))
}

/** Main units a second over about the last half minute; null before there is anything to measure. */
export function rate(pace: Pace, nowMs: number): number | null {
  const amount = mainAmount(pace)
  if (amount === null) return null
  const { unit, done } = amount
  const from = pace.samples.findLast(({ atMs }) => nowMs - atMs >= 30_000) ?? pace.samples[0]
  const before = from?.done[unit] ?? 0
  if (from === undefined || nowMs - from.atMs < 500 || done <= before) return null
  return ((done - before) / (nowMs - from.atMs)) * 1000
}

/** Seconds that are left. The truth should lie between low and high; `high: null` where there is no telling. */
export interface Remaining {
  readonly low: number
  readonly likely: number
  readonly high: number | null
}

/** Work of up to two sorts, and the time that it took together. */
export interface Stretch {
  readonly seconds: number
  readonly work: readonly number[]
}

/**
 * What the phase still needs. Where a stage tells bytes and files, each file costs something and each byte costs something:
 * both prices are fitted to the samples, from what is usual. null while a total or a price is not known.
 */
export function remaining(pace: Pace, nowMs: number): Remaining | null {
  const told = order.filter((unit) => pace.amounts[unit] !== undefined && pace.amounts[unit]?.total !== 0)
  if (told.length === 0) return null
  const left = told.map((unit) => {
    const amount = pace.amounts[unit]
    return amount === undefined || amount.total === null ? null : Math.max(0, amount.total - amount.done)
  })
  if (!left.every((value) => value !== null)) return null
  // At most two prices; a third unit adds no knowledge that two samples of ordinary work could tell apart.
  const units = told.slice(0, 2)
  // The first one went by what lay in caches and buffers already, or waited for them to fill.
  const stretches = stretchesOf(pace, units, nowMs).slice(1)
  const elapsed = stretches.reduce((sum, { seconds }) => sum + seconds, 0)
  if (stretches.length < 2 || elapsed < 0.5) return null
  const cost = (prices: readonly number[] | null): number | null =>
    prices === null
      ? null
      : units.reduce((sum, _, place) => sum + (prices[place] ?? 0) * (left[place] ?? 0), 0)
  const fitted = (some: readonly Stretch[]): readonly number[] | null =>
    units[0] === 'bytes' && units[1] === 'files' ? pricesNear(pace.fileInBytes, some) : prices(some)
  const whole = cost(fitted(stretches))
  if (whole === null) return null
  const recent = cost(fitted(stretches.slice(Math.floor(stretches.length / 2)))) ?? whole
  const doubt = 0.06 + 0.12 * (1 - (share(pace) ?? 0))
  // The first seconds fill pipes and caches, and say little of what follows.
  const early = 1 + 0.6 * Math.max(0, 1 - elapsed / 25)
  return {
    low: (Math.min(whole, recent) * (1 - doubt)) / early,
    likely: whole,
    high: Math.max(whole, recent) * (1 + doubt) * early,
  }
}

function stretchesOf({ samples, amounts }: Pace, units: readonly Unit[], nowMs: number): readonly Stretch[] {
  const latest: Sample = { atMs: nowMs, done: doneOf(amounts) }
  const last = samples.at(-1)
  const ends = last !== undefined && nowMs - last.atMs >= togetherMs ? [...samples, latest] : samples
  return ends.slice(1).flatMap((end, place) => {
    const start = ends[place]
    if (start === undefined || end.atMs <= start.atMs) return []
    // A unit that is told for the first time may have been far along already (a copy that goes on).
    if (!units.every((unit) => start.done[unit] !== undefined)) return []
    const work = units.map((unit) => (end.done[unit] ?? 0) - (start.done[unit] ?? 0))
    return [{ seconds: (end.atMs - start.atMs) / 1000, work }]
  })
}

/** Seconds for one of each sort: least squares without negative prices, scaled so that the past comes out as it was. */
export function prices(stretches: readonly Stretch[]): readonly number[] | null {
  const sum = (of: (stretch: Stretch) => number): number => stretches.reduce((all, one) => all + of(one), 0)
  const a = ({ work }: Stretch): number => work[0] ?? 0
  const b = ({ work }: Stretch): number => work[1] ?? 0
  const [aa, bb, ab] = [sum((one) => a(one) ** 2), sum((one) => b(one) ** 2), sum((one) => a(one) * b(one))]
  const [ta, tb] = [sum((one) => one.seconds * a(one)), sum((one) => one.seconds * b(one))]
  const determinant = aa * bb - ab * ab
  const both: readonly number[] =
    determinant > 1e-9 * aa * bb
      ? [(ta * bb - tb * ab) / determinant, (tb * aa - ta * ab) / determinant]
      : [-1, -1]
  const alone = [...(aa > 0 ? [[ta / aa, 0]] : []), ...(bb > 0 ? [[0, tb / bb]] : [])]
  const miss = ([x = 0, y = 0]: readonly number[]): number =>
    sum((one) => (one.seconds - x * a(one) - y * b(one)) ** 2)
  const best = both.every((price) => price >= 0)
    ? both
    : alone.toSorted((one, other) => miss(one) - miss(other))[0]
  if (best === undefined) return null
  const [x = 0, y = 0] = best
  const explained = sum((one) => x * a(one) + y * b(one))
  if (explained <= 0) return null
  const scale = sum(({ seconds }) => seconds) / explained
  return [x * scale, y * scale]
}

/** How far the usual may be off, and how far one stretch may be off its price: a factor of three, and a half. */
const [doubtOfRatio, doubtOfStretch] = [Math.log(3), 0.5]

/** How far a share of a copy's work may be off the share of its time, for other reasons than the worth of a file. */
const doubtOfShare = 0.05

/** From a sixteenth to sixteen times. */
const factors: readonly number[] = Array.from({ length: 33 }, (_, place) => 2 ** ((place - 16) / 4))

/**
 * Seconds for a byte and for a file, scaled so that the past comes out as it was. How many bytes a file is worth cannot be told
 * from a tenth of a copy that begins with a few large files: it is `usual` as long as the stretches do not speak against it.
 */
function pricesNear(usual: number, stretches: readonly Stretch[]): readonly number[] | null {
  const seconds = stretches.reduce((sum, one) => sum + one.seconds, 0)
  const usualStretch = seconds / stretches.length
  const fits = factors.flatMap((factor) => {
    const weight = usual * factor
    const weigh = ({ work: [bytes = 0, files = 0] }: Stretch): number => bytes + weight * files
    const price = seconds / stretches.reduce((sum, one) => sum + weigh(one), 0)
    if (!Number.isFinite(price)) return []
    const misses = stretches.map(
      (one) => (one.seconds - price * weigh(one)) / (usualStretch * doubtOfStretch),
    )
    const doubt = Math.log(factor) / doubtOfRatio
    const unlikely = misses.reduce((sum, miss) => sum + miss ** 2, doubt ** 2)
    return [{ prices: [price, price * weight], unlikely }]
  })
  return fits.toSorted((one, other) => one.unlikely - other.unlikely)[0]?.prices ?? null
}

/**
 * What a file cost beside its bytes, in bytes, in a copy that has ended: the worth of a file with which time and work went most
 * evenly from its start to its end, from what was taken for it. null where the copy was too short to tell.
 */
export function learnedFileInBytes({ samples, fileInBytes: usual }: Pace): number | null {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined || last.atMs - first.atMs < 3000) return null
  const unlikely = (factor: number): number => {
    const workOf = ({ done }: Sample): number => (done.bytes ?? 0) + usual * factor * (done.files ?? 0)
    const [start, whole] = [workOf(first), workOf(last) - workOf(first)]
    const gaps = samples.map((sample) => {
      const time = (sample.atMs - first.atMs) / (last.atMs - first.atMs)
      return ((workOf(sample) - start) / whole - time) / doubtOfShare
    })
    const doubt = Math.log(factor) / doubtOfRatio
    return gaps.reduce((sum, gap) => sum + gap ** 2, 0) / gaps.length + doubt ** 2
  }
  const factor = factors.toSorted((one, other) => unlikely(one) - unlikely(other))[0]
  return factor === undefined ? null : usual * factor
}
