import { setTimeout as sleep } from 'node:timers/promises'
import { isProblem, type Log } from '#kernel'

/** After what the disk did not give. */
const retryMs = 250

interface RoundsOptions {
  readonly log: Log
  /** What could not be done, in a sentence for the log. */
  readonly failure: string
  /** Goes through everything once; ends early when it is `over`. */
  goThrough(isOver: () => boolean): Promise<void>
}

/** Work that goes through everything, in the background: once at a time, again if it is asked for meanwhile, and until the disk lets it. */
export class Rounds {
  readonly #options: RoundsOptions
  #wanted = false
  #failed = false
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: RoundsOptions) {
    this.#options = options
  }

  /** Whether it could not be done to the end the last time. */
  get failed(): boolean {
    return this.#failed
  }

  begin(): void {
    this.#wanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false
      try {
        await this.#options.goThrough(() => this.#closed)
        this.#failed = false
      } catch (error) {
        this.#tellFailed(error)
        this.#wanted = true
        await sleep(retryMs)
      }
    }
  }

  /** Once, however often it is tried again: /readyz goes on to tell it. */
  #tellFailed(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    const { log, failure } = this.#options
    log.error(failure, { room: 'record', code: isProblem(error) ? error.code : 'unexpected' })
  }
}
