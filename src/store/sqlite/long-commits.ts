import { Tinypool } from 'tinypool'
import { inSlices, withBudget } from '#kernel'
import type { CommitResult } from '../contract.ts'
import type { CheckedCommit } from '../well-formed.ts'
import type { Documents } from './documents.ts'
import { toProblem } from './failures.ts'
import { buffersOf, pack, sizeOf } from './packing.ts'
import type { Transactions } from './transactions.ts'
import type { mark, Outcome, Place, shrink, write } from './writing-thread.ts'

/** From here on a transaction is long: what is less takes some milliseconds, and as long to hand over. */
const long = { entries: 512, bytes: 4 * 1024 * 1024 }

const idleMs = 5_000
const heapMebibytes = { old: 128, young: 16 }

/** What the thread does, by the names under which it is asked for. */
interface Tasks {
  readonly mark: typeof mark
  readonly write: typeof write
  readonly shrink: typeof shrink
}

/**
 * Writes what takes long in a thread with a connection of its own, while this one is read from. Nobody else of this process writes
 * meanwhile, and those of others wait for the lock as always.
 */
export class LongCommits {
  readonly #place: Place
  readonly #transactions: Transactions
  readonly #documents: Documents
  #thread: Tinypool | undefined

  constructor(place: Place, parts: { readonly transactions: Transactions; readonly documents: Documents }) {
    this.#place = place
    this.#transactions = parts.transactions
    this.#documents = parts.documents
  }

  isLong(commits: readonly CheckedCommit[]): boolean {
    const { entries, bytes } = sizeOf(commits)
    return entries >= long.entries || bytes >= long.bytes
  }

  /**
   * @returns undefined when there can be no thread, or it cannot open the file: nothing was begun
   * @throws Problem as `Store.commit`; `fault` · `store.failed` also when the thread ended and nobody knows what became of it
   */
  write(commits: readonly CheckedCommit[]): Promise<readonly CommitResult[] | undefined> {
    return this.#transactions.elsewhere(async () => {
      const before = await this.#attempt('mark')
      if (before === undefined) return undefined
      // What several requests write together none of them pays for.
      const packed = await withBudget('unbounded', () => inSlices(pack(commits)))
      const joined = this.#transactions.read(turn => this.#documents.parted(turn))
      try {
        return await this.#ask('write', { ...this.#place, packed }, buffersOf(packed))
      } finally {
        await this.#settle(joined, before)
        void this.#attempt('shrink')
      }
    })
  }

  // What was written stands, whatever comes of this.
  async #settle(joined: ReturnType<Documents['parted']>, before: string): Promise<void> {
    const settle = this.#look(joined)
    const after = await this.#attempt('mark')
    settle?.(after === before)
  }

  #look<T>(work: (turn: number) => T): T | undefined {
    try {
      return this.#transactions.anew(work)
    } catch {
      return undefined
    }
  }

  async #attempt<Name extends 'mark' | 'shrink'>(name: Name): Promise<DoneOf<Name> | undefined> {
    try {
      return await this.#ask(name, this.#place)
    } catch {
      return undefined
    }
  }

  async #ask<Name extends keyof Tasks>(
    name: Name,
    task: Parameters<Tasks[Name]>[0],
    handedOver: ArrayBuffer[] = [],
  ): Promise<DoneOf<Name>> {
    const outcome = await this.#run<DoneOf<Name>>(name, task, handedOver)
    if ('failed' in outcome) throw toProblem(outcome.failed)
    return outcome.done
  }

  async #run<Done>(name: keyof Tasks, task: unknown, handedOver: ArrayBuffer[]): Promise<Outcome<Done>> {
    try {
      this.#thread ??= newThread()
      return await this.#thread.run(task, { name, transferList: { transfer: handedOver } })
    } catch (error) {
      throw toProblem(error)
    }
  }

  async close(): Promise<void> {
    await this.#thread?.destroy()
    this.#thread = undefined
  }
}

type DoneOf<Name extends keyof Tasks> = Awaited<ReturnType<Tasks[Name]>> extends Outcome<infer Done> ? Done : never

function newThread(): Tinypool {
  return new Tinypool({
    filename: new URL('./writing-thread.ts', import.meta.url).href,
    teardown: 'close',
    minThreads: 0,
    maxThreads: 1,
    // Between two tasks the thread must be able to end what it reads.
    useAtomics: false,
    idleTimeout: idleMs,
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes.old, maxYoungGenerationSizeMb: heapMebibytes.young },
  })
}
