import { containedIn } from '#fhir'
import { isProblem } from '#kernel'
import { type Definitions, Membership, type ValueSetDefinition } from '#terminology'
import type { Node } from '../walk.ts'

type Standing = 'in' | 'out' | 'unknown'

/** Whether a code is in a value set. @param system  as `isMember` has it */
export type Ask = (valueSet: string, system: string | undefined, code: string) => Standing

/** Whether codes are in value sets, of R4 or of those that were handed over. */
export class Members {
  readonly #definitions: Definitions
  readonly #membership: Membership

  constructor(definitions: Definitions) {
    this.#definitions = definitions
    this.#membership = new Membership(definitions)
  }

  readonly ask: Ask = (valueSet, system, code) =>
    standingIn(this.#membership, this.#definitions.valueSet(valueSet), system, code)

  /** As `ask`, where `#id` names a value set that a resource contains. What it prepares for those goes with it. */
  askWithin(container: Node): Ask {
    const membership = new Membership(this.#definitions)
    return (valueSet, system, code) => {
      if (!valueSet.startsWith('#')) return this.ask(valueSet, system, code)
      const found = containedIn(container, valueSet.slice(1))
      return standingIn(membership, isValueSet(found) ? found : undefined, system, code)
    }
  }
}

function isValueSet(found: Node | undefined): found is Node & ValueSetDefinition {
  return found?.resourceType === 'ValueSet'
}

function standingIn(
  membership: Membership,
  definition: ValueSetDefinition | undefined,
  system: string | undefined,
  code: string,
): Standing {
  if (definition === undefined) return 'unknown'
  try {
    return membership.find(definition, { ...(system === undefined ? {} : { system }), code }).is
  } catch (error) {
    // What a value set asks that cannot be answered is no fault of the resource.
    if (isProblem(error)) return 'unknown'
    throw error
  }
}
