/** Somebody of whom a port holds a message. */
export interface Holder {
  /** Of the message that has begun and not ended; 0 where none has. */
  readonly unfinishedBytes: number
  /** Drops what is held. */
  giveUp(): void
}

/**
 * The bytes of the messages that a port holds. Where there are too many, whoever holds most of a message that has not ended gives it up:
 * nobody has it yet, and its sender sends it again.
 */
export class Holdings {
  readonly #mostBytes: number
  readonly #held = new Map<Holder, number>()
  #all = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** So many bytes are held of somebody now. */
  note(holder: Holder, bytes: number): void {
    this.#all += bytes - (this.#held.get(holder) ?? 0)
    if (bytes === 0) this.#held.delete(holder)
    else this.#held.set(holder, bytes)
    while (this.#all > this.#mostBytes) {
      const largest = this.#largest()
      if (largest === undefined) return
      largest.giveUp()
      if (this.#held.has(largest)) this.note(largest, 0)
    }
  }

  #largest(): Holder | undefined {
    let largest: Holder | undefined
    for (const holder of this.#held.keys())
      if (holder.unfinishedBytes > (largest?.unfinishedBytes ?? 0)) largest = holder
    return largest
  }
}
