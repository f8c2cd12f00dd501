/** Numbers that look like chance and are the same each time: a sample file must not change when it is made again. */
export function steadyRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
