/**
 * Lets what touches the same keys run one after the other, in the order in which it came: writers build on what they wrote a moment ago,
 * which must have arrived first. What touches other keys runs beside it.
 */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>()
  readonly #running = new Set<Promise<unknown>>()

  run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = new Set(keys.flatMap(key => this.#last.get(key) ?? []))
    const running = Promise.allSettled(before).then(work)
    this.#running.add(running)
    for (const key of keys) this.#last.set(key, running)
    void running.catch(() => undefined).finally(() => this.#forget(keys, running))
    return running
  }

  /** Whether nothing that touches one of these keys runs or waits. */
  isFree(keys: readonly string[]): boolean {
    return keys.every(key => !this.#last.has(key))
  }

  /** Resolves when what touches one of these keys now does so no more. */
  async free(keys: readonly string[]): Promise<void> {
    await Promise.allSettled(new Set(keys.flatMap(key => this.#last.get(key) ?? [])))
  }

  #forget(keys: readonly string[], running: Promise<unknown>): void {
    this.#running.delete(running)
    for (const key of keys) if (this.#last.get(key) === running) this.#last.delete(key)
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }
}
