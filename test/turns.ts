/** Does the work; gives how many turns of the event loop others had meanwhile. */
export async function turnsWhile<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly turns: number }> {
  let turns = 0
  let next = setImmediate(count)
  function count() {
    turns += 1
    next = setImmediate(count)
  }
  try {
    const result = await work()
    return { result, turns }
  } finally {
    clearImmediate(next)
  }
}
