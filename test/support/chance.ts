// Numbers that look random, and are the same in every run.

/** Gives a number below `below`, each time another one (Lehmer's generator). */
export function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below
}
