import { setImmediate as nextTurn } from 'node:timers/promises'
import { isProblem, type Problem } from '#kernel'
import { counted, flushes } from '../commit-count.ts'
import type { CommitResult } from '../contract.ts'
import type { CheckedCommit } from '../well-formed.ts'

/** What became of several commits in one transaction: in the same order, a Problem for each that was refused by itself. */
export interface Written {
  readonly results: readonly (CommitResult | Problem)[]
  /** Where they were written without a flush: resolves when they are on the disk. */
  readonly durable?: Promise<void> | undefined
}

/** Writes several commits in one transaction. */
export type Flush = (commits: readonly CheckedCommit[]) => Promise<Written>

interface Waiting {
  readonly commit: CheckedCommit
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: unknown) => void
}

// Keeps one transaction, and with it the time that reads stand still, from growing with the number of callers.
const entriesPerFlush = 10_000

function entryCount(commit: CheckedCommit): number {
  return commit.appends.reduce((sum, append) => sum + append.entries.length, 0)
}

/**
 * Gathers the commits of one turn of the event loop, and those that arrive while a flush waits for a lock, so that they
 * share one flush of the disk, which costs more than all the rest.
 */
export class GroupCommit {
  readonly #flush: Flush
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  /** Groups that are written, and not yet on the disk. */
  readonly #flushing = new Set<Promise<void>>()

  constructor(flush: Flush) {
    this.#flush = flush
  }

  /** Resolves when the commit is durable or has lost its race; rejects with all others of a flush that failed. */
  add(commit: CheckedCommit): Promise<CommitResult> {
    return counted(() => this.#wait(commit))
  }

  #wait(commit: CheckedCommit): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#running
    await Promise.all(this.#flushing)
  }

  async #run(): Promise<void> {
    do {
      await nextTurn()
      await this.#flushGroup(this.#nextGroup())
    } while (this.#waiting.length > 0)
    this.#running = undefined
  }

  #nextGroup(): readonly Waiting[] {
    let entries = 0
    const tooMany = this.#waiting.findIndex(({ commit }) => {
      entries += entryCount(commit)
      return entries > entriesPerFlush
    })
    return this.#waiting.splice(0, tooMany === -1 ? this.#waiting.length : Math.max(tooMany, 1))
  }

  async #flushGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const { results, durable } = await this.#flush(group.map(({ commit }) => commit))
      flushes.add()
      if (durable === undefined) tell(group, results)
      else this.#tellLater(group, results, durable)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  /** Others are written meanwhile. */
  #tellLater(group: readonly Waiting[], results: Written['results'], durable: Promise<void>): void {
    const telling = durable.then(
      () => tell(group, results),
      error => {
        for (const { reject } of group) reject(error)
      },
    )
    this.#flushing.add(telling)
    void telling.then(() => this.#flushing.delete(telling))
  }
}

function tell(group: readonly Waiting[], results: Written['results']): void {
  group.forEach(({ resolve, reject }, index) => {
    const result = results[index] ?? { ok: true }
    if (isProblem(result)) reject(result)
    else resolve(result)
  })
}
