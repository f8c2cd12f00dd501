import { Problem } from '#kernel'

/** How much may lie on disk at once while it is read: of everybody together, and of one grant. Bytes. */
export interface QuotaLimits {
  readonly maxSpooled: number
  readonly maxSpooledPerGrant: number
}

/** Soon enough for whoever waits, late enough for a file to be read. */
const retryAfterSeconds = 60

/** Who has how much on disk. What is claimed is given back by whoever claimed it. */
export class Quota {
  readonly #limits: QuotaLimits
  readonly #held = new Map<string, number>()
  #sum = 0

  constructor(limits: QuotaLimits) {
    this.#limits = limits
  }

  /** Bytes of everybody. */
  get claimed(): number {
    return this.#sum
  }

  /**
   * @param owner  pseudonymous id of the grant
   * @throws Problem `too-large` · `ingest.spool-quota` for more than one grant may ever have; `busy` · `ingest.spool-quota`
   *   while others have the rest
   */
  claim(owner: string, bytes: number): void {
    const own = (this.#held.get(owner) ?? 0) + bytes
    const { maxSpooled, maxSpooledPerGrant } = this.#limits
    if (own > maxSpooledPerGrant) throw overGrant(maxSpooledPerGrant)
    if (this.#sum + bytes > maxSpooled) throw overAll(maxSpooled)
    this.#held.set(owner, own)
    this.#sum += bytes
  }

  release(owner: string, bytes: number): void {
    const left = (this.#held.get(owner) ?? 0) - bytes
    if (left > 0) this.#held.set(owner, left)
    else this.#held.delete(owner)
    this.#sum -= bytes
  }
}

/** One grant has more on disk than it may. */
export function overGrant(most: number): Problem {
  const text = `The files that this access token has here at once are larger than ${most} bytes. Send them one after the other.`
  return new Problem('too-large', 'ingest.spool-quota', text)
}

/** There is no more room for files. */
export function overAll(most: number): Problem {
  const text = `Files that are being imported fill the ${most} bytes that are set apart for them. Try again later.`
  return new Problem('busy', 'ingest.spool-quota', text, { retryAfterSeconds })
}
