import { coreProfile } from '#fhir'

/** What of a StructureDefinition is looked at, as JSON. Whoever posted one has had it checked as a resource. */
export interface StructureDefinition {
  readonly resourceType: 'StructureDefinition'
  readonly url?: string
  readonly version?: string
  readonly kind?: string
  /** The type that it constrains: `Patient`, `Extension`, `HumanName`. */
  readonly type?: string
  readonly derivation?: string
  readonly baseDefinition?: string
  readonly context?: readonly { readonly type?: string; readonly expression?: string }[]
  readonly contextInvariant?: readonly string[]
  readonly differential?: { readonly element?: readonly ElementText[] }
  readonly snapshot?: { readonly element?: readonly ElementText[] }
}

/** https://hl7.org/fhir/R4/elementdefinition.html, beside it one `fixed[x]`, `pattern[x]`, `minValue[x]` and `maxValue[x]`. */
export interface ElementText {
  readonly id?: string
  readonly path?: string
  readonly sliceName?: string
  readonly slicing?: {
    readonly discriminator?: readonly Discriminator[]
    readonly ordered?: boolean
    readonly rules?: string
  }
  readonly min?: number
  readonly max?: string
  readonly type?: readonly TypeText[]
  readonly maxLength?: number
  readonly binding?: {
    readonly strength?: string
    readonly valueSet?: string
    readonly extension?: readonly { readonly url?: string; readonly valueCanonical?: string }[]
  }
  readonly constraint?: readonly ConstraintText[]
  readonly isModifier?: boolean
  readonly extension?: readonly {
    readonly url?: string
    readonly valueInteger?: number
    readonly valueBoolean?: boolean
    readonly valueCanonical?: string
  }[]
  readonly [name: string]: unknown
}

/** https://hl7.org/fhir/R4/profiling.html#discriminator */
export interface Discriminator {
  readonly type?: string
  readonly path?: string
}

/** https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type */
export interface TypeText {
  readonly code?: string
  readonly profile?: readonly string[]
  readonly targetProfile?: readonly string[]
  readonly aggregation?: readonly string[]
}

/** https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint */
export interface ConstraintText {
  readonly key?: string
  readonly severity?: string
  readonly human?: string
  readonly expression?: string
}

/** R4's own profile of a canonical, unless that names another version than R4's. */
export function coreDefinition(canonical: string): StructureDefinition | undefined {
  const url = urlOf(canonical)
  const isOurs = canonical === url || /^4(\.0(\.\d+)?)?$/.test(canonical.slice(url.length + 1))
  return isOurs ? (coreProfile(url) as StructureDefinition | undefined) : undefined
}

const core = 'http://hl7.org/fhir/StructureDefinition/'

/** A canonical without its version. */
export function urlOf(canonical: string): string {
  const bar = canonical.indexOf('|')
  return bar < 0 ? canonical : canonical.slice(0, bar)
}

/** The last part of a url in HL7's own namespace: the name of a type, if R4 has one such. */
export function nameInCore(canonical: string): string | undefined {
  const url = urlOf(canonical)
  return url.startsWith(core) ? url.slice(core.length) : undefined
}
