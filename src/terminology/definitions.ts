/** What of a Coding, a CodeSystem, a ValueSet and a ConceptMap this room looks at. Whoever hands one over has validated it. */

/** https://hl7.org/fhir/R4/datatypes.html#Coding */
export interface CodingFact {
  readonly system?: string | undefined
  readonly version?: string | undefined
  readonly code?: string | undefined
  readonly display?: string | undefined
}

/** Another name of a concept, in a language or for a use. */
export interface Designation {
  readonly language?: string
  readonly use?: CodingFact
  readonly value: string
}

/** Beside its code it has one `value[x]`. */
export interface ConceptProperty {
  readonly code: string
  readonly [value: `value${string}`]: unknown
}

/** A concept as a CodeSystem writes it, with those below it. */
export interface ConceptDefinition {
  readonly code: string
  readonly display?: string
  readonly definition?: string
  readonly designation?: readonly Designation[]
  readonly property?: readonly ConceptProperty[]
  readonly concept?: readonly ConceptDefinition[]
}

/** https://hl7.org/fhir/R4/metadataresource.html */
interface Canonical {
  readonly url?: string
  readonly version?: string
  readonly name?: string
  readonly title?: string
  readonly status?: string
  readonly experimental?: boolean
  readonly copyright?: string
  readonly language?: string
}

/** https://hl7.org/fhir/R4/codesystem.html */
export interface CodeSystemDefinition extends Canonical {
  readonly resourceType: 'CodeSystem'
  readonly caseSensitive?: boolean
  readonly hierarchyMeaning?: string
  readonly content?: string
  readonly supplements?: string
  readonly property?: readonly { readonly code: string; readonly uri?: string; readonly type?: string }[]
  readonly filter?: readonly { readonly code: string }[]
  readonly concept?: readonly ConceptDefinition[]
}

/** https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose.include.filter */
export interface FilterDefinition {
  readonly property: string
  readonly op: string
  readonly value: string
}

/** A concept that a value set lists. */
export interface ListedConcept {
  readonly code: string
  readonly display?: string
  readonly designation?: readonly Designation[]
}

/** https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose.include */
export interface IncludeDefinition {
  readonly system?: string
  readonly version?: string
  readonly concept?: readonly ListedConcept[]
  readonly filter?: readonly FilterDefinition[]
  readonly valueSet?: readonly string[]
}

/** https://hl7.org/fhir/R4/valueset-definitions.html#ValueSet.compose */
export interface ComposeDefinition {
  readonly lockedDate?: string
  readonly inactive?: boolean
  readonly include: readonly IncludeDefinition[]
  readonly exclude?: readonly IncludeDefinition[]
}

/** One code of an expansion that was made elsewhere. */
export interface ContainsDefinition extends CodingFact {
  readonly abstract?: boolean
  readonly inactive?: boolean
  readonly designation?: readonly Designation[]
  readonly contains?: readonly ContainsDefinition[]
}

/** https://hl7.org/fhir/R4/valueset.html */
export interface ValueSetDefinition extends Canonical {
  readonly resourceType: 'ValueSet'
  readonly compose?: ComposeDefinition
  readonly expansion?: { readonly contains?: readonly ContainsDefinition[] }
}

/** On what a mapping depends, or what comes of it beside its target. */
export interface DependencyDefinition {
  readonly property: string
  readonly system?: string
  readonly value: string
  readonly display?: string
}

/** https://hl7.org/fhir/R4/conceptmap-definitions.html#ConceptMap.group.element.target */
export interface TargetDefinition {
  readonly code?: string
  readonly display?: string
  readonly equivalence: string
  readonly comment?: string
  readonly dependsOn?: readonly DependencyDefinition[]
  readonly product?: readonly DependencyDefinition[]
}

/** https://hl7.org/fhir/R4/conceptmap-definitions.html#ConceptMap.group */
export interface GroupDefinition {
  readonly source?: string
  readonly sourceVersion?: string
  readonly target?: string
  readonly targetVersion?: string
  readonly element: readonly {
    readonly code?: string
    readonly display?: string
    readonly target?: readonly TargetDefinition[]
  }[]
  readonly unmapped?: {
    readonly mode: string
    readonly code?: string
    readonly display?: string
    readonly url?: string
  }
}

/** https://hl7.org/fhir/R4/conceptmap.html */
export interface ConceptMapDefinition extends Canonical {
  readonly resourceType: 'ConceptMap'
  readonly sourceUri?: string
  readonly sourceCanonical?: string
  readonly targetUri?: string
  readonly targetCanonical?: string
  readonly group?: readonly GroupDefinition[]
}

/** A canonical URL and the version behind its last bar, `url|version`. */
export function splitCanonical(canonical: string): { readonly url: string; readonly version: string | undefined } {
  const bar = canonical.lastIndexOf('|')
  if (bar < 0) return { url: canonical, version: undefined }
  return { url: canonical.slice(0, bar), version: canonical.slice(bar + 1) || undefined }
}

/** The same in one text. */
export function joinCanonical(url: string, version: string | undefined): string {
  return version === undefined ? url : `${url}|${version}`
}
