import type { StructureDefinition } from '../profiles/definition.ts'
import type { Ask } from '../profiles/members.ts'
import type { Node } from '../walk.ts'

/** A definition that a resource is held against: it says what a report reports, what a map leads from and to, what an extension derives from. */
export interface Counterpart {
  readonly type: 'StructureDefinition' | 'ValueSet' | 'Measure'
  readonly canonical: string
}

/** Those that are held. */
export interface Counterparts {
  readonly ask: Ask
  structure(canonical: string): StructureDefinition | undefined
  measure(canonical: string): Node | undefined
}
