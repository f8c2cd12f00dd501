import { counter, gauge, ownBytes } from '#kernel'
import type { Entry, Locator } from '#store'
import type { Stored } from '../types.ts'

/** A version with its place in the ledger. */
export interface Located extends Stored {
  readonly seq: number
  /** It left for another compartment, beyond this reach. */
  readonly movedAway: boolean
}

/** What an entry is about; whoever found it by its locator knows. */
export type Named = Pick<Stored, 'type' | 'id'>

interface Kept {
  readonly entry: Entry
  readonly located: Located
}

/** What a kept version takes beside its bytes, roughly. */
const overheadBytes = 512
/** How many versions may be asked for between two askings for the same one that make it worth keeping. */
const askedOnceCount = 16_384

const help = 'Versions that were read, by whether they were open already'
const found = counter('kinhold_versions_read_total', help, { from: 'memory' })
const opened = counter('kinhold_versions_read_total', help, { from: 'store' })

/**
 * Versions that were opened a short while ago, and asked for more than once. Each is kept with the very entry it was
 * opened from: while the store has the same sealed bytes at the same place, opening them again could only give the same.
 *
 * Two generations: what is used moves into the young one, what `age` finds in the old one is forgotten. What is asked
 * for only once is not kept, so that reading all of a long record costs neither room nor the work of forgetting it.
 */
export class OpenedVersions {
  #young = new Map<number, Kept>()
  #old = new Map<number, Kept>()
  #youngBytes = 0
  readonly #askedOnce = new Set<number>()
  readonly #generationBytes: number

  /** @param mostBytes  of both generations together */
  constructor(mostBytes: number) {
    this.#generationBytes = mostBytes / 2
    const name = 'kinhold_versions_open'
    gauge(this, { name, help: 'Opened versions in memory' }, kept => kept.#young.size + kept.#old.size)
  }

  /** What this entry says, opened by `open` unless that was done before; `named` is handed on to it. */
  open(entry: Entry, open: (entry: Entry, named?: Named) => Located, named?: Named): Located {
    const key = keyOf(entry.locator)
    const kept = this.#young.get(key)
    if (kept !== undefined && isSame(kept.entry, entry)) {
      found.add()
      return kept.located
    }
    const older = this.#old.get(key)
    if (older !== undefined && isSame(older.entry, entry)) {
      found.add()
      return this.#keep(key, older)
    }
    opened.add()
    const located = open(entry, named)
    return this.#isAskedAgain(key) ? this.#keep(key, { entry, located: withOwnBytes(located) }) : located
  }

  #isAskedAgain(key: number): boolean {
    if (this.#askedOnce.delete(key)) return true
    if (this.#askedOnce.size >= askedOnceCount) this.#askedOnce.clear()
    this.#askedOnce.add(key)
    return false
  }

  #keep(key: number, kept: Kept): Located {
    this.#young.set(key, kept)
    this.#youngBytes += kept.entry.sealed.length + kept.located.json.length + overheadBytes
    if (this.#youngBytes > this.#generationBytes) this.age()
    return kept.located
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
    this.#askedOnce.clear()
  }
}

/** A number, because a Map makes every text that it is asked about a lasting one; two that meet displace each other. */
function keyOf(locator: Locator): number {
  return Number.parseInt(locator.slice(0, 7), 16)
}

/** Small buffers share their memory with others, which would be kept with them. */
function withOwnBytes(located: Located): Located {
  return { ...located, json: ownBytes(located.json) }
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
