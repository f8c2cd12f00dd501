import { Problem } from '#kernel'

/** What every call answers after `close`. */
export function closedProblem(cause?: unknown): Problem {
  return new Problem('fault', 'store.closed', 'The store has been closed.', { cause })
}
