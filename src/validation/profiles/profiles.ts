import { isTypeName } from '#fhir'
import type { Definitions } from '#terminology'
import { applyElements, elementsOf } from './build.ts'
import { nameInCore, type StructureDefinition, urlOf } from './definition.ts'
import { Members } from './members.ts'
import { circular } from './refusals.ts'
import { Rules } from './rules.ts'

/** What profiles are judged by: whatever of it is held, and may be seen by who asks. Urls may end in `|version`. */
export interface ProfileDefinitions extends Definitions {
  structure(canonical: string): StructureDefinition | undefined
}

/** A profile that is ready to judge by. */
export interface Profile {
  readonly url: string
  readonly type: string
  readonly rules: Rules
  readonly definition: StructureDefinition
}

/** Nobody derives so often. */
const longestChain = 50

/** Profiles by canonical, each built once: from the type of R4 on, by all that is derived from it. */
export class Profiles {
  readonly definitions: ProfileDefinitions
  readonly members: Members
  readonly #building = new Set<string>()
  readonly #known = new Map<string, Profile | undefined>()

  constructor(definitions: ProfileDefinitions) {
    this.definitions = definitions
    this.members = new Members(definitions)
  }

  /**
   * @returns undefined for what is not held, is no profile of a type of R4, or derives from what is not held
   * @throws Problem `unprocessable` · `validation.profile-circular`; `too-costly` · `validation.profile-too-large`
   */
  find(canonical: string): Profile | undefined {
    if (this.#known.has(canonical)) return this.#known.get(canonical)
    // Resources may name whatever they like, and what they name is not kept.
    if (this.definitions.structure(canonical) === undefined) return undefined
    this.#building.add(canonical)
    try {
      const made = this.#build(canonical, new Set())
      this.#known.set(canonical, made)
      return made
    } finally {
      this.#building.delete(canonical)
    }
  }

  /** Of a profile that is being built nothing can be taken over yet. */
  #within(canonical: string): Rules | undefined {
    return this.#building.has(canonical) ? undefined : this.find(canonical)?.rules
  }

  #build(canonical: string, derived: Set<string>): Profile | undefined {
    const definition = this.definitions.structure(canonical)
    if (definition === undefined || !isProfile(definition)) return undefined
    const { url = urlOf(canonical), type = '', baseDefinition = '' } = definition
    if (derived.has(url) || derived.size >= longestChain) throw circular()
    derived.add(url)
    const base = typeIn(baseDefinition) === undefined ? this.#build(baseDefinition, derived) : undefined
    const hasBase = base !== undefined || typeIn(baseDefinition) !== undefined
    const elements = elementsOf(definition, hasBase)
    if (elements === undefined) return undefined
    const isWhole = elements === definition.snapshot?.element
    const rules = base === undefined || isWhole ? new Rules(type) : base.rules.copy()
    return { url, type, rules: applyElements(rules, type, elements, profile => this.#within(profile)), definition }
  }
}

/** Other kinds define types of their own, or what is no resource. */
function isProfile({ derivation, kind, type = '' }: StructureDefinition): boolean {
  return derivation === 'constraint' && kind !== 'logical' && type !== ''
}

/** The type of R4 that a canonical names; undefined for a profile. */
export function typeIn(canonical: string): string | undefined {
  const name = nameInCore(canonical)
  return name !== undefined && isTypeName(name) ? name : undefined
}
