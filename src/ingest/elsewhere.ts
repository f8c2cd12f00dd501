import { type QueueLimits, tooMany, tooManyOfGrant } from './queue.ts'
import { overAll, overGrant, type QuotaLimits } from './source/quota.ts'

/** So much of what all processes of a server may have together. */
export interface ShareClaim {
  /** Files that are here, or bytes of them on disk. */
  readonly kind: 'imports' | 'spool'
  /** Pseudonymous id of the grant. */
  readonly owner: string
  readonly amount: number
  readonly mostOfOne: number
  readonly most: number
}

/** `own`: the grant has as much as it may; `all`: there is not so much left. */
export type ShareVerdict = 'granted' | 'own' | 'all'

/** How far an import is that another process runs. */
export interface ShownJob {
  /** Id of the grant that began it. */
  readonly grant: string
  readonly progress: { readonly bytesRead: number; readonly rows: number; readonly before?: number }
}

/** What other processes that serve the same house know of imports, and are told. */
export interface ImportsElsewhere {
  claim(claim: ShareClaim): Promise<ShareVerdict>
  release(held: Pick<ShareClaim, 'kind' | 'owner' | 'amount'>): void
  /** All imports of this process, by id; resolves when whoever asks from now on sees them. */
  show(jobs: ReadonlyMap<string, ShownJob>): Promise<void>
  /** An import that a process runs which lives. */
  find(id: string): Promise<ShownJob | undefined>
}

/**
 * A place among the imports of all processes.
 *
 * @throws Problem `throttled` or `busy` · `ingest.too-many-imports`
 */
export async function placeElsewhere(
  elsewhere: ImportsElsewhere,
  owner: string,
  { maxImports, maxImportsPerGrant }: QueueLimits,
): Promise<Disposable> {
  const held = { kind: 'imports', owner, amount: 1 } as const
  const verdict = await elsewhere.claim({ ...held, mostOfOne: maxImportsPerGrant, most: maxImports })
  if (verdict === 'own') throw tooManyOfGrant(maxImportsPerGrant)
  if (verdict === 'all') throw tooMany(maxImports)
  return { [Symbol.dispose]: () => elsewhere.release(held) }
}

/** Bytes are claimed in steps: a file is written in pieces of 64 KiB, and each would be a question to another process. */
const stepBytes = 8 * 1024 ** 2
/** Where little is allowed the steps are smaller: what is claimed beyond the end of a file is nobody's meanwhile. */
const stepsOfGrant = 64

/** The bytes of one file, among those of all processes. */
export class BytesElsewhere {
  readonly #elsewhere: ImportsElsewhere
  readonly #owner: string
  readonly #limits: QuotaLimits
  #needed = 0
  #claimed = 0

  constructor(elsewhere: ImportsElsewhere, owner: string, limits: QuotaLimits) {
    this.#elsewhere = elsewhere
    this.#owner = owner
    this.#limits = limits
  }

  /** @throws Problem `too-large` or `busy` · `ingest.spool-quota` */
  async need(bytes: number): Promise<void> {
    this.#needed += bytes
    if (this.#needed <= this.#claimed) return
    const { maxSpooled, maxSpooledPerGrant } = this.#limits
    const step = Math.max(bytes, Math.min(stepBytes, Math.floor(maxSpooledPerGrant / stepsOfGrant)))
    const held = { kind: 'spool', owner: this.#owner, amount: step } as const
    const verdict = await this.#elsewhere.claim({ ...held, mostOfOne: maxSpooledPerGrant, most: maxSpooled })
    if (verdict === 'own') throw overGrant(maxSpooledPerGrant)
    if (verdict === 'all') throw overAll(maxSpooled)
    this.#claimed += step
  }

  end(): void {
    if (this.#claimed > 0) this.#elsewhere.release({ kind: 'spool', owner: this.#owner, amount: this.#claimed })
    this.#claimed = 0
  }
}
