import { setTimeout as sleep } from 'node:timers/promises'
import { isProblem, Problem } from '#kernel'
import type { Draft } from './draft.ts'

/**
 * `new` keys must find room, what is `urgent` may use the reserve of a full disk, and what `rises` is that too, and happens so often
 * that nobody writes it down elsewhere.
 */
export type WriteKind = 'new' | 'urgent' | 'rises'

/** Something to be written, and who waits for it. */
export interface Write {
  readonly kind: WriteKind
  work(draft: Draft): Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** What became of one write among several. */
export type Outcome = { readonly value: unknown } | { readonly error: unknown }

/** Writes them with one flush of the disk; undefined when another process was faster. */
type WriteTogether = (writes: readonly Write[], kind: WriteKind) => Promise<readonly Outcome[] | undefined>

/** What waits to be written: a burst of new keys shares a transaction. */
export class Writes {
  readonly #together: WriteTogether
  readonly #waiting: Write[] = []
  #isWriting = false

  constructor(together: WriteTogether) {
    this.#together = together
  }

  put<T>(kind: WriteKind, work: (draft: Draft) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, work, resolve: value => resolve(value as T), reject })
      if (!this.#isWriting) setImmediate(() => void this.#writeAll())
      this.#isWriting = true
    })
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const kind = this.#waiting[0]?.kind ?? 'new'
      const other = this.#waiting.findIndex(each => each.kind !== kind)
      await this.#write(this.#waiting.splice(0, other < 0 ? this.#waiting.length : other), kind)
    }
    this.#isWriting = false
  }

  async #write(writes: readonly Write[], kind: WriteKind): Promise<void> {
    try {
      const outcomes = await untilWon(() => this.#together(writes, kind))
      writes.forEach(({ resolve, reject }, at) => {
        const outcome = outcomes[at]
        if (outcome !== undefined && 'value' in outcome) resolve(outcome.value)
        else reject(outcome?.error)
      })
    } catch (error) {
      for (const { reject } of writes) reject(error)
    }
  }
}

/** What each of the writes makes of the draft. One that is refused has changed nothing in it. */
export async function outcomesOf(writes: readonly Write[], draft: Draft): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { work } of writes) outcomes.push(await outcomeOf(() => work(draft)))
  return outcomes
}

async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await work() }
  } catch (error) {
    if (isProblem(error)) return { error }
    throw error
  }
}

const mostTries = 200
/** Lost races after which one waits a moment, at random, so that several processes do not stay in step. */
const patience = 8
const longestWaitMs = 20

/** @throws whatever `attempt` throws; Problem `busy` · `keys.contended` after two hundred lost races */
export async function untilWon<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < mostTries; tries++) {
    const won = await attempt()
    if (won !== undefined) return won
    if (tries > patience) await sleep(Math.random() * longestWaitMs)
  }
  const text = 'Too many processes want to write to the keystore at once.'
  throw new Problem('busy', 'keys.contended', text, { retryAfterSeconds: 1 })
}
