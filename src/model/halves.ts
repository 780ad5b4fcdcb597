// Numbers of 64 bits as two of 32: a big integer for each would be garbage for each.

/** Both unsigned, below 2^32. */
export interface Halves {
  readonly high: number
  readonly low: number
}

/** The halves of a 64-bit number, in two's complement where it is negative. */
export function halvesOf(value: bigint): Halves {
  const small = Number(value)
  // Most are small, and that is faster without big integers.
  if (small >= 0 && small <= Number.MAX_SAFE_INTEGER)
    return { high: Math.floor(small / 2 ** 32), low: small >>> 0 }
  return { high: Number(BigInt.asUintN(32, value >> 32n)), low: Number(BigInt.asUintN(32, value)) }
}

/** The unsigned number that has these halves. */
export const unsigned = (high: number, low: number): bigint =>
  high < 2 ** 21 ? BigInt(high * 2 ** 32 + low) : (BigInt(high) << 32n) | BigInt(low)

/** The number of which these are the halves in two's complement. */
export const signed = (high: number, low: number): bigint => BigInt.asIntN(64, unsigned(high, low))
