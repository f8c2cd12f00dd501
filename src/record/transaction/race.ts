import { setTimeout as sleep } from 'node:timers/promises'
import { Problem } from '#kernel'

const mostRuns = 200
/** Lost races after which one waits a moment, at random, so that many do not stay in step. */
const patience = 8
const longestWaitMs = 20

/**
 * Runs `attempt` until it says that nobody was faster. It has an end, because on damaged data somebody may always seem to
 * have been.
 *
 * @throws whatever `attempt` throws; Problem `busy` · `record.contended` after two hundred lost races
 */
export async function untilWon(attempt: () => Promise<boolean>): Promise<void> {
  for (let run = 1; run <= mostRuns; run++) {
    if (await attempt()) return
    if (run > patience) await sleep(Math.random() * longestWaitMs)
  }
  throw contended()
}

/** Somebody else was faster. */
export const contended = (): Problem =>
  new Problem('busy', 'record.contended', 'Too many writers want the same record at once.', { retryAfterSeconds: 1 })
