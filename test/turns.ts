import { threadMs } from './computing.ts'

/** What others had of the event loop meanwhile. */
interface Turns<T> {
  readonly result: T
  readonly turns: number
}

interface Met<T> {
  readonly result: T
  /** Of computing, in ms, in the turn that whoever comes at any time meets, on average. */
  readonly metMs: number
}

/** More than this in the turn that others meet is work that is not done in slices, which take 5 ms. */
export const mostMetMs = 50
/** A collection of garbage falls into a turn now and then; it does not fall into each of so many. */
const tries = 3

/** Does the work; gives how many turns of the event loop others had meanwhile. */
export async function turnsWhile<T>(work: () => Promise<T>): Promise<Turns<T>> {
  let turns = 0
  const result = await eachTurnOf(work, () => {
    turns += 1
  })
  return { result, turns }
}

/**
 * Does the work, again where others met long turns, and gives what they met at best. How many turns they have depends on how fast a
 * machine is, and on what else is waited for; how long the turn is that they meet does not, where work is done in slices.
 */
export async function metWhile<T>(work: () => Promise<T>): Promise<Met<T>> {
  let met = await metOnce(work)
  for (let tried = 1; tried < tries && met.metMs >= mostMetMs; tried++) {
    const again = await metOnce(work)
    met = again.metMs < met.metMs ? again : met
  }
  return met
}

async function metOnce<T>(work: () => Promise<T>): Promise<Met<T>> {
  let [computedMs, squares, beganAtMs] = [0, 0, threadMs()]
  const end = () => {
    const nowMs = threadMs()
    computedMs += nowMs - beganAtMs
    squares += (nowMs - beganAtMs) ** 2
    beganAtMs = nowMs
  }
  const result = await eachTurnOf(work, end)
  end()
  return { result, metMs: squares / computedMs }
}

async function eachTurnOf<T>(work: () => Promise<T>, look: () => void): Promise<T> {
  let next = setImmediate(count)
  function count() {
    look()
    next = setImmediate(count)
  }
  try {
    return await work()
  } finally {
    clearImmediate(next)
  }
}
