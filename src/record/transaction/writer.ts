import type { Grant } from '#access'
import { isProblem } from '#kernel'
import type { Received } from '../contents/contents.ts'
import { isErasedBeside } from '../reading/erased-beside.ts'
import { GrantReader, type ReaderRooms } from '../reading/reader.ts'
import type { Arriving, Txn, Writer, WriterOptions } from '../types.ts'
import type { Committer } from './committer.ts'
import { contended, untilWon } from './race.ts'
import { Transaction } from './transaction.ts'

export class GrantWriter extends GrantReader implements Writer {
  readonly #committer: Committer
  readonly #rooms: ReaderRooms
  readonly #options: WriterOptions

  constructor(grant: Grant, rooms: ReaderRooms, committer: Committer, options: WriterOptions = {}) {
    super(grant, rooms, options)
    this.#rooms = rooms
    this.#committer = committer
    this.#options = options
  }

  async transact<T>(work: (txn: Txn) => Promise<T>): Promise<T> {
    let result: T | undefined
    const { registry } = this.#rooms
    await untilWon(async () => {
      const before = registry.generation
      const txn = await this.#begun()
      try {
        const won = await this.#committer.during(txn, async () => {
          result = await work(txn)
          // What was looked for before is gone since: the request is to be sent again.
          if (txn.awaiting.length > 0) throw contended()
          return this.#committer.commit(txn, this.grant)
        })
        if (!won) await txn.takeBack()
        // What was written as it stood made no version, and whoever wrote it knows now that it is so.
        else for (const stored of txn.unchanged) await this.noteShown('read', stored)
        return won
      } catch (error) {
        // Whether a commit that failed in the middle became durable nobody knows; its keys are looked at later.
        const isRefused = isProblem(error) && !isProblem(error, 'fault') && !isProblem(error, 'busy')
        if (isRefused || !isProblem(error)) await txn.takeBack()
        if (await isErasedBeside(error, registry, before)) return false
        // Somebody was merged in the middle of it: what was read before does not fit what was found after.
        if (isRefused && txn.isOvertakenByMerge) return false
        throw error
      } finally {
        txn.ended()
        // What became durable names them, and then they stay.
        await this.#rooms.contents.discard(txn.copied)
      }
    })
    return result as T
  }

  async transactWith<T>(
    source: AsyncIterable<Uint8Array>,
    work: (txn: Txn, content: Arriving) => Promise<T>,
  ): Promise<T> {
    const content = await this.#receive(source, work)
    if (content === undefined) return this.transact(txn => work(txn, 'to-come'))
    try {
      return await this.transact(txn => work(txn, content))
    } finally {
      // What a version names has no document any more, and stays.
      await this.#rooms.contents.discard(content.places.values())
    }
  }

  /** Tries the work without its content, and takes that where it is to lie. @returns undefined where none is wanted */
  async #receive(
    source: AsyncIterable<Uint8Array>,
    work: (txn: Txn, content: Arriving) => Promise<unknown>,
  ): Promise<Received | undefined> {
    const { registry, contents } = this.#rooms
    const txn = await this.#begun()
    let awaiting: Transaction['awaiting'] = []
    try {
      await this.#committer.during(txn, async () => work(txn, 'to-come'))
      awaiting = txn.awaiting
    } finally {
      txn.ended()
    }
    if (awaiting.length === 0) return undefined
    // Who is new has no keys that last before the commit: what comes first waits under those of what is everybody's.
    const home = awaiting.find(({ compartment }) => registry.known(compartment) !== undefined) ?? registry.commons[0]
    return home === undefined ? undefined : contents.receive(home, source)
  }

  async #begun(): Promise<Transaction> {
    return new Transaction(
      await this.asking(),
      { ...this.#rooms, conditions: this.#committer.conditions(), nowMs: () => this.#committer.nowMs() },
      this.#options,
    )
  }
}
