/** Runs one piece of work after another, in the order in which they come. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** A queue of its own. What a piece of work throws goes to who asked for it, and the next one begins all the same. */
export function newTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const result = last.then(work)
    last = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
}
