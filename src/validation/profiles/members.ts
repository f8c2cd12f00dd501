import { isProblem } from '#kernel'
import { type Definitions, Membership } from '#terminology'

type Standing = 'in' | 'out' | 'unknown'

/** Whether codes are in value sets, of R4 or of those that were handed over. */
export class Members {
  readonly #definitions: Definitions
  readonly #membership: Membership

  constructor(definitions: Definitions) {
    this.#definitions = definitions
    this.#membership = new Membership(definitions)
  }

  /** @param system  as `isMember` has it */
  readonly ask = (valueSet: string, system: string | undefined, code: string): Standing => {
    const definition = this.#definitions.valueSet(valueSet)
    if (definition === undefined) return 'unknown'
    try {
      return this.#membership.find(definition, { ...(system === undefined ? {} : { system }), code }).is
    } catch (error) {
      // What a value set asks that cannot be answered is no fault of the resource.
      if (isProblem(error)) return 'unknown'
      throw error
    }
  }
}
