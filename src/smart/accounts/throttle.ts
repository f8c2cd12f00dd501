import { type Clock, Problem } from '#kernel'
import type { Documents } from '#vault'
import { isShared, networkOf } from '#web'

interface Tries {
  readonly count: number
  readonly lastAtMs: number
}

interface Kind {
  readonly free: number
  readonly maxWaitMs: number
  /** A quiet hour unless told. */
  readonly forgetAfterMs?: number
}

/** What is counted: how many tries are free, and how long the wait after more of them can become. */
const kinds = {
  account: { free: 5, maxWaitMs: 60_000 },
  address: { free: 20, maxWaitMs: 15 * 60_000 },
  passkey: { free: 10, maxWaitMs: 60_000 },
  device: { free: 10, maxWaitMs: 60_000 },
  // Six digits: only who knows the password gets so far, and a hundred tries a day find none. The free ones do not begin anew each hour.
  code: { free: 5, maxWaitMs: 15 * 60_000, forgetAfterMs: 24 * 60 * 60_000 },
  registration: { free: 20, maxWaitMs: 60 * 60_000 },
  // Who stands behind the address of an inner network is not known: one stranger must not keep everybody away for long.
  shared: { free: 50, maxWaitMs: 2_000 },
  sharedRegistration: { free: 20, maxWaitMs: 60_000 },
} as const satisfies Record<string, Kind>

export type ThrottleKind = keyof typeof kinds

export interface Throttle {
  /**
   * Counts a try before it is made, so that parallel guesses cannot share one.
   *
   * @throws Problem `throttled` · `smart.throttled` with the seconds to wait
   */
  admit(kind: ThrottleKind, name: string): Promise<void>
  /** The try was a good one: the count of an account or device starts anew, that of an address gets it back. */
  forgive(kind: ThrottleKind, name: string): Promise<void>
}

/** What is counted of where a try comes from. */
export function networkCount(address: string): [ThrottleKind, string] {
  return [isShared(address) ? 'shared' : 'address', networkOf(address)]
}

const collection = 'smart.tries'
const quietMs = 60 * 60_000
const maxRaces = 50

function forgetAfterMs(kind: ThrottleKind): number {
  const { forgetAfterMs = quietMs }: Kind = kinds[kind]
  return forgetAfterMs
}

function waitMs(kind: ThrottleKind, count: number): number {
  const { free, maxWaitMs } = kinds[kind]
  return count < free ? 0 : Math.min(maxWaitMs, 1000 * 2 ** Math.min(count - free, 30))
}

function throttled(ms: number): Problem {
  return new Problem('throttled', 'smart.throttled', 'Too many tries. Please wait before the next one.', {
    retryAfterSeconds: Math.max(1, Math.ceil(ms / 1000)),
  })
}

/**
 * Slows guessing down without ever locking anybody out: waits double up to a minute per account (so that a stranger
 * cannot keep the owner away) and up to a quarter of an hour per address.
 *
 * @see https://pages.nist.gov/800-63-4/sp800-63b.html section 3.2.2
 */
export function openThrottle({ documents, clock }: { documents: Documents; clock: Clock }): Throttle {
  async function count(kind: ThrottleKind, name: string): Promise<boolean> {
    const key = `${kind}:${name}`
    const found = await documents.get<Tries>(collection, key)
    const tries = found?.value ?? { count: 0, lastAtMs: 0 }
    const nowMs = clock.nowMs()
    const put = (next: Tries) =>
      documents.put<Tries>(collection, key, next, {
        ifRevision: found?.revision ?? 0,
        expiresAtMs: nowMs + forgetAfterMs(kind),
      })
    // The clock has jumped back: the wait begins anew, and is not as long as the jump.
    if (tries.lastAtMs > nowMs && !(await put({ ...tries, lastAtMs: nowMs }))) return false
    const leftMs = Math.min(tries.lastAtMs, nowMs) + waitMs(kind, tries.count) - nowMs
    if (leftMs > 0) throw throttled(leftMs)
    return put({ count: tries.count + 1, lastAtMs: nowMs })
  }

  return {
    async admit(kind, name) {
      for (let race = 0; race < maxRaces; race++) if (await count(kind, name)) return
      throw throttled(1000)
    },

    async forgive(kind, name) {
      const key = `${kind}:${name}`
      if (kind !== 'address' && kind !== 'shared') {
        await documents.delete(collection, key)
        return
      }
      const found = await documents.get<Tries>(collection, key)
      if (found === undefined) return
      const tries = { ...found.value, count: Math.max(0, found.value.count - 1) }
      // A lost race leaves one try more on the count, which harms nobody.
      await documents.put<Tries>(collection, key, tries, {
        ifRevision: found.revision,
        expiresAtMs: clock.nowMs() + forgetAfterMs(kind),
      })
    },
  }
}
