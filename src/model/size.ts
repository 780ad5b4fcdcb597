// Sizes as people write them: 477429760, 40GiB, 650 MB.

const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** Bytes; null where it is no size, or not a whole number of bytes. */
export function parseSize(text: string): number | null {
  const [, count, unit = 'B'] = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)?$/.exec(text) ?? []
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (count === undefined || factor === undefined) return null
  // Decimal fractions of binary units are rarely exact in floating point: 1.44MB is 1440000, and not a little less.
  const bytes = Number((Number(count) * factor).toPrecision(15))
  return Number.isSafeInteger(bytes) ? bytes : null
}
