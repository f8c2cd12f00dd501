import { setTimeout as sleep } from 'node:timers/promises'

/** How often somebody is asked for a sign of life, and how many times in a row without one are too many. */
export interface Rhythm {
  readonly everyMs: number
  readonly mostMissed: number
}

/** A minute: nothing that a worker does keeps it from answering for seconds. */
export const rhythm: Rhythm = { everyMs: 10_000, mostMissed: 6 }

/**
 * Asks again and again, each time as long as until the next. Questions are counted, not time: when whoever asks was stopped itself – a
 * machine that slept – that is one question.
 *
 * @returns whether no answer came so often in a row; false once it is over
 */
export async function fellSilent(
  ask: (waitMs: number) => Promise<unknown>,
  over: AbortSignal,
  { everyMs, mostMissed }: Rhythm = rhythm,
): Promise<boolean> {
  for (let missed = 0; missed < mostMissed; ) {
    if (over.aborted) return false
    const [answer] = await Promise.allSettled([ask(everyMs), sleep(everyMs, undefined, { signal: over })])
    missed = answer.status === 'fulfilled' ? 0 : missed + 1
  }
  return !over.aborted
}
