import { isProblem, type Log, withBudget } from '#kernel'

/** Work that nobody waits for and that must be done before closing: audit records, head notes, purges. */
export class Upkeep {
  readonly #log: Log
  readonly #unfinished = new Set<Promise<void>>()

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * When it fails that is an alarm, but does not undo what it is about. It is on nobody's budget: the request in which it
   * was begun may be over, or have used up what it had.
   */
  async run(work: () => Promise<void>): Promise<void> {
    try {
      await withBudget('unbounded', work)
    } catch (error) {
      const code = isProblem(error) ? error.code : 'unexpected'
      this.#log.error('an audit record, a head note or a purge failed', { room: 'record', code })
    }
  }

  /** Runs it beside everything else. Resolves when it has ended, well or not. */
  begin(work: () => Promise<void>): Promise<void> {
    const running = this.run(work)
    this.#unfinished.add(running)
    void running.finally(() => this.#unfinished.delete(running))
    return running
  }

  /** Resolves when what had been begun is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#unfinished)
  }
}
