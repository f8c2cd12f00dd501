import type { Entry, Locator } from '#store'
import type { Stored } from './types.ts'

/** A version with its place in the ledger. */
export interface Located extends Stored {
  readonly seq: number
  /** It left for another compartment, beyond this reach. */
  readonly movedAway: boolean
}

interface Kept {
  readonly entry: Entry
  readonly located: Located
}

const generationBytes = 16 * 1024 * 1024
/** What a kept version takes beside its bytes, roughly. */
const overheadBytes = 512

/**
 * Versions that were opened a short while ago. Each is kept with the very entry it was opened from: while the store has
 * the same sealed bytes at the same place, opening them again could only give the same.
 *
 * Two generations: what is used moves into the young one, what `age` finds in the old one is forgotten.
 */
export class OpenedVersions {
  #young = new Map<Locator, Kept>()
  #old = new Map<Locator, Kept>()
  #youngBytes = 0

  /** What this entry says, opened by `open` unless that was done before. */
  open(entry: Entry, open: (entry: Entry) => Located): Located {
    const kept = this.#young.get(entry.locator)
    if (kept !== undefined && isSame(kept.entry, entry)) return kept.located
    const older = this.#old.get(entry.locator)
    const located = older !== undefined && isSame(older.entry, entry) ? older.located : open(entry)
    this.#keep({ entry, located })
    return located
  }

  #keep(kept: Kept): void {
    this.#young.set(kept.entry.locator, kept)
    this.#youngBytes += kept.entry.sealed.length + kept.located.json.length + overheadBytes
    if (this.#youngBytes > generationBytes) this.age()
  }

  /** Forgets what was not used since the last time. */
  age(): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
  }

  /** Forgets everything at once, e.g. because a key was destroyed. */
  clear(): void {
    this.age()
    this.age()
  }
}

// Sealed bytes open at one place only, so the place is part of what must be the same.
function isSame(a: Entry, b: Entry): boolean {
  return (
    a.seq === b.seq &&
    a.version === b.version &&
    a.compartment === b.compartment &&
    a.locator === b.locator &&
    Buffer.compare(a.sealed, b.sealed) === 0
  )
}
