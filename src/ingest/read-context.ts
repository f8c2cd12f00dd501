import type { IngestLimits } from './limits.ts'
import type { MapContext, Outcome } from './outcome.ts'

/** What mapping FHIR needs beside what every mapping needs. */
export interface FhirContext extends MapContext {
  readonly baseUrl: string
  /** Identifiers of the patient, `system|value`. */
  readonly identifiers: ReadonlySet<string>
  /** Whether the grant may write what belongs to no patient. */
  canShare(type: string): boolean
  /** Whether the grant may create resources of the type for the patient. */
  canWrite(type: string): boolean
  /** As `fingerprint`, the same for all patients. */
  sharedFingerprint(...parts: readonly string[]): string
}

/** What readers need of a run. */
export interface ReadContext extends FhirContext {
  readonly limits: IngestLimits
  isValid(resource: Extract<Outcome, { kind: 'mapped' }>['resource']): boolean
}
