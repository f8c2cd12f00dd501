import { Problem } from '#kernel'
import type { BulkLimits } from './limits.ts'
import { failures } from './stored-export.ts'

/** A place among the exports of this process. */
export interface Place {
  /** Resolves when it is this one's turn. Rejects with what the signal was aborted with. */
  readonly turn: (signal: AbortSignal) => Promise<void>
  /** How many begin before it, as far as is known. */
  readonly before: () => number
  readonly leave: () => void
}

interface Entry {
  readonly owner: string
  isAtWork: boolean
  begin(): void
}

type QueueLimits = Pick<BulkLimits, 'maxOfOwner' | 'maxRunning' | 'maxWaiting'>

/** Who exports in this process: a few at once; of those who wait, whose owner has nothing at work goes first. */
export class Queue {
  readonly #limits: QueueLimits
  readonly #entries = new Set<Entry>()
  #isClosed = false

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  /** @throws Problem `throttled` · `bulk.too-many-of-owner`; `busy` · `bulk.too-many` */
  enter(owner: string): Place {
    const { maxOfOwner, maxRunning, maxWaiting } = this.#limits
    // Those that are begun at the same time do not find each other among what is kept.
    const own = [...this.#entries].filter(entry => entry.owner === owner)
    if (own.length >= maxOfOwner) throw tooManyOfOwner(maxOfOwner)
    if (this.#isClosed || this.#entries.size >= maxRunning + maxWaiting) throw tooMany()
    const { promise, resolve } = Promise.withResolvers<void>()
    const entry: Entry = { owner, isAtWork: false, begin: resolve }
    this.#entries.add(entry)
    this.#next()
    return {
      turn: signal => Promise.race([promise, aborted(signal)]),
      before: () => Math.max(0, this.#waiting.indexOf(entry)),
      leave: () => {
        this.#entries.delete(entry)
        this.#next()
      },
    }
  }

  get #waiting(): readonly Entry[] {
    return [...this.#entries].filter(({ isAtWork }) => !isAtWork)
  }

  close(): void {
    this.#isClosed = true
  }

  #next(): void {
    const atWork = [...this.#entries].filter(({ isAtWork }) => isAtWork)
    if (atWork.length >= this.#limits.maxRunning) return
    const waiting = this.#waiting
    const busy = new Set(atWork.map(({ owner }) => owner))
    const next = waiting.find(({ owner }) => !busy.has(owner)) ?? waiting[0]
    if (next === undefined) return
    next.isAtWork = true
    next.begin()
    this.#next()
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason ?? failures.interrupted())
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** A queue is short: whoever is refused may come back soon. */
const retryAfterSeconds = 30

function tooMany(): Problem {
  return new Problem('busy', 'bulk.too-many', 'As many exports as can be made wait already.', { retryAfterSeconds })
}

export function tooManyOfOwner(most: number): Problem {
  const text = `There are ${most} exports of yours. Remove one, by DELETE of its status, before you begin another.`
  return new Problem('throttled', 'bulk.too-many-of-owner', text, { retryAfterSeconds: 60 })
}
