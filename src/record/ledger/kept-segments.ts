import type { Segment } from '#store'

/** Of one ledger: larger ones are read again by whoever needs them. */
const mostOfOneBytes = 64 * 1024
/** What is kept for a ledger takes beside its bytes, roughly; one that has no segments is kept as well. */
const overheadBytes = 512

interface Kept {
  readonly segments: readonly Segment[]
  readonly bytes: number
}

/**
 * Segments that were read as ledgers were opened, for who opens their indexes next, which is mostly the same request: sealed, as they came
 * from the store. Those of all ledgers together have one room, and who was the first in it leaves first.
 */
export class KeptSegments {
  readonly #kept = new Map<object, Kept>()
  readonly #mostBytes: number
  #bytes = 0

  /** @param mostBytes  what all of them may take */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** What all of them take in memory. */
  get sizeBytes(): number {
    return this.#bytes
  }

  /** Keeps what was read for `owner`, in place of what was kept for it before. */
  keep(owner: object, segments: readonly Segment[]): void {
    this.take(owner)
    const bytes = segments.reduce((sum, { sealed }) => sum + sealed.length, overheadBytes)
    if (bytes > mostOfOneBytes) return
    this.#kept.set(owner, { segments, bytes })
    this.#bytes += bytes
    for (const first of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) return
      this.take(first)
    }
  }

  /** What is kept for `owner`, which is not kept any longer. */
  take(owner: object): readonly Segment[] | undefined {
    const kept = this.#kept.get(owner)
    if (kept === undefined) return undefined
    this.#kept.delete(owner)
    this.#bytes -= kept.bytes
    return kept.segments
  }

  /** Forgets all of them: nobody has opened those indexes since. */
  clear(): void {
    this.#kept.clear()
    this.#bytes = 0
  }
}
