/** Whole numbers of 32 bits that a seed decides (mulberry32): the same seed, the same numbers. */
export function bitsFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** Numbers from 0 to below 1 that a seed decides. */
export function randomFrom(seed: number): () => number {
  const next = bitsFrom(seed)
  return () => next() / 4_294_967_296
}
