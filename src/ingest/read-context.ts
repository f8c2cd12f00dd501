import type { Resource } from '#fhir'
import type { Senders } from './hl7v2/senders.ts'
import type { RefusedMessage } from './hl7v2/shelve.ts'
import type { PersonClaims } from './identity/claims.ts'
import type { Rivals } from './identity/identify.ts'
import type { Refusal } from './letters/letter.ts'
import type { IngestLimits } from './limits.ts'
import type { MapContext, Outcome } from './outcome.ts'
import type { PlainFile } from './source/spool.ts'

/** What mapping FHIR needs beside what every mapping needs. */
export interface FhirContext extends MapContext {
  readonly baseUrl: string
  /** What is known of the patient, to tell whether the file is about them. */
  readonly person: PersonClaims
  /** Whether the grant may read the Patient: only then is it told what differs. */
  readonly mayReadPatient: boolean
  /** Whether somebody has said before that a description is the patient's. */
  isKnownAs(claims: PersonClaims): boolean
  /** Who else within reach a description may be about. */
  rivals(claims: PersonClaims): Promise<Rivals>
  /** Whether an id is that of somebody else within reach, who is not one person with the patient. */
  isAnothers(id: string): Promise<boolean>
  /** Somebody has said that the file is this patient's whatever differs. */
  readonly forced: boolean
  /** Whether the grant may write what belongs to no patient. */
  canShare(type: string): boolean
  /** Whether the grant may create resources of the type for the patient. */
  canWrite(type: string): boolean
  /** `Patient/…` of somebody else whom the files are about too, and who is kept here: what names both is both's. */
  otherPerson?(reference: string): string | undefined
  /** Told what each row of the files comes to, before it is committed. */
  onRow?(outcome: Outcome, index: number): void
  /** As `fingerprint`, the same for all patients: of an account, and of all that comes in under `system/` scopes. */
  sharedFingerprint(...parts: readonly string[]): string
}

/** What readers need of a run. */
export interface ReadContext extends FhirContext {
  readonly limits: IngestLimits
  readonly senders: Senders
  /** Keeps a message of the file that was refused. */
  shelve?(refused: RefusedMessage, refusal: Refusal): Promise<void>
  /** A file for a library that reads nothing else; as `Spool.plain`. */
  plainFile(bytes: AsyncIterable<Uint8Array>): Promise<PlainFile>
  isValid(resource: Extract<Outcome, { kind: 'mapped' }>['resource']): Promise<boolean>
  /** What the patient has of a type, as far as the grant may search and read it; by parameters of a FHIR search. */
  kept(type: string, parameters: Readonly<Record<string, string>>): Promise<readonly Resource[]>
}
