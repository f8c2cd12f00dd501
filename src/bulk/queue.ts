import type { Grant } from '#access'
import { Problem } from '#kernel'
import type { BulkLimits } from './limits.ts'
import { failures, ownerOf } from './stored-export.ts'

/** A place among the exports of this process. */
interface Place {
  /** Resolves when it is this one's turn. Rejects with what the signal was aborted with. */
  readonly turn: (signal: AbortSignal) => Promise<void>
  readonly leave: () => void
}

interface Entry {
  readonly owner: string
  isAtWork: boolean
  begin(): void
}

/** Who exports in this process: a few at once; of those who wait, whose owner has nothing at work goes first. */
export class Queue {
  readonly #limits: Pick<BulkLimits, 'maxRunning' | 'maxWaiting'>
  readonly #entries = new Set<Entry>()
  #isClosed = false

  constructor(limits: Pick<BulkLimits, 'maxRunning' | 'maxWaiting'>) {
    this.#limits = limits
  }

  /** @throws Problem `busy` · `bulk.too-many` */
  enter(owner: string): Place {
    const { maxRunning, maxWaiting } = this.#limits
    if (this.#isClosed || this.#entries.size >= maxRunning + maxWaiting) throw tooMany()
    const { promise, resolve } = Promise.withResolvers<void>()
    const entry: Entry = { owner, isAtWork: false, begin: resolve }
    this.#entries.add(entry)
    this.#next()
    return {
      turn: signal => Promise.race([promise, aborted(signal)]),
      leave: () => {
        this.#entries.delete(entry)
        this.#next()
      },
    }
  }

  /** How many begin before the last of an owner's does. */
  before(grant: Grant): number {
    const waiting = [...this.#entries].filter(({ isAtWork }) => !isAtWork)
    return Math.max(
      0,
      waiting.findLastIndex(({ owner }) => owner === ownerOf(grant)),
    )
  }

  close(): void {
    this.#isClosed = true
  }

  #next(): void {
    const atWork = [...this.#entries].filter(({ isAtWork }) => isAtWork)
    if (atWork.length >= this.#limits.maxRunning) return
    const waiting = [...this.#entries].filter(({ isAtWork }) => !isAtWork)
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
