import { lazy, readProfile } from './definitions.ts'

/**
 * What must be so of an object for an invariant to hold for certain: `has` an element, `lacks` it, it is `valued`, its text
 * `is` or `isNot` among some; `false` where that cannot be told so simply. Names are those of FHIRPath: `value`, not `valueString`.
 */
export type Certainty =
  | false
  | readonly ['any' | 'all', ...Certainty[]]
  | readonly ['has' | 'lacks' | 'valued' | 'is' | 'isNot', string, ...string[]]

/** A rule of R4 about an element and what lies in it. */
export interface Invariant {
  /** As HL7 names it, e.g. `obs-6`; hardly ever two have the same. */
  readonly key: string
  readonly severity: 'error' | 'warning'
  readonly human: string
  /** FHIRPath, whose context is the element. */
  readonly expression: string
  readonly certain: Certainty
}

const byPlace = lazy(() => readProfile<Readonly<Record<string, readonly Invariant[]>>>('invariants.json'))
const none: readonly Invariant[] = Object.freeze([])

/**
 * The invariants that R4 states of a type or of an element of one: `Observation`, `Quantity`, `Observation.referenceRange`.
 * Those of all resources are under `DomainResource`; those of each element and extension (ele-1, ext-1) are nowhere.
 */
export function invariantsOf(place: string): readonly Invariant[] {
  return Object.hasOwn(byPlace(), place) ? (byPlace()[place] ?? none) : none
}
