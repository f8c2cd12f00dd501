import { giveWay } from '#kernel'

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

/** Work that may be laid aside wherever it yields. */
export type Steps<T> = Generator<void, T, void>

/** Does work step by step; others get their turn whenever it has had its own. Throws what the work throws. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}
