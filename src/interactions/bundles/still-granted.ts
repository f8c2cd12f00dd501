import { isProblem, type Problem } from '#kernel'
import type { GrantedRequest } from '../types.ts'

/** So many entries are begun before it is asked again whether who sent them may go on. */
export const entriesAtOnce = 64

/**
 * What who sent a Bundle may do, while its entries are worked off one after the other: many of them take longer than it should take
 * until a token that was revoked, or a patient who was led away, is out of reach.
 */
export class StillGranted {
  readonly #bundle: GrantedRequest
  #grant: GrantedRequest['grant']
  #begun = 0
  #ended: Problem | undefined

  constructor(bundle: GrantedRequest) {
    this.#bundle = bundle
    this.#grant = bundle.grant
  }

  /** Why nothing more is done; undefined while it may be. */
  get ended(): Problem | undefined {
    return this.#ended
  }

  /** Asks again if it is time to. @param entries  that are about to begin, at most `entriesAtOnce` */
  async check(entries: number): Promise<void> {
    this.#begun += entries
    const { renew } = this.#bundle
    if (this.#begun <= entriesAtOnce || renew === undefined || this.#ended !== undefined) return
    this.#begun = entries
    try {
      this.#grant = await renew()
    } catch (error) {
      if (!isProblem(error)) throw error
      this.#ended = error
    }
  }

  /** An entry's request, by whoever may ask it now. */
  by(request: GrantedRequest): GrantedRequest {
    return { ...request, grant: this.#grant }
  }
}
