import { counted, flushes } from '../commit-count.ts'
import type { CommitResult } from '../contract.ts'
import { type CheckedCommit, documentName } from '../well-formed.ts'
import { isAlone } from './documents.ts'
import type { Transaction, Transactions } from './transactions.ts'

/** Transactions of commits that are under way at once: the next one is gathered while the answer of another comes. */
const mostAtOnce = 2

/** A transaction that is larger than this is slow, and more of it is lost when one of its commits loses a race. */
const mostEntries = 1_000
const mostBytes = 4 * 1024 * 1024

/** Parts of a store that is open. */
export interface CommitParts {
  readonly transactions: Transactions
  /** Writes commits one behind the other. @throws Abandoned when one of them was decided on what is not so any more */
  readonly apply: (commits: readonly CheckedCommit[], transaction: Transaction) => Promise<void>
  /** What a commit has lost its race over; undefined when it would not be lost now. */
  readonly whatWasLost: (commit: CheckedCommit) => Promise<CommitResult | undefined>
}

interface Waiting {
  readonly commit: CheckedCommit
  readonly keys: readonly string[]
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: unknown) => void
  readonly sinceMs: number
  isWatched: boolean
}

const won: CommitResult = { ok: true }

/**
 * Lets commits that meet share a transaction, also such that build on each other: its trips cost more than what it carries. A
 * transaction that comes to nothing – one of its commits lost a race, or somebody who was killed holds what one of them writes – is
 * taken apart: then each of its commits stands for itself, and none waits for another that it has nothing to do with.
 */
export class Commits {
  readonly #parts: CommitParts
  readonly #pending = new Set<Promise<CommitResult>>()
  #waiting: Waiting[] = []
  #atOnce = 0
  #isDue = false

  constructor(parts: CommitParts) {
    this.#parts = parts
  }

  /** Resolves when the commit is durable or has lost its race. */
  add(commit: CheckedCommit): Promise<CommitResult> {
    const pending = counted(() => this.#wait(commit))
    this.#pending.add(pending)
    const forget = () => this.#pending.delete(pending)
    pending.then(forget, forget)
    return pending
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
  }

  #wait(commit: CheckedCommit): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      const sinceMs = performance.now()
      this.#waiting.push({ commit, keys: keysOf(commit), resolve, reject, sinceMs, isWatched: false })
      this.#soon()
    })
  }

  /** At the end of the turn, so that all who come in it come together. */
  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      while (this.#atOnce < mostAtOnce) {
        const group = this.#nextGroup()
        if (group.length === 0) return
        void this.#write(group)
      }
    })
  }

  /** From the front on, whatever waits for nobody who is not in the group. */
  #nextGroup(): readonly Waiting[] {
    const group: Waiting[] = []
    const left: Waiting[] = []
    const taken = new Set<string>()
    const size = { entries: 0, bytes: 0 }
    for (const each of this.#waiting) {
      const mayJoin = this.#isFree(each) && each.keys.every(key => !taken.has(key)) && hasRoom(group, each, size)
      if (mayJoin) group.push(each)
      else left.push(each)
      // Who comes later must not pass by.
      if (!mayJoin) for (const key of each.keys) taken.add(key)
    }
    this.#waiting = left
    return group
  }

  #isFree(each: Waiting): boolean {
    const { transactions } = this.#parts
    if (transactions.isFree(each.keys)) return true
    if (!each.isWatched) void transactions.free(each.keys).then(() => this.#wake(each))
    each.isWatched = true
    return false
  }

  #wake(each: Waiting): void {
    each.isWatched = false
    this.#soon()
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const apart = () => this.#takeApart(group)
    const [first] = group
    if (first === undefined) return
    const isShared = group.length > 1
    this.#atOnce++
    try {
      const result = await this.#parts.transactions.write<CommitResult | 'apart'>({
        keys: group.flatMap(({ keys }) => keys),
        work: transaction => this.#apply(group, transaction),
        already: () => won,
        abandoned: async () => (isShared ? apart() : this.#parts.whatWasLost(first.commit)),
        cameToNothing: apart,
        sinceMs: first.sinceMs,
      })
      if (result === 'apart') return
      if (result.ok) flushes.add()
      for (const { resolve } of group) resolve(result)
    } catch (error) {
      for (const { reject } of group) reject(error)
    } finally {
      this.#atOnce--
      this.#soon()
    }
  }

  async #apply(group: readonly Waiting[], transaction: Transaction): Promise<CommitResult> {
    const commits = group.map(({ commit }) => commit)
    await this.#parts.apply(commits, transaction)
    return won
  }

  /** Called while the transaction still holds its keys, so that each of its commits comes next. */
  #takeApart(group: readonly Waiting[]): 'apart' {
    for (const each of group) void this.#writeAlone(each)
    return 'apart'
  }

  async #writeAlone(each: Waiting): Promise<void> {
    const { transactions, whatWasLost } = this.#parts
    try {
      const result = await transactions.write<CommitResult>({
        keys: each.keys,
        work: transaction => this.#apply([each], transaction),
        already: () => won,
        abandoned: () => whatWasLost(each.commit),
        sinceMs: each.sinceMs,
      })
      if (result.ok) flushes.add()
      each.resolve(result)
    } catch (error) {
      each.reject(error)
    }
  }
}

function keysOf({ appends, documents, byLocator }: CheckedCommit): string[] {
  const compartments = appends.map(({ compartment }) => compartment)
  return [...compartments, ...byLocator.keys(), ...documents.map(documentName)]
}

interface Size {
  entries: number
  bytes: number
}

/** Counts what joins. The first one has room, however large it is. */
function hasRoom(group: readonly Waiting[], { commit }: Waiting, size: Size): boolean {
  const { entries, bytes } = sizeOf(commit)
  const isTooMuch = size.entries + entries > mostEntries || size.bytes + bytes > mostBytes
  if (group.length > 0 && (isTooMuch || isAlone(commit.documents) || isAlone(group[0]?.commit.documents ?? [])))
    return false
  size.entries += entries
  size.bytes += bytes
  return true
}

function sizeOf({ appends, documents }: CheckedCommit): Size {
  const entries = appends.flatMap(append => append.entries)
  const puts = documents.filter(write => write.op === 'put')
  const bytes = [...entries, ...puts].reduce((sum, { sealed }) => sum + sealed.length, 0)
  return { entries: entries.length + documents.length, bytes }
}
